//! Filters that bring any picture onto the grid: deinterlaced, at a constant rate, exactly as many frames as asked,
//! square pixels, 8-bit 4:2:0, standard range.

use crate::media::{grid::Grid, ladder::Rung, probe::VideoTrack};

/// What follows when light is linear: BT.2020 to BT.709.
const TONE_MAP: &str = "t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,\
    tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv";
/// Says what the picture is now. Players guess it from the size otherwise, and so each quality would have its own colours.
const SAY_BT709: &str = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";
/// From this length of the longer side on, a picture that does not state its matrix is taken for BT.709.
const HD: i32 = 1280;

/// Seconds of lead-in where the container has no index: it is searched by time stamp, lands between key frames, and
/// shows nothing before the next one. Encoders put one at least every 250 frames; more than 20 s apart is no sane video.
const NO_INDEX: f64 = 21.0;
/// Seconds of lead-in near the end of the picture, whose stated end may not be its real one.
const NEAR_END: f64 = 5.0;

/// Where in the source to begin, and which frames of it are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// The frame of the grid that the source is read from.
    from: i64,
    /// How many frames are dropped before the first one wanted.
    pub(super) lead_in: i64,
    /// How many are wanted.
    pub(super) frames: i64,
}

impl Slice {
    /// `frames` frames from `first` on, read early enough for `video` in a container of `format` to have a picture ready.
    ///
    /// Where the picture has ended, its last frame is what stands: reading begins before it, wherever the slice is.
    pub(super) fn new(
        grid: &Grid,
        video: &VideoTrack,
        format: &str,
        first: i64,
        frames: i64,
    ) -> Self {
        let in_frames = |seconds: f64| (seconds * grid.fps.as_f64()).ceil() as i64;
        let end = in_frames(video.end).max(1);
        let begin = first.min(end - 1);
        let indexed = format.contains("mp4") || format.contains("matroska");
        let mut lead_in = if indexed { 0 } else { in_frames(NO_INDEX) };
        if first >= end - in_frames(NEAR_END) {
            lead_in = lead_in.max(in_frames(NEAR_END));
        }
        // After a seek in a program stream, time stamps are off by half a frame: read it from its beginning.
        if format == "mpeg" {
            lead_in = begin;
        }
        let lead_in = lead_in.min(begin);
        Self {
            from: begin - lead_in,
            lead_in,
            frames,
        }
    }

    /// `-ss` for the input; `None` at the very start.
    ///
    /// The seek is left inaccurate: frames from the key frame on come through with negative times, and `fps` picks the
    /// one that stands at the boundary. An accurate seek drops it, and a slide that stands for ten seconds is lost.
    pub(super) fn seek(&self, grid: &Grid) -> Option<String> {
        (self.from > 0).then(|| decimal(grid.micros(self.from)))
    }
}

/// Microseconds as seconds with six decimals, exactly.
pub(super) fn decimal(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// The graph from `0:V:0` to one labelled output per rung (`[r0]`, `[r1]`, ...).
pub(super) fn graph(
    video: &VideoTrack,
    grid: &Grid,
    slice: &Slice,
    ladder: &[Rung],
    tone_map: bool,
) -> String {
    let mut chain: Vec<String> = Vec::new();
    if video.interlaced {
        chain.push("bwdif=mode=send_frame".to_owned());
    }
    let (num, den) = (grid.fps.num, grid.fps.den);
    chain.push(format!("fps=fps={num}/{den}:start_time=0"));
    // A source that ends early stands still: the grid is promised, and other renditions rely on it.
    chain.push("tpad=stop=-1:stop_mode=clone".to_owned());
    let (start, end) = (slice.lead_in, slice.lead_in + slice.frames);
    chain.push(format!("trim=start_frame={start}:end_frame={end}"));
    if start > 0 {
        chain.push(format!("setpts=PTS-{start}"));
    }
    let Some(top) = ladder.first() else {
        return String::new();
    };
    let (width, height) = (top.width, top.height);
    if video.hdr && tone_map {
        chain.push(scale(top));
        chain.push(to_linear(video));
    } else {
        chain.push(recoded(video, width, height, "bt709:out_range=tv"));
    }
    chain.push(format!("format=yuv420p,{SAY_BT709}"));

    let mut graph = format!("[0:V:0]{}", chain.join(","));
    if ladder.len() == 1 {
        graph.push_str("[r0]");
        return graph;
    }
    // Lower rungs come from the top one: scaling 4K five times costs more than encoding it.
    graph.push_str(&format!(",split={}[r0]", ladder.len()));
    graph.extend((1..ladder.len()).map(|i| format!("[s{i}]")));
    for (i, rung) in ladder.iter().enumerate().skip(1) {
        graph.push_str(&format!(";[s{i}]{}[r{i}]", scale(rung)));
    }
    graph
}

/// The chain for one still picture at most `width` wide.
pub(super) fn still(video: &VideoTrack, width: i32, tone_map: bool) -> String {
    let (shown_width, shown_height) = (
        i64::from(video.width.max(1)),
        i64::from(video.height.max(1)),
    );
    let width = i64::from(width).min(shown_width).max(2) & !1;
    let height = (width * shown_height / shown_width).max(2) & !1;
    let mut chain = Vec::new();
    if video.interlaced {
        chain.push("bwdif=mode=send_frame".to_owned());
    }
    let (width, height) = (
        i32::try_from(width).unwrap_or(i32::MAX),
        i32::try_from(height).unwrap_or(i32::MAX),
    );
    if video.hdr && tone_map {
        chain.push(format!("scale={width}:{height}:flags=bicubic,setsar=1"));
        chain.push(to_linear(video));
        chain.push("scale=out_color_matrix=bt601:out_range=pc".to_owned());
    } else {
        chain.push(recoded(video, width, height, "bt601:out_range=pc"));
    }
    chain.join(",")
}

/// Begins the tone mapping. Primaries, matrix and transfer are stated, because frames often leave them out.
fn to_linear(video: &VideoTrack) -> String {
    let transfer = if video.transfer.is_empty() {
        "smpte2084"
    } else {
        &video.transfer
    };
    format!("zscale=pin=bt2020:min=bt2020nc:tin={transfer}:{TONE_MAP}")
}

/// Scales, and codes the colours anew in the same pass.
fn recoded(video: &VideoTrack, width: i32, height: i32, to: &str) -> String {
    let from = match video.matrix.as_str() {
        "" if video.width.max(video.height) >= HD => "bt709",
        "" => "bt601",
        _ => "auto",
    };
    format!(
        "scale={width}:{height}:flags=bicubic:in_color_matrix={from}:out_color_matrix={to},setsar=1"
    )
}

fn scale(rung: &Rung) -> String {
    format!(
        "scale={}:{}:flags=bicubic,setsar=1",
        rung.width, rung.height
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Fps, ladder};

    fn video() -> VideoTrack {
        VideoTrack {
            codec: "h264".into(),
            profile: None,
            width: 640,
            height: 360,
            rotation: 0,
            anamorphic: false,
            fps: 29.97,
            vfr: false,
            interlaced: true,
            hdr: true,
            pix_fmt: "yuv420p10le".into(),
            matrix: "bt2020nc".into(),
            transfer: "arib-std-b67".into(),
            bit_rate: None,
            end: 60.0,
        }
    }

    #[test]
    fn the_graph_of_a_later_slice() {
        let grid = Grid::new(Fps::new(30_000, 1001), 60.0);
        let slice = Slice::new(&grid, &video(), "mpegts", 720, 720);
        assert_eq!(slice.seek(&grid).as_deref(), Some("3.003000"));
        insta::assert_snapshot!(graph(&video(), &grid, &slice, &ladder(640, 360), true), @"[0:V:0]bwdif=mode=send_frame,fps=fps=30000/1001:start_time=0,tpad=stop=-1:stop_mode=clone,trim=start_frame=630:end_frame=1350,setpts=PTS-630,scale=640:360:flags=bicubic,setsar=1,zscale=pin=bt2020:min=bt2020nc:tin=arib-std-b67:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p,setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709,split=2[r0][s1];[s1]scale=426:240:flags=bicubic,setsar=1[r1]");
    }

    #[test]
    fn every_picture_is_coded_as_bt709() {
        let scaled = |matrix: &str, width| {
            let video = VideoTrack {
                matrix: matrix.into(),
                width,
                ..video()
            };
            recoded(&video, 640, 360, "bt709")
        };
        assert!(scaled("bt470bg", 1920).contains("in_color_matrix=auto:out_color_matrix=bt709"));
        assert!(scaled("", 1920).contains("in_color_matrix=bt709:"));
        assert!(scaled("", 720).contains("in_color_matrix=bt601:"));
    }

    #[test]
    fn a_slice_is_read_from_where_a_picture_is_ready() {
        let grid = Grid::new(Fps::new(25, 1), 600.0);
        let from = |format: &str, first| {
            let slice = Slice::new(&grid, &video(), format, first, 200);
            (slice.from, slice.lead_in)
        };
        assert_eq!(from("mpegts", 0), (0, 0));
        assert_eq!(from("mov,mp4", 200), (200, 0));
        assert_eq!(from("mpegts", 600), (75, 525));
        assert_eq!(from("mpeg", 600), (0, 600));
        // The picture has 1500 frames; sound goes on.
        assert_eq!(from("mov,mp4", 1400), (1275, 125));
        assert_eq!(from("mov,mp4", 1499), (1374, 125));
        assert_eq!(from("mov,mp4", 9000), (1374, 125));
        let slice = Slice::new(&grid, &video(), "mpegts", 0, 200);
        assert_eq!(slice.seek(&grid), None);
    }
}
