//! Filters that bring any picture onto the grid: deinterlaced, at a constant rate, exactly as many frames as asked,
//! square pixels, 8-bit 4:2:0, standard range.

use crate::media::{grid::Grid, ladder::Rung, probe::VideoTrack};

/// HLG or PQ to BT.709. Primaries and matrix are stated, because files often leave them out.
const TONE_MAP: &str = "zscale=pin=bt2020:min=bt2020nc:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,\
    tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv";

/// Where in the source to begin, and which frames of it are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    /// The first frame wanted, on the grid.
    pub(super) first: i64,
    /// How many.
    pub(super) frames: i64,
    /// How many frames earlier the source is read.
    pub(super) lead_in: i64,
}

impl Slice {
    /// The slice, read early enough for `format` to have a picture ready at its first frame.
    ///
    /// Containers without an index are searched by time stamp and land late as often as early, which a lead-in of five
    /// seconds absorbs.
    pub(super) fn new(grid: &Grid, format: &str, first: i64, frames: i64) -> Self {
        let indexed = format.contains("mp4") || format.contains("matroska");
        let margin = if indexed { 0.0 } else { 5.0 };
        let lead_in = ((margin * grid.fps.as_f64()).ceil() as i64).min(first);
        Self {
            first,
            frames,
            lead_in,
        }
    }

    /// `-ss` for the input; `None` at the very start.
    ///
    /// The seek is left inaccurate: frames from the key frame on come through with negative times, and `fps` picks the
    /// one that stands at the boundary. An accurate seek drops it, and a slide that stands for ten seconds is lost.
    pub(super) fn seek(&self, grid: &Grid) -> Option<String> {
        let frame = self.first - self.lead_in;
        (frame > 0).then(|| decimal(grid.micros(frame)))
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
    let start = decimal(grid.micros(slice.lead_in));
    chain.push(format!("fps=fps={num}/{den}:start_time={start}"));
    if slice.lead_in > 0 {
        chain.push(format!("setpts=PTS-{}", slice.lead_in));
    }
    // A source that ends early stands still: the grid is promised, and other renditions rely on it.
    chain.push("tpad=stop=-1:stop_mode=clone".to_owned());
    chain.push(format!("trim=end_frame={}", slice.frames));
    let Some(top) = ladder.first() else {
        return String::new();
    };
    chain.push(scale(top));
    if video.hdr && tone_map {
        chain.push(TONE_MAP.to_owned());
    }
    chain.push("format=yuv420p".to_owned());

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
    chain.push(format!("scale={width}:{height}:flags=bicubic,setsar=1"));
    if video.hdr && tone_map {
        chain.push(TONE_MAP.to_owned());
    }
    chain.join(",")
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
            bit_rate: None,
            end: 60.0,
        }
    }

    #[test]
    fn the_graph_of_a_later_slice() {
        let grid = Grid::new(Fps::new(30_000, 1001), 60.0);
        let slice = Slice::new(&grid, "mpegts", 240, 720);
        assert_eq!(slice.lead_in, 150);
        assert_eq!(slice.seek(&grid).as_deref(), Some("3.003000"));
        insta::assert_snapshot!(graph(&video(), &grid, &slice, &ladder(640, 360), true), @"[0:V:0]bwdif=mode=send_frame,fps=fps=30000/1001:start_time=5.005000,setpts=PTS-150,tpad=stop=-1:stop_mode=clone,trim=end_frame=720,scale=640:360:flags=bicubic,setsar=1,zscale=pin=bt2020:min=bt2020nc:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p,split=2[r0][s1];[s1]scale=426:240:flags=bicubic,setsar=1[r1]");
    }

    #[test]
    fn the_first_slice_is_not_sought() {
        let grid = Grid::new(Fps::new(25, 1), 60.0);
        assert_eq!(Slice::new(&grid, "mpegts", 0, 200).seek(&grid), None);
        assert_eq!(
            Slice::new(&grid, "mov,mp4", 200, 200)
                .seek(&grid)
                .as_deref(),
            Some("8.000000")
        );
    }
}
