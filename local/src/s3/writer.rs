//! Bytes in: a stream into a temporary file, hashed on the way, in constant memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use futures::StreamExt;
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::dto::StreamingBlob;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use super::checksum::Expected;
use super::error::{Step, StoreError};

/// Bytes gathered before they are hashed and written in one go, off the async threads.
const GATHER: usize = 512 * 1024;

/// A body that has arrived whole in a temporary file. Dropped, it is removed.
pub(super) struct Staged {
    pub temp: NamedTempFile,
    pub size: u64,
    pub md5: [u8; 16],
}

struct Sink {
    temp: NamedTempFile,
    md5: Md5,
    sums: ChecksumHasher,
    size: u64,
}

/// Reads `body` to its end into a file in `folder` and checks it against `expected`.
pub(super) async fn stage(
    folder: &Path,
    body: Option<StreamingBlob>,
    expected: Expected,
) -> Result<Staged, StoreError> {
    let temp = NamedTempFile::new_in(folder).step("create a temporary file")?;
    let mut sink = Sink {
        temp,
        md5: Md5::new(),
        sums: expected.hasher(),
        size: 0,
    };
    if let Some(mut body) = body {
        let (mut gathered, mut length) = (Vec::new(), 0);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| StoreError::IncompleteBody(Some(error)))?;
            length += chunk.len();
            gathered.push(chunk);
            if length >= GATHER {
                sink = sink.take(std::mem::take(&mut gathered)).await?;
                length = 0;
            }
        }
        sink = sink.take(gathered).await?;
    }
    let md5: [u8; 16] = sink.md5.finalize().into();
    expected.verify(sink.size, &BASE64.encode(md5), &sink.sums.finalize())?;
    Ok(Staged {
        temp: sink.temp,
        size: sink.size,
        md5,
    })
}

impl Sink {
    async fn take(mut self, chunks: Vec<Bytes>) -> Result<Self, StoreError> {
        let written = spawn_blocking(move || {
            for chunk in &chunks {
                self.md5.update(chunk);
                self.sums.update(chunk);
                self.temp.as_file_mut().write_all(chunk)?;
                self.size += chunk.len() as u64;
            }
            Ok(self)
        });
        written
            .await
            .map_err(io::Error::other)
            .flatten()
            .step("write an object")
    }
}

impl Staged {
    /// The ETag that S3 gives to a body sent in one piece.
    pub(super) fn etag(&self) -> String {
        hex::encode(self.md5)
    }

    /// The file, for the trailer.
    pub(super) fn file(&mut self) -> &mut File {
        self.temp.as_file_mut()
    }
}
