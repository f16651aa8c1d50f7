//! Uploads in parts. The store's own list of parts is the truth about what arrived.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart as SdkPart};

use super::{Storage, StorageError, classify};

/// A part that the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedPart {
    pub part_number: i32,
    pub etag: String,
    pub size: u64,
}

/// A part as the client says that it sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    pub part_number: i32,
    pub etag: String,
}

impl Storage {
    /// Begins an upload in parts and returns the store's id of it.
    ///
    /// # Errors
    /// [`StorageError`]
    pub async fn create_multipart(
        &self,
        key: &str,
        content_type: &str,
    ) -> Result<String, StorageError> {
        let created = self
            .client
            .create_multipart_upload()
            .bucket(&*self.bucket)
            .key(key)
            .content_type(content_type)
            .send()
            .await
            .map_err(|e| classify(key, e))?;
        created.upload_id.ok_or_else(|| StorageError::Refused {
            key: key.to_owned(),
            code: "no upload id".to_owned(),
        })
    }

    /// All parts that arrived, in order of their numbers.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when the upload was completed or aborted.
    pub async fn list_parts(
        &self,
        key: &str,
        upload_id: &str,
    ) -> Result<Vec<ReceivedPart>, StorageError> {
        let mut parts = Vec::new();
        let mut marker = None;
        loop {
            let page = self
                .client
                .list_parts()
                .bucket(&*self.bucket)
                .key(key)
                .upload_id(upload_id)
                .set_part_number_marker(marker)
                .send()
                .await
                .map_err(|e| classify(key, e))?;
            parts.extend(page.parts().iter().map(|p| ReceivedPart {
                part_number: p.part_number().unwrap_or_default(),
                etag: p.e_tag().unwrap_or_default().to_owned(),
                size: p.size().unwrap_or_default().unsigned_abs(),
            }));
            if page.is_truncated() != Some(true) {
                break;
            }
            marker = page.next_part_number_marker().map(ToOwned::to_owned);
        }
        // Some servers do not sort.
        parts.sort_by_key(|p| p.part_number);
        Ok(parts)
    }

    /// Puts the parts together.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when the upload is gone: it may have been completed by a call whose answer was
    /// lost, so look at the object. [`StorageError::Refused`] when a part is missing or differs.
    pub async fn complete_multipart(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[CompletedPart],
    ) -> Result<(), StorageError> {
        let parts = parts
            .iter()
            .map(|p| {
                SdkPart::builder()
                    .part_number(p.part_number)
                    .e_tag(&p.etag)
                    .build()
            })
            .collect();
        self.client
            .complete_multipart_upload()
            .bucket(&*self.bucket)
            .key(key)
            .upload_id(upload_id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build(),
            )
            .send()
            .await
            .map(drop)
            .map_err(|e| classify(key, e))
    }

    /// Drops an upload and its parts. Safe to repeat.
    ///
    /// # Errors
    /// [`StorageError`], but not for an upload that is gone already.
    pub async fn abort_multipart(&self, key: &str, upload_id: &str) -> Result<(), StorageError> {
        let done = self
            .client
            .abort_multipart_upload()
            .bucket(&*self.bucket)
            .key(key)
            .upload_id(upload_id)
            .send()
            .await
            .map(drop)
            .map_err(|e| classify(key, e));
        match done {
            Err(StorageError::NotFound(_)) => Ok(()),
            done => done,
        }
    }
}
