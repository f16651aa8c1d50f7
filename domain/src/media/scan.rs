//! What the packets of a picture say without being decoded: where its key frames are, whether GOPs are closed, and how
//! large everything is. Read from ffmpeg's list of packets (`-c copy -f framecrc`), which costs a second for an hour.

use super::grid::Grid;

/// Two of ffmpeg's packet flags: a decoder can begin here; to be decoded and not shown.
const KEY: u32 = 1;
const DISCARD: u32 = 4;
/// How much earlier than exactly a full segment later a key frame may be to end a segment, in microseconds.
pub(crate) const CUT_SLACK: i64 = 1000;
/// What a segment's own boxes add to its packets, at most: some dozen bytes a packet.
const BOX_BYTES: i64 = 1000;
const PACKET_BYTES: i64 = 16;

/// The packets of a picture, summed up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scan {
    /// Bytes of all packets.
    pub bytes: i64,
    /// No frame after a key frame, in the order of decoding, is shown before it.
    pub closed: bool,
    /// An edit list hides frames.
    pub edited: bool,
    /// From one key frame to before the next.
    gops: Vec<Gop>,
    /// A tick of the clock is `num/den` seconds.
    num: i64,
    den: i64,
    /// The tick after the last frame.
    end: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Gop {
    /// The tick at which its key frame is shown.
    start: i64,
    bytes: i64,
    packets: i64,
}

/// A segment of a copy, as it will be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    /// Its length.
    pub seconds: f64,
    /// Its size, rather more than less.
    pub bytes: i64,
}

impl Scan {
    /// When the first frame is shown, in seconds from the start of the file. NaN when there is none.
    pub fn start(&self) -> f64 {
        self.gops
            .first()
            .map_or(f64::NAN, |gop| self.seconds(gop.start))
    }

    /// When the last frame ends, in seconds from the start of the file.
    pub fn end(&self) -> f64 {
        self.seconds(self.end)
    }

    /// The longest time from one key frame to the next, or to the end, in seconds.
    pub fn longest_gop(&self) -> f64 {
        let ends = self.gops.iter().skip(1).map(|gop| gop.start);
        self.gops
            .iter()
            .zip(ends.chain([self.end]))
            .map(|(gop, end)| self.seconds(end - gop.start))
            .fold(0.0, f64::max)
    }

    /// The segments of a copy. A segment ends before the first key frame that is shown `n` lengths of the grid's
    /// segments after the start or later, `n` counting segments: this is ffmpeg's rule, so they differ in length and
    /// yet keep the pace.
    pub fn cuts(&self, grid: &Grid) -> Vec<Cut> {
        let length = i128::from(cut_length(grid));
        let mut cuts: Vec<(i64, Cut)> = Vec::new();
        let first = self.gops.first().map_or(0, |gop| gop.start);
        for gop in &self.gops {
            let bytes = gop.bytes + gop.packets * PACKET_BYTES;
            let since = i128::from(gop.start - first) * i128::from(self.num) * 1_000_000;
            let due = length * cuts.len() as i128 * i128::from(self.den);
            match cuts.last_mut() {
                Some((_, open)) if since < due => open.bytes += bytes,
                _ => cuts.push((
                    gop.start,
                    Cut {
                        seconds: 0.0,
                        bytes: bytes + BOX_BYTES,
                    },
                )),
            }
        }
        let starts: Vec<i64> = cuts.iter().map(|(start, _)| *start).collect();
        let ends = starts.into_iter().skip(1).chain([self.end]);
        cuts.into_iter()
            .zip(ends)
            .map(|((start, cut), end)| Cut {
                seconds: self.seconds(end - start),
                ..cut
            })
            .collect()
    }

    /// Takes a line of the list in. Lines that are not understood are skipped: the list is ffmpeg's own, and what is
    /// missing in it is missed as a frame would be.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(base) = line.strip_prefix("#tb 0:") {
            let (num, den) = base.trim().split_once('/').unwrap_or_default();
            (self.num, self.den) = (num.parse().unwrap_or(0), den.parse().unwrap_or(0));
        } else if !line.starts_with('#')
            && let Some(packet) = Packet::read(line)
        {
            self.packet(packet);
        }
    }

    fn packet(&mut self, packet: Packet) {
        self.bytes = self.bytes.saturating_add(packet.size);
        self.end = self.end.max(packet.pts.saturating_add(packet.length));
        self.edited |= packet.flags & DISCARD != 0;
        match self.gops.last_mut() {
            _ if packet.flags & KEY != 0 => {
                // The first key frame begins with the benefit of the doubt; a key frame that is shown before the one
                // before it is no order that can be cut.
                let ordered = self.gops.last().is_none_or(|gop| gop.start < packet.pts);
                self.closed = ordered && (self.closed || self.gops.is_empty());
                self.gops.push(Gop {
                    start: packet.pts,
                    bytes: packet.size,
                    packets: 1,
                });
            }
            Some(gop) => {
                self.closed &= packet.pts > gop.start;
                gop.bytes = gop.bytes.saturating_add(packet.size);
                gop.packets += 1;
            }
            None => {}
        }
    }

    fn seconds(&self, ticks: i64) -> f64 {
        ticks as f64 * self.num as f64 / self.den.max(1) as f64
    }
}

/// The length that a segment of a copy has at least, in microseconds, if key frames allow it.
pub(crate) fn cut_length(grid: &Grid) -> i64 {
    grid.micros(i64::from(grid.segment_frames)) - CUT_SLACK
}

/// `0, dts, pts, length, size, checksum[, F=flags][, side data]`; without flags, it is a key frame and nothing else.
#[derive(Clone, Copy)]
struct Packet {
    pts: i64,
    length: i64,
    size: i64,
    flags: u32,
}

impl Packet {
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(',').map(str::trim).skip(2);
        let mut number = || fields.next()?.parse::<i64>().ok();
        let (pts, length, size) = (number()?, number()?, number()?);
        let flags = fields
            .find_map(|field| field.strip_prefix("F=0x"))
            .map_or(Some(KEY), |flags| u32::from_str_radix(flags, 16).ok())?;
        Some(Self {
            pts,
            length: length.max(0),
            size: size.max(0),
            flags,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Fps;

    /// Key frames at these frames of 25 a second, each with 99 bytes, every other frame with 1 byte.
    fn scan(keys: &[i64], frames: i64) -> Scan {
        let mut scan = Scan::default();
        scan.line("#tb 0: 1/12800");
        for frame in 0..frames {
            let pts = frame * 512;
            let (size, flags) = if keys.contains(&frame) {
                (99, "")
            } else {
                (1, ", F=0x0")
            };
            scan.line(&format!(
                "0,   {},    {pts},    512,    {size}, 0xc0ffee{flags}",
                pts - 1024
            ));
        }
        scan
    }

    fn lengths(scan: &Scan) -> Vec<f64> {
        let grid = Grid::new(Fps::new(25, 1), scan.end());
        let cuts = scan.cuts(&grid);
        cuts.iter().map(|cut| cut.seconds).collect()
    }

    #[test]
    fn packets_are_summed_up() {
        let scan = scan(&[0, 100, 260], 300);
        assert!(scan.closed && !scan.edited);
        assert_eq!((scan.start(), scan.end()), (0.0, 12.0));
        assert_eq!(scan.longest_gop(), 6.4);
        assert_eq!(scan.bytes, 3 * 99 + 297);
    }

    #[test]
    fn segments_are_cut_at_the_first_key_frame_that_is_due() {
        // Every 2.4 s, as measured with ffmpeg: 4.8, 4.8, 2.4 and again.
        let keys: Vec<i64> = (0..10).map(|n| n * 60).collect();
        assert_eq!(lengths(&scan(&keys, 600)), [4.8, 4.8, 2.4, 4.8, 4.8, 2.4]);
        // Exactly every 4 s, and every 10 s.
        assert_eq!(lengths(&scan(&[0, 100, 200], 250)), [4.0, 4.0, 2.0]);
        assert_eq!(lengths(&scan(&[0, 250, 500], 510)), [10.0, 10.0, 0.4]);
        assert_eq!(lengths(&scan(&[0], 50)), [2.0]);
        assert_eq!(lengths(&Scan::default()), [0.0; 0]);
    }

    #[test]
    fn sizes_of_segments_are_not_underrated() {
        let scan = scan(&[0, 50, 100, 150], 200);
        let cuts = scan.cuts(&Grid::new(Fps::new(25, 1), 8.0));
        assert_eq!(cuts.len(), 2);
        let sum: i64 = cuts.iter().map(|cut| cut.bytes).sum();
        assert_eq!(sum, scan.bytes + 200 * PACKET_BYTES + 2 * BOX_BYTES);
    }

    #[test]
    fn noise_is_no_packet() {
        let mut scan = Scan::default();
        for line in [
            "",
            "#",
            "0",
            "0,,,",
            "#tb 0: x",
            "0, a, b, c, d",
            "ä, 1, 2",
            "0,1,2,3,4,0x0,F=0xzz",
        ] {
            scan.line(line);
        }
        assert_eq!(scan.cuts(&Grid::new(Fps::new(25, 1), 8.0)), []);
        assert!(scan.start().is_nan());
    }
}
