//! Objects into local files, going on where an earlier try stopped.

use std::path::Path;

use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt as _,
};

use super::{Storage, StorageError, classify};

impl Storage {
    /// Copies an object into a local file and returns its size. What the file holds already is taken for the object's
    /// beginning, which is safe because `etag` pins it: another object under the key is refused. A file that is left
    /// behind by an error is incomplete; write to a name of its own, call again to go on, and rename.
    ///
    /// # Errors
    /// [`StorageError::Changed`] when the ETag or the length differs; [`StorageError::File`] when the disk refuses.
    pub async fn download(&self, key: &str, etag: &str, path: &Path) -> Result<u64, StorageError> {
        let file_error = |e| StorageError::File(path.display().to_string(), e);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .await
            .map_err(file_error)?;
        let have = file.metadata().await.map_err(file_error)?.len();
        let whole = match self.append(key, etag, path, &mut file, have).await {
            // As much as there is, or more than there is: only the whole can tell.
            Err(StorageError::Refused { code, .. }) if have > 0 && is_out_of_range(&code) => {
                file.set_len(0).await.map_err(file_error)?;
                self.append(key, etag, path, &mut file, 0).await?
            }
            other => other?,
        };
        let bytes = file.metadata().await.map_err(file_error)?.len();
        if bytes == whole {
            return Ok(bytes);
        }
        if bytes > whole {
            // Not the beginning of this object after all.
            file.set_len(0).await.map_err(file_error)?;
        }
        Err(StorageError::Unavailable {
            key: key.to_owned(),
            source: format!("{bytes} bytes of {whole} arrived").into(),
        })
    }

    /// Appends what comes after the first `have` bytes; returns how many the object has in all.
    async fn append(
        &self,
        key: &str,
        etag: &str,
        path: &Path,
        file: &mut File,
        have: u64,
    ) -> Result<u64, StorageError> {
        let object = self
            .client
            .get_object()
            .bucket(&*self.bucket)
            .key(key)
            .if_match(etag)
            .set_range((have > 0).then(|| format!("bytes={have}-")))
            .send()
            .await
            .map_err(|e| classify(key, e))?;
        let length = object.content_length.unwrap_or_default().unsigned_abs();
        let file_error = |e| StorageError::File(path.display().to_string(), e);
        let whole = if object.content_range.is_some() {
            have + length
        } else {
            // The store knows no ranges and sends everything.
            file.set_len(0).await.map_err(file_error)?;
            length
        };
        let mut body = object.body;
        while let Some(chunk) = body.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    // What has arrived counts.
                    file.flush().await.map_err(file_error)?;
                    return Err(StorageError::Unavailable {
                        key: key.to_owned(),
                        source: Box::new(error),
                    });
                }
            };
            file.write_all(&chunk).await.map_err(file_error)?;
        }
        file.flush().await.map_err(file_error)?;
        Ok(whole)
    }
}

fn is_out_of_range(code: &str) -> bool {
    matches!(code, "InvalidRange" | "status 416")
}
