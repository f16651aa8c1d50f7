//! HLS playlists (RFC 8216, version 7), rendered from segment rows. ffmpeg's own are not used: its master lacks
//! AVERAGE-BANDWIDTH and FRAME-RATE, and its BANDWIDTH is not measured.

/// Key frames by byte range, for scrubbing.
mod iframes;
/// The list of renditions.
mod master;
/// Measured bandwidths.
mod measure;
/// The rules of the authoring specification, as checks over what is served.
pub mod rules;
/// The list of segments of a rendition.
mod segments;

pub use iframes::iframes;
pub use master::{AudioEntry, IFrameEntry, VideoEntry, master};
pub use measure::{Bandwidth, measure, measure_iframes};
pub use segments::media;

use super::ladder::Rendition;

/// Makes the addresses that playlists contain. They may be relative to the playlist.
pub trait Uris {
    /// The media playlist of a rendition, from the master.
    fn media(&self, rendition: Rendition) -> String;
    /// The I-frame playlist of a rendition, from the master.
    fn iframes(&self, rendition: Rendition) -> String;
    /// An init segment, from a media playlist.
    fn init(&self, rendition: Rendition, init_key: &str) -> String;
    /// A segment, from a media playlist.
    fn segment(&self, rendition: Rendition, segment: &Segment) -> String;
}

/// A segment as its row knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Counts from 0 over the whole rendition.
    pub n: i32,
    /// Where it lies in the store.
    pub key: String,
    /// Length in units of `1/timescale` seconds.
    pub length: i64,
    /// Units a second; positive.
    pub timescale: i32,
    /// Its size.
    pub bytes: i32,
    /// Names the init segment it was made with. Equal bytes must have equal keys: another key is a discontinuity.
    pub init_key: String,
    /// From its first byte through its first key frame.
    pub keyframe_bytes: Option<i32>,
}

impl Segment {
    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.length as f64 / f64::from(self.timescale.max(1))
    }
}

/// Which of the two lives of a playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// While the video is being made: a prefix that grows, and that ends with `complete`.
    Event {
        /// Nothing will follow.
        complete: bool,
    },
    /// All there is.
    Vod,
}

#[cfg(test)]
pub(crate) mod fixtures {
    use super::{Rendition, Segment, Uris};

    pub(crate) struct Plain;

    impl Uris for Plain {
        fn media(&self, rendition: Rendition) -> String {
            format!("{rendition}.m3u8")
        }
        fn iframes(&self, rendition: Rendition) -> String {
            format!("{rendition}-iframes.m3u8")
        }
        fn init(&self, rendition: Rendition, init_key: &str) -> String {
            format!("../s/{rendition}/init.mp4?k={init_key}")
        }
        fn segment(&self, rendition: Rendition, segment: &Segment) -> String {
            format!("../s/{rendition}/{}.m4s", segment.n)
        }
    }

    /// Segments of 4.004 s, the last of 1.001 s, the third with another init segment.
    pub(crate) fn segments() -> Vec<Segment> {
        let segment = |n: i32| Segment {
            n,
            key: format!("seg_{n}.m4s"),
            length: if n == 3 { 30_030 } else { 120_120 },
            timescale: 30_000,
            bytes: 100_000 + n * 50_000,
            init_key: if n < 2 { "a".into() } else { "b".into() },
            keyframe_bytes: Some(20_000 + n),
        };
        (0..4).map(segment).collect()
    }
}
