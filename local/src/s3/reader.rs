//! Bytes out: a range of an object, from its own file or from the parts of its upload, in constant memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use futures::stream;
use s3s::dto::StreamingBlob;
use tokio::task::spawn_blocking;

/// Bytes read at once, off the async threads.
const CHUNK: u64 = 256 * 1024;

/// A piece of a file still to be sent.
pub(super) struct Piece {
    pub source: Source,
    /// Bytes of that file.
    pub range: Range<u64>,
}

/// Where a piece is read from.
pub(super) enum Source {
    File(File),
    /// Opened when its turn comes: an object of 10 GiB has hundreds of parts, more than a process may have open.
    Path(PathBuf),
}

/// Streams the pieces one after another.
pub(super) fn stream(pieces: VecDeque<Piece>) -> StreamingBlob {
    StreamingBlob::wrap(stream::try_unfold(pieces, |pieces| async {
        spawn_blocking(move || next(pieces))
            .await
            .map_err(io::Error::other)?
    }))
}

/// Reads the next chunk; answers it with what remains.
fn next(mut pieces: VecDeque<Piece>) -> io::Result<Option<(Bytes, VecDeque<Piece>)>> {
    while let Some(piece) = pieces.front_mut() {
        if piece.range.is_empty() {
            pieces.pop_front();
            continue;
        }
        if let Source::Path(path) = &piece.source {
            piece.source = Source::File(File::open(path)?);
        }
        let Source::File(file) = &piece.source else {
            continue;
        };
        let length = CHUNK.min(piece.range.end - piece.range.start);
        let mut chunk = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut chunk, piece.range.start)?;
        piece.range.start += length;
        return Ok(Some((chunk.into(), pieces)));
    }
    Ok(None)
}
