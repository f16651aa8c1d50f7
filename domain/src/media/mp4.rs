//! A reader for the fragmented MP4 that we make: what playlists need of init and media segments.
//!
//! It never panics and never reads out of bounds, whatever it is given; what it does not understand is an error.

/// The bytes are not what we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mp4Error {
    /// A box ends beyond the data, or is shorter than its fields.
    #[error("the MP4 data is cut short")]
    Short,
    /// A box that must be there is not.
    #[error("the MP4 data has no {0} box")]
    Missing(&'static str),
    /// A codec that we do not make.
    #[error("the MP4 data has a codec that is not ours")]
    Codec,
    /// A number that cannot be.
    #[error("the MP4 data has an impossible {0}")]
    Value(&'static str),
}

/// What an init segment says about its only track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// RFC 6381, for CODECS: `avc1.64001f`, `mp4a.40.2`.
    pub codecs: String,
    /// Units per second of all times in the media segments.
    pub timescale: i32,
    /// Pixels; zero for sound.
    pub width: i32,
    /// Pixels; zero for sound.
    pub height: i32,
    /// How much later than they are shown samples are timed: the reordering of B-frames, undone by an edit list.
    shift: i64,
    default_duration: u32,
    default_size: u32,
    default_flags: u32,
}

/// What a media segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// The time that the segment states for its first sample (`tfdt`), in units of the timescale, time stamp base
    /// included. For what we make, this is where it lies on the grid.
    pub start: i64,
    /// The instant that the first sample is shown, all things considered.
    pub shown: i64,
    /// The length of all samples together.
    pub length: i64,
    /// How many samples.
    pub samples: i64,
    /// The first sample can be decoded by itself.
    pub starts_with_key: bool,
    /// From the first byte of the segment through the first sample: the range of an I-frame playlist.
    pub keyframe_bytes: i32,
}

impl Init {
    /// Reads an init segment.
    pub fn read(data: &[u8]) -> Result<Self, Mp4Error> {
        let moov = child(data, b"moov", "moov")?;
        let trak = child(moov, b"trak", "trak")?;
        let shift = match child(trak, b"edts", "edts") {
            Ok(edts) => edit_list(child(edts, b"elst", "elst")?)?,
            Err(_) => 0,
        };
        let mdia = child(trak, b"mdia", "mdia")?;
        let mut mdhd = Fields(child(mdia, b"mdhd", "mdhd")?);
        let version = mdhd.u32()? >> 24;
        mdhd.skip(if version == 1 { 16 } else { 8 })?;
        let timescale = i32::try_from(mdhd.u32()?)
            .ok()
            .filter(|scale| *scale > 0)
            .ok_or(Mp4Error::Value("timescale"))?;

        let stbl = child(child(mdia, b"minf", "minf")?, b"stbl", "stbl")?;
        let mut stsd = Fields(child(stbl, b"stsd", "stsd")?);
        stsd.skip(8)?;
        let (codecs, width, height) = sample_entry(stsd.0)?;

        let mut trex = Fields(child(child(moov, b"mvex", "mvex")?, b"trex", "trex")?);
        trex.skip(12)?;
        let (default_duration, default_size, default_flags) =
            (trex.u32()?, trex.u32()?, trex.u32()?);
        Ok(Self {
            codecs,
            timescale,
            width,
            height,
            shift,
            default_duration,
            default_size,
            default_flags,
        })
    }
}

impl Fragment {
    /// Reads a media segment that belongs to `init`.
    pub fn read(data: &[u8], init: &Init) -> Result<Self, Mp4Error> {
        let mut whole: Option<Self> = None;
        for found in Boxes::new(data) {
            let found = found?;
            if found.kind != *b"moof" {
                continue;
            }
            let part = moof(found.payload, found.offset, init)?;
            whole = Some(match whole {
                None => part,
                Some(so_far) => Self {
                    length: so_far
                        .length
                        .checked_add(part.length)
                        .ok_or(Mp4Error::Value("length"))?,
                    samples: so_far.samples + part.samples,
                    ..so_far
                },
            });
        }
        let whole = whole.ok_or(Mp4Error::Missing("moof"))?;
        if usize::try_from(whole.keyframe_bytes).map_or(true, |bytes| bytes > data.len()) {
            return Err(Mp4Error::Short);
        }
        Ok(whole)
    }
}

fn moof(payload: &[u8], offset: usize, init: &Init) -> Result<Fragment, Mp4Error> {
    let traf = child(payload, b"traf", "traf")?;
    let mut tfhd = Fields(child(traf, b"tfhd", "tfhd")?);
    let flags = tfhd.u32()? & 0x00ff_ffff;
    tfhd.skip(4)?;
    let mut base = offset as u64;
    if flags & 0x1 != 0 {
        base = tfhd.u64()?;
    }
    if flags & 0x2 != 0 {
        tfhd.skip(4)?;
    }
    let default_duration = if flags & 0x8 != 0 {
        tfhd.u32()?
    } else {
        init.default_duration
    };
    let default_size = if flags & 0x10 != 0 {
        tfhd.u32()?
    } else {
        init.default_size
    };
    let default_flags = if flags & 0x20 != 0 {
        tfhd.u32()?
    } else {
        init.default_flags
    };

    let mut tfdt = Fields(child(traf, b"tfdt", "tfdt")?);
    let version = tfdt.u32()? >> 24;
    let start = if version == 1 {
        tfdt.u64()?
    } else {
        u64::from(tfdt.u32()?)
    };
    let start = i64::try_from(start).map_err(|_| Mp4Error::Value("time"))?;

    let mut fragment: Option<Fragment> = None;
    for found in Boxes::new(traf) {
        let found = found?;
        if found.kind != *b"trun" {
            continue;
        }
        let run = trun(found.payload, default_duration, default_size, default_flags)?;
        let so_far = fragment.get_or_insert(Fragment {
            start,
            shown: start
                .checked_add(run.first_shift)
                .and_then(|shown| shown.checked_sub(init.shift))
                .ok_or(Mp4Error::Value("time"))?,
            length: 0,
            samples: 0,
            starts_with_key: run.first_flags & 0x0001_0000 == 0,
            keyframe_bytes: run.first_end(base)?,
        });
        so_far.length = so_far
            .length
            .checked_add(run.length)
            .ok_or(Mp4Error::Value("length"))?;
        so_far.samples += run.samples;
    }
    fragment
        .filter(|fragment| fragment.samples > 0)
        .ok_or(Mp4Error::Missing("trun"))
}

/// A run of samples, summed up.
struct Samples {
    samples: i64,
    length: i64,
    data_offset: i32,
    first_size: u32,
    first_flags: u32,
    first_shift: i64,
}

impl Samples {
    fn first_end(&self, base: u64) -> Result<i32, Mp4Error> {
        let end = i128::from(base) + i128::from(self.data_offset) + i128::from(self.first_size);
        i32::try_from(end)
            .ok()
            .filter(|end| *end > 0)
            .ok_or(Mp4Error::Value("sample offset"))
    }
}

fn trun(payload: &[u8], duration: u32, size: u32, default_flags: u32) -> Result<Samples, Mp4Error> {
    let mut fields = Fields(payload);
    let head = fields.u32()?;
    let (version, flags) = (head >> 24, head & 0x00ff_ffff);
    let count = fields.u32()?;
    let data_offset = if flags & 0x1 != 0 {
        fields.u32()?.cast_signed()
    } else {
        0
    };
    let first_flags = if flags & 0x4 != 0 {
        Some(fields.u32()?)
    } else {
        None
    };
    let mut run = Samples {
        samples: i64::from(count),
        length: 0,
        data_offset,
        first_size: size,
        first_flags: first_flags.unwrap_or(default_flags),
        first_shift: 0,
    };
    if flags & 0xf00 == 0 {
        // Nothing is said per sample, so the count is bounded by nothing: multiply, do not loop.
        run.length = i64::from(count)
            .checked_mul(i64::from(duration))
            .ok_or(Mp4Error::Value("length"))?;
        return Ok(run);
    }
    for i in 0..count {
        let sample_duration = if flags & 0x100 != 0 {
            fields.u32()?
        } else {
            duration
        };
        let sample_size = if flags & 0x200 != 0 {
            fields.u32()?
        } else {
            size
        };
        let sample_flags = if flags & 0x400 != 0 {
            fields.u32()?
        } else {
            default_flags
        };
        let shift = if flags & 0x800 != 0 { fields.u32()? } else { 0 };
        run.length += i64::from(sample_duration);
        if i == 0 {
            run.first_size = sample_size;
            run.first_flags = first_flags.unwrap_or(sample_flags);
            run.first_shift = if version == 0 {
                i64::from(shift)
            } else {
                i64::from(shift.cast_signed())
            };
        }
    }
    Ok(run)
}

/// The media time that the presentation starts at.
fn edit_list(data: &[u8]) -> Result<i64, Mp4Error> {
    let mut fields = Fields(data);
    let version = fields.u32()? >> 24;
    if fields.u32()? != 1 {
        return Err(Mp4Error::Value("edit list"));
    }
    let time = if version == 1 {
        fields.skip(8)?;
        fields.u64()?.cast_signed()
    } else {
        fields.skip(4)?;
        i64::from(fields.u32()?.cast_signed())
    };
    if time < 0 {
        Err(Mp4Error::Value("edit list"))
    } else {
        Ok(time)
    }
}

fn sample_entry(data: &[u8]) -> Result<(String, i32, i32), Mp4Error> {
    let entry = Boxes::new(data)
        .next()
        .ok_or(Mp4Error::Missing("sample entry"))??;
    let mut fields = Fields(entry.payload);
    match &entry.kind {
        b"avc1" => {
            fields.skip(24)?;
            let (width, height) = (fields.u16()?, fields.u16()?);
            fields.skip(50)?;
            let avcc = child(fields.0, b"avcC", "avcC")?;
            let profile = avcc.get(1..4).ok_or(Mp4Error::Short)?;
            Ok((
                format!("avc1.{}", hex::encode(profile)),
                i32::from(width),
                i32::from(height),
            ))
        }
        b"mp4a" => {
            fields.skip(28)?;
            let mut esds = Fields(child(fields.0, b"esds", "esds")?);
            esds.skip(4)?;
            Ok((format!("mp4a.{}", audio_object(esds.0)?), 0, 0))
        }
        _ => Err(Mp4Error::Codec),
    }
}

/// `40.2` out of the chain of MPEG-4 descriptors.
fn audio_object(data: &[u8]) -> Result<String, Mp4Error> {
    let mut fields = Fields(data);
    fields.descriptor(3)?;
    fields.skip(2)?;
    if fields.u8()? != 0 {
        return Err(Mp4Error::Codec);
    }
    fields.descriptor(4)?;
    let object = fields.u8()?;
    fields.skip(12)?;
    fields.descriptor(5)?;
    let first = fields.u16()?;
    let kind = match first >> 11 {
        31 => 32 + ((first >> 5) & 0x3f),
        kind => kind,
    };
    Ok(format!("{object:x}.{kind}"))
}

/// The payload of the first box of a kind.
fn child<'a>(data: &'a [u8], kind: &[u8; 4], name: &'static str) -> Result<&'a [u8], Mp4Error> {
    for found in Boxes::new(data) {
        let found = found?;
        if found.kind == *kind {
            return Ok(found.payload);
        }
    }
    Err(Mp4Error::Missing(name))
}

struct Found<'a> {
    kind: [u8; 4],
    /// Where the box starts, header included.
    offset: usize,
    payload: &'a [u8],
}

/// The boxes that lie side by side in some data.
struct Boxes<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Boxes<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    fn read(&mut self) -> Result<Found<'a>, Mp4Error> {
        let rest = self.data.get(self.at..).ok_or(Mp4Error::Short)?;
        let mut fields = Fields(rest);
        let size = u64::from(fields.u32()?);
        let kind = fields.u32()?.to_be_bytes();
        let size = match size {
            0 => rest.len() as u64,
            1 => fields.u64()?,
            size => size,
        };
        let header = rest.len() - fields.0.len();
        let size = usize::try_from(size).map_err(|_| Mp4Error::Short)?;
        let payload = rest.get(header..size).ok_or(Mp4Error::Short)?;
        let offset = self.at;
        self.at += size;
        Ok(Found {
            kind,
            offset,
            payload,
        })
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Found<'a>, Mp4Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.data.len() {
            return None;
        }
        let found = self.read();
        if found.is_err() {
            self.at = self.data.len();
        }
        Some(found)
    }
}

/// Big-endian fields, read from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Mp4Error> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Mp4Error::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Mp4Error> {
        self.0 = self.0.get(bytes..).ok_or(Mp4Error::Short)?;
        Ok(())
    }

    fn u8(&mut self) -> Result<u8, Mp4Error> {
        Ok(self.take::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, Mp4Error> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Mp4Error> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Mp4Error> {
        self.take().map(u64::from_be_bytes)
    }

    /// The header of an MPEG-4 descriptor, whose length is spread over bytes of seven bits.
    fn descriptor(&mut self, tag: u8) -> Result<(), Mp4Error> {
        if self.u8()? != tag {
            return Err(Mp4Error::Codec);
        }
        for _ in 0..4 {
            if self.u8()? & 0x80 == 0 {
                return Ok(());
            }
        }
        Err(Mp4Error::Value("descriptor"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut data = u32::try_from(payload.len() + 8)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        data.extend_from_slice(kind);
        data.extend_from_slice(payload);
        data
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn init(entry: &[u8]) -> Vec<u8> {
        let mdhd = boxed(b"mdhd", &words(&[0, 0, 0, 30_000, 0, 0]));
        let mut stsd = words(&[0, 1]);
        stsd.extend_from_slice(entry);
        let stbl = boxed(b"stbl", &boxed(b"stsd", &stsd));
        let mdia = boxed(b"mdia", &[mdhd, boxed(b"minf", &stbl)].concat());
        let mvex = boxed(
            b"mvex",
            &boxed(b"trex", &words(&[0, 1, 1, 1001, 0, 0x0101_0000])),
        );
        let edts = boxed(b"edts", &boxed(b"elst", &words(&[0, 1, 0, 2002, 0x1_0000])));
        let trak = boxed(b"trak", &[edts, mdia].concat());
        let moov = boxed(b"moov", &[trak, mvex].concat());
        [boxed(b"ftyp", b"iso5"), moov].concat()
    }

    fn video_init() -> Vec<u8> {
        let mut entry = vec![0; 78];
        entry[24..28].copy_from_slice(&[2, 128, 1, 104]);
        entry.extend(boxed(b"avcC", &[1, 0x64, 0, 0x1f, 0xff]));
        init(&boxed(b"avc1", &entry))
    }

    fn segment() -> Vec<u8> {
        // Three samples with sizes and shifts; the first is a key frame by the run's first-sample flags.
        let tfhd = boxed(b"tfhd", &words(&[0x0002_0000, 1]));
        let tfdt = boxed(b"tfdt", &words(&[0x0100_0000, 0, 300_000]));
        let trun = boxed(
            b"trun",
            &words(&[0x0000_0a05, 3, 100, 0x0200_0000, 9, 2002, 5, 0, 5, 1001]),
        );
        let traf = boxed(b"traf", &[tfhd, tfdt, trun].concat());
        let styp = boxed(b"styp", b"msdh");
        [styp, boxed(b"moof", &traf), boxed(b"mdat", &[0; 19])].concat()
    }

    #[test]
    fn a_picture_is_read() {
        let init = Init::read(&video_init()).unwrap();
        assert_eq!(
            (
                init.codecs.as_str(),
                init.timescale,
                init.width,
                init.height
            ),
            ("avc1.64001f", 30_000, 640, 360)
        );
        let fragment = Fragment::read(&segment(), &init).unwrap();
        let expected = Fragment {
            start: 300_000,
            shown: 300_000,
            length: 3003,
            samples: 3,
            starts_with_key: true,
            keyframe_bytes: 12 + 100 + 9,
        };
        assert_eq!(fragment, expected);
    }

    #[test]
    fn sound_is_read() {
        let mut entry = vec![0; 28];
        let mut esds = words(&[0]);
        esds.extend([
            3, 0x80, 0x80, 0x80, 34, 0, 1, 0, 4, 20, 0x40, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            5, 2, 0x11, 0x90,
        ]);
        entry.extend(boxed(b"esds", &esds));
        assert_eq!(
            Init::read(&init(&boxed(b"mp4a", &entry))).unwrap().codecs,
            "mp4a.40.2"
        );
    }

    #[test]
    fn a_billion_samples_cost_nothing() {
        let init = Init::read(&video_init()).unwrap();
        let tfhd = boxed(b"tfhd", &words(&[0x0002_0000, 1]));
        let tfdt = boxed(b"tfdt", &words(&[0, 0]));
        let trun = boxed(b"trun", &words(&[0, u32::MAX]));
        let traf = boxed(b"traf", &[tfhd, tfdt, trun].concat());
        let data = [boxed(b"free", &[0; 64]), boxed(b"moof", &traf)].concat();
        assert_eq!(
            Fragment::read(&data, &init).unwrap().samples,
            i64::from(u32::MAX)
        );
    }

    proptest! {
        #[test]
        fn noise_never_panics(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            let init = Init::read(&video_init()).unwrap();
            let _ = (Init::read(&data), Fragment::read(&data, &init));
        }

        #[test]
        fn damage_never_panics(hits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), cut in any::<usize>()) {
            let init = Init::read(&video_init()).unwrap();
            for whole in [video_init(), segment()] {
                let mut data = whole;
                for (at, byte) in &hits {
                    let at = at % data.len();
                    data[at] = *byte;
                }
                data.truncate(cut % (data.len() + 1));
                let _ = (Init::read(&data), Fragment::read(&data, &init));
            }
        }

        #[test]
        fn what_is_cut_short_is_refused(cut in 0..1000usize) {
            let init = Init::read(&video_init()).unwrap();
            let whole = segment();
            // The box of data itself may be short of its end, not of its first sample.
            let cut = cut % (whole.len() - 19);
            prop_assert!(Fragment::read(&whole[..cut], &init).is_err());
        }
    }
}
