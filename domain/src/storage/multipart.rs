//! Uploads in parts. The store's own list of parts is the truth about what arrived.

use std::time::SystemTime;

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart as SdkPart},
};
use bytes::Bytes;

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

/// An upload in parts that was begun and is neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenMultipart {
    pub key: String,
    /// The store's id of it.
    pub upload_id: String,
    /// When it was begun; long ago if the store does not say.
    pub begun_at: SystemTime,
}

/// Some uploads in parts, and where the next ones begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenMultiparts {
    pub uploads: Vec<OpenMultipart>,
    /// Key and id of the last one, if there are more.
    pub next: Option<(String, String)>,
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

    /// Stores one part and returns its ETag. A part that was sent before is replaced.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when the upload was completed or aborted.
    pub async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        part_number: i32,
        bytes: Bytes,
    ) -> Result<String, StorageError> {
        let sent = self
            .client
            .upload_part()
            .bucket(&*self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(part_number)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|e| classify(key, e))?;
        sent.e_tag.ok_or_else(|| StorageError::Refused {
            key: key.to_owned(),
            code: "no ETag".to_owned(),
        })
    }

    /// Up to 1,000 uploads in parts below `prefix` that are open, after `after` (key and id) in their order.
    ///
    /// # Errors
    /// [`StorageError`]
    pub async fn list_multiparts(
        &self,
        prefix: &str,
        after: Option<(String, String)>,
    ) -> Result<OpenMultiparts, StorageError> {
        let (key_marker, id_marker) = after.unzip();
        let page = self
            .client
            .list_multipart_uploads()
            .bucket(&*self.bucket)
            .prefix(prefix)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker)
            .send()
            .await
            .map_err(|e| classify(prefix, e))?;
        let more = page.is_truncated() == Some(true);
        let next = page
            .next_key_marker
            .zip(page.next_upload_id_marker)
            .filter(|_| more);
        let open = |upload: aws_sdk_s3::types::MultipartUpload| {
            let begun_at = upload
                .initiated
                .and_then(|at| SystemTime::try_from(at).ok())
                .unwrap_or(SystemTime::UNIX_EPOCH);
            Some(OpenMultipart {
                key: upload.key?,
                upload_id: upload.upload_id?,
                begun_at,
            })
        };
        let uploads = page.uploads.unwrap_or_default();
        Ok(OpenMultiparts {
            uploads: uploads.into_iter().filter_map(open).collect(),
            next,
        })
    }

    /// Drops all uploads in parts below `prefix` and returns how many there were. Safe to repeat.
    ///
    /// # Errors
    /// [`StorageError`]; what was dropped by then stays dropped.
    pub async fn abort_multiparts(&self, prefix: &str) -> Result<usize, StorageError> {
        let mut gone = 0;
        let mut after = None;
        loop {
            let page = self.list_multiparts(prefix, after).await?;
            for upload in &page.uploads {
                self.abort_multipart(&upload.key, &upload.upload_id).await?;
            }
            gone += page.uploads.len();
            if page.next.is_none() {
                return Ok(gone);
            }
            after = page.next;
        }
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
