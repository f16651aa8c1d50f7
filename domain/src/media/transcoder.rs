//! The gateway to whatever encodes on a worker's own machine. MediaConvert, which takes a whole file and works elsewhere for
//! as long as it likes, is no such thing: see [`crate::mediaconvert`].

use std::path::Path;

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    AudioSpec, ChunkSpec, ClosedSegment, CopiedFile, CopySpec, MediaError, Poster, PosterSpec,
    Probe, ProgressFn, Scan, Storyboard, StoryboardSpec,
};

/// Probes and encodes local files. Every call stops within 2 s of `cancel` and leaves no process behind.
pub trait Transcoder: Send + Sync + 'static {
    /// Says in one line what is missing, if anything is. Asked once, when a worker starts.
    fn check(&self) -> BoxFuture<'_, Result<(), MediaError>>;

    /// What is in the file.
    fn probe<'a>(
        &'a self,
        source: &'a Path,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Probe, MediaError>>;

    /// Encodes a slice into every rung. Closed segments are announced in order per rendition while it runs, all of
    /// them before it returns. Files live as long as the [`ClosedSegment`]s; delete each when it is stored.
    fn encode_chunk<'a>(
        &'a self,
        spec: &'a ChunkSpec,
        closed: mpsc::Sender<ClosedSegment>,
        progress: ProgressFn<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), MediaError>>;

    /// Encodes the sound, as [`Transcoder::encode_chunk`] does the picture.
    fn encode_audio<'a>(
        &'a self,
        spec: &'a AudioSpec,
        closed: mpsc::Sender<ClosedSegment>,
        progress: ProgressFn<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), MediaError>>;

    /// Reads all packets of the picture, and decodes none.
    fn scan<'a>(
        &'a self,
        source: &'a Path,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Scan, MediaError>>;

    /// Copies picture and sound into an MP4 file whose index comes first.
    fn copy_file<'a>(
        &'a self,
        spec: &'a CopySpec,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<CopiedFile, MediaError>>;

    /// Copies the picture into segments ([`Scan::cuts`]), announced as [`Transcoder::encode_chunk`] does.
    fn copy_segments<'a>(
        &'a self,
        spec: &'a CopySpec,
        closed: mpsc::Sender<ClosedSegment>,
        progress: ProgressFn<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), MediaError>>;

    /// A telling frame as JPEG.
    fn poster<'a>(
        &'a self,
        spec: &'a PosterSpec,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Poster, MediaError>>;

    /// Small pictures of the whole video, and a few to choose a poster from.
    fn storyboard<'a>(
        &'a self,
        spec: &'a StoryboardSpec,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Storyboard, MediaError>>;

    /// A JPEG, PNG or WebP picture of somebody's, made anew as a JPEG no larger than a poster.
    fn picture<'a>(
        &'a self,
        source: &'a Path,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Poster, MediaError>>;
}
