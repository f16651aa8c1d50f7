//! Encoding: what to encode (specs), how ffmpeg is told (arguments), and the segments that come out.

/// The audio rendition.
mod audio;
/// A slice of the picture into every rung.
mod chunk;
/// Copies of a source that need no encoding.
mod copy;
/// Filters that bring any picture onto the grid.
mod filters;
/// A picture that somebody uploaded.
mod picture;
/// The poster.
mod poster;
/// Segments, announced as they close.
mod segments;
/// Small pictures of a whole video.
mod storyboard;
/// What stands for sound without a picture.
mod waveform;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    ffmpeg::WorkDir,
    grid::Grid,
    ladder::{Rendition, Rung},
    plan::ChunkPlan,
    probe::Probe,
};

pub(crate) use audio::encode_audio;
pub(crate) use chunk::encode_chunk;
pub(crate) use copy::{copy_file, copy_segments, scan};
pub(crate) use picture::picture;
pub(crate) use poster::poster;
pub use storyboard::Layout;
pub(crate) use storyboard::storyboard;

/// A slice of a source to encode into every rung.
#[derive(Debug, Clone)]
pub struct ChunkSpec {
    /// The local file. It must be readable by the media user.
    pub source: PathBuf,
    /// What the file is.
    pub probe: Probe,
    /// The clock.
    pub grid: Grid,
    /// The qualities to make.
    pub ladder: Vec<Rung>,
    /// The slice.
    pub chunk: ChunkPlan,
    /// The first segment to make, counted over the whole rendition: `chunk.first_segment`, or later to resume.
    pub from_segment: i32,
}

/// The sound of a source.
#[derive(Debug, Clone)]
pub struct AudioSpec {
    /// The local file. It must be readable by the media user.
    pub source: PathBuf,
    /// Which of its sounds; see [`crate::media::AudioTrack::index`].
    pub track: i32,
    /// The clock.
    pub grid: Grid,
    /// The first segment to announce: 0, or later to resume.
    pub from_segment: i32,
}

/// A picture to find in a source, or to draw of its sound.
#[derive(Debug, Clone)]
pub struct PosterSpec {
    /// The local file. It must be readable by the media user.
    pub source: PathBuf,
    /// What the file is. Without a picture, its cover art serves, or else its waveform.
    pub probe: Probe,
}

/// A source to copy as it is; see [`crate::media::Fast`] for which can be.
#[derive(Debug, Clone)]
pub struct CopySpec {
    /// The local file. It must be readable by the media user.
    pub source: PathBuf,
    /// What the file is.
    pub probe: Probe,
    /// The clock, whose segments those of the copy come near.
    pub grid: Grid,
    /// The first segment to announce: 0, or later to resume.
    pub from_segment: i32,
}

/// A copy on disk; its private directory is removed when it is dropped.
#[derive(Debug)]
pub struct CopiedFile {
    /// The MP4.
    path: PathBuf,
    _dir: WorkDir,
}

impl CopiedFile {
    /// The MP4 file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A segment that is complete on disk. Its private directory is removed when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct ClosedSegment {
    /// Which rendition.
    pub rendition: Rendition,
    /// Counts from 0 over the whole rendition.
    pub n: i32,
    /// The segment. Delete it once it is stored: that bounds the disk.
    pub path: PathBuf,
    /// The init segment, the same file for all segments of a rendition.
    pub init: PathBuf,
    pub(crate) _dir: Arc<WorkDir>,
}

/// A poster on disk; its private directory is removed when it is dropped.
#[derive(Debug)]
pub struct Poster {
    /// The JPEG.
    path: PathBuf,
    _dir: WorkDir,
}

impl Poster {
    /// The JPEG file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Small pictures of a whole video, and larger ones to choose a poster from.
#[derive(Debug, Clone)]
pub struct StoryboardSpec {
    /// The local file. It must be readable by the media user.
    pub source: PathBuf,
    /// What the file is; there must be a picture in it.
    pub probe: Probe,
}

/// A storyboard on disk; its private directory is removed when it is dropped.
#[derive(Debug)]
pub struct Storyboard {
    /// How its sheets are laid out.
    pub layout: Layout,
    /// JPEG files in order, each with [`Layout::across`] times [`Layout::down`] shots.
    pub sheets: Vec<PathBuf>,
    /// JPEG files as large as a poster, from the beginning, the middle and the end.
    pub candidates: Vec<PathBuf>,
    _dir: WorkDir,
}

/// How far an encode is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// The grid frame that is reached, counted over the whole video. Never decreases within a call.
    pub frame: i64,
    /// Seconds of media per second of work.
    pub speed: Option<f64>,
}

/// Told about progress up to four times a second.
pub type ProgressFn<'a> = &'a (dyn Fn(Progress) + Send + Sync);
