//! Media: what a file is, how it is cut and encoded, and the playlists that play it. Pure logic and processes; no SQL, no S3.
//!
//! The walk: [`Transcoder::probe`] says what the file is, [`Plan::new`] lays a constant-frame-rate grid over it and cuts
//! it into chunks, [`Transcoder::encode_chunk`] and [`Transcoder::encode_audio`] announce closed segments as they appear,
//! [`mp4`] reads back what was made, and [`playlist`] lists it.

/// Encoding: chunks, audio, posters.
mod encode;
/// What can go wrong with media, classified by who can mend it.
mod error;
/// ffmpeg as a guarded, unprivileged, killable process.
mod ffmpeg;
/// The constant-frame-rate grid.
mod grid;
/// The qualities that are made.
mod ladder;
/// A reader for the fragmented MP4 that we make.
pub mod mp4;
/// How a source is cut into work.
mod plan;
/// HLS playlists.
pub mod playlist;
/// What is in a file.
mod probe;
/// The packets of a picture, summed up.
mod scan;
/// Whether a source can be copied instead of encoded.
mod standard;
/// The gateway to whatever encodes.
mod transcoder;

pub use encode::{
    AudioSpec, ChunkSpec, ClosedSegment, CopiedFile, CopySpec, Layout, Poster, PosterSpec,
    Progress, ProgressFn, Storyboard, StoryboardSpec,
};
pub use error::{Class, MediaError};
pub use ffmpeg::{FfmpegOptions, FfmpegTranscoder, LimitOptions, MediaUser, Protection};
pub use grid::{Fps, Grid, TIMESTAMP_BASE_SECONDS};
pub use ladder::{AUDIO_BITRATE, Rendition, Rung, ladder};
pub use plan::{ChunkPlan, Plan, chunks};
pub use probe::{AudioTrack, Probe, VideoTrack};
pub use scan::{Cut, Scan};
pub use standard::{Fast, FastPath, Obstacle};
pub use transcoder::Transcoder;
