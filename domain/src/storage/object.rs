//! Whole objects.

use std::path::Path;

use super::{Storage, StorageError, classify};
use aws_sdk_s3::primitives::ByteStream;

/// What HEAD says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    pub size: u64,
    /// As the store writes it, quotes included.
    pub etag: String,
    pub content_type: Option<String>,
}

impl Storage {
    /// Size and ETag of an object, or `None` if there is none.
    ///
    /// # Errors
    /// [`StorageError`] when the store does not answer.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectHead>, StorageError> {
        let head = self
            .client
            .head_object()
            .bucket(&*self.bucket)
            .key(key)
            .send()
            .await;
        match head.map_err(|e| classify(key, e)) {
            Ok(head) => Ok(Some(ObjectHead {
                size: head.content_length.unwrap_or_default().unsigned_abs(),
                etag: head.e_tag.unwrap_or_default(),
                content_type: head.content_type,
            })),
            Err(StorageError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bytes of an object of at most `most` bytes.
    ///
    /// # Errors
    /// [`StorageError::Refused`] when it is larger.
    pub async fn get(&self, key: &str, most: u64) -> Result<Vec<u8>, StorageError> {
        let object = self
            .client
            .get_object()
            .bucket(&*self.bucket)
            .key(key)
            .send()
            .await
            .map_err(|e| classify(key, e))?;
        // A store that says no length is not believed to have none.
        let size = object.content_length.map_or(u64::MAX, i64::unsigned_abs);
        if size > most {
            return Err(StorageError::Refused {
                key: key.to_owned(),
                code: format!("{size} bytes are more than {most}"),
            });
        }
        let body = object.body.collect().await;
        let bytes = body.map_err(|source| StorageError::Unavailable {
            key: key.to_owned(),
            source: Box::new(source),
        })?;
        Ok(bytes.to_vec())
    }

    /// The first `most` bytes of an object, or all of it if it has fewer, and how many it has in all.
    ///
    /// # Errors
    /// [`StorageError`]
    pub async fn get_beginning(
        &self,
        key: &str,
        most: u64,
    ) -> Result<(Vec<u8>, u64), StorageError> {
        let object = self
            .client
            .get_object()
            .bucket(&*self.bucket)
            .key(key)
            .range(format!("bytes=0-{}", most.saturating_sub(1)))
            .send()
            .await
            .map_err(|e| classify(key, e))?;
        // `bytes 0-99/1234`
        let range = object.content_range.as_deref();
        let total = range.and_then(|range| range.rsplit_once('/')?.1.parse().ok());
        let body = object.body.collect().await;
        let bytes = body.map_err(|source| StorageError::Unavailable {
            key: key.to_owned(),
            source: Box::new(source),
        })?;
        let bytes = bytes.to_vec();
        let total = total.unwrap_or(bytes.len() as u64);
        Ok((bytes, total))
    }

    /// Stores a local file. Keys are unique to an attempt, so the object never changes: caches may keep it.
    ///
    /// # Errors
    /// [`StorageError`]
    pub async fn put_file(
        &self,
        key: &str,
        path: &Path,
        content_type: &str,
    ) -> Result<u64, StorageError> {
        let bytes = tokio::fs::read(path)
            .await
            .map_err(|e| StorageError::File(path.display().to_string(), e))?;
        let size = bytes.len() as u64;
        self.put(key, bytes, content_type).await.map(|()| size)
    }

    /// Stores `bytes`.
    ///
    /// # Errors
    /// [`StorageError`]
    pub async fn put(
        &self,
        key: &str,
        bytes: Vec<u8>,
        content_type: &str,
    ) -> Result<(), StorageError> {
        self.client
            .put_object()
            .bucket(&*self.bucket)
            .key(key)
            .content_type(content_type)
            .cache_control("public, max-age=31536000, immutable")
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map(drop)
            .map_err(|e| classify(key, e))
    }

    /// Up to 1,000 keys below `prefix`.
    ///
    /// # Errors
    /// [`StorageError`]
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&*self.bucket)
            .prefix(prefix)
            .send()
            .await
            .map_err(|e| classify(prefix, e))?;
        Ok(page
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|o| o.key)
            .collect())
    }

    /// Deletes everything below `prefix` and returns how many objects went. Safe to repeat.
    ///
    /// # Errors
    /// [`StorageError`]; what was deleted by then stays deleted.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<usize, StorageError> {
        let mut gone = 0;
        loop {
            let keys = self.list(prefix).await?;
            if keys.is_empty() {
                return Ok(gone);
            }
            self.delete_keys(&keys).await?;
            gone += keys.len();
        }
    }
}
