//! What has arrived of an upload, as the store tells: its list is the truth, whatever a client remembers.

use super::{Upload, UploadStatus};
use crate::storage::{ReceivedPart, Storage, StorageError};

/// What has arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// In order of their numbers; none for a single PUT, or once they were put together.
    pub parts: Vec<ReceivedPart>,
    /// Together.
    pub bytes: u64,
    /// Numbers of the parts to be sent; a part with another size than planned is one of them.
    pub missing: Vec<u32>,
}

impl Received {
    /// Asks the store. Nothing for an upload that is over.
    ///
    /// # Errors
    /// [`StorageError`]
    pub async fn of(storage: &Storage, upload: &Upload) -> Result<Self, StorageError> {
        if upload.status != UploadStatus::Pending {
            return Ok(Self::default());
        }
        let parts = match &upload.s3_upload_id {
            None => None,
            Some(s3_id) => match storage.list_parts(&upload.key, s3_id).await {
                Ok(parts) => Some(parts),
                // Put together by a completion whose transaction or answer was lost: the object says so.
                Err(StorageError::NotFound(_)) => None,
                Err(error) => return Err(error),
            },
        };
        if let Some(parts) = parts {
            return Ok(Self::of_parts(upload, parts));
        }
        let object = storage.head(&upload.key).await?;
        match object {
            Some(object) => Ok(Self {
                bytes: object.size,
                ..Self::default()
            }),
            None => Ok(Self::of_parts(upload, Vec::new())),
        }
    }

    fn of_parts(upload: &Upload, parts: Vec<ReceivedPart>) -> Self {
        let missing = upload.parts().map_or_else(Vec::new, |plan| {
            let mut wanted: Vec<Option<u64>> = (1..=plan.part_count)
                .map(|number| Some(plan.bytes_of(number, upload.size)))
                .collect();
            for part in &parts {
                let index = usize::try_from(part.part_number).unwrap_or_default();
                if let Some(size) = index.checked_sub(1).and_then(|index| wanted.get_mut(index))
                    && *size == Some(part.size)
                {
                    *size = None;
                }
            }
            let missing = (1..).zip(wanted).filter(|(_, size)| size.is_some());
            missing.map(|(number, _)| number).collect()
        });
        Self {
            bytes: parts.iter().map(|part| part.size).sum(),
            parts,
            missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        ids::{UploadId, UserId},
        uploads::Method,
    };

    #[test]
    fn parts_that_are_absent_or_of_another_size_are_missing() {
        let now = chrono::Utc::now();
        let upload = Upload {
            id: UploadId::new(),
            user: UserId::new(),
            filename: "a.mp4".to_owned(),
            size: 35,
            content_type: "video/mp4".to_owned(),
            method: Method::Multipart,
            key: "raw/x/source".to_owned(),
            s3_upload_id: Some("s".to_owned()),
            part_size: Some(10),
            status: UploadStatus::Pending,
            error_code: None,
            video: None,
            created_at: now,
            expires_at: now + Duration::from_secs(60),
        };
        let part = |part_number, size| ReceivedPart {
            part_number,
            etag: "\"e\"".to_owned(),
            size,
        };
        let received = Received::of_parts(&upload, vec![part(1, 10), part(3, 9), part(4, 5)]);
        assert_eq!((received.bytes, received.missing), (24, vec![2, 3]));
        let received = Received::of_parts(&upload, Vec::new());
        assert_eq!(received.missing, vec![1, 2, 3, 4]);
        // What another program put there has no place in the plan.
        let received = Received::of_parts(&upload, vec![part(9, 10), part(0, 10), part(-3, 1)]);
        assert_eq!(received.missing, vec![1, 2, 3, 4]);
    }
}
