//! The file in the store, its parts put together if they were not yet. Two calls may do so at once, and a call may
//! have done so whose answer was lost: whoever finds the parts gone looks for the object.

use super::Upload;
use crate::storage::{CompletedPart, ObjectHead, ReceivedPart, Storage, StorageError};

/// Why there is no whole file.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    #[error("the file has not arrived")]
    Absent,
    #[error("{received} of {wanted} parts have arrived")]
    Incomplete { received: usize, wanted: u32 },
    #[error("the store did not accept the parts: {0}")]
    Refused(String),
    #[error("the parts are gone")]
    Gone,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The object of an upload. `given` are the parts as the client knows them; without, the store's own list counts.
///
/// # Errors
/// [`AssembleError`]; all but the last say that something has yet to be sent.
pub async fn assemble(
    storage: &Storage,
    upload: &Upload,
    given: Option<&[CompletedPart]>,
) -> Result<ObjectHead, AssembleError> {
    if let Some(object) = storage.head(&upload.key).await? {
        return Ok(object);
    }
    let (Some(s3_id), Some(plan)) = (&upload.s3_upload_id, upload.parts()) else {
        return Err(AssembleError::Absent);
    };
    let mut parts = match given {
        Some(parts) => parts.to_vec(),
        None => match storage.list_parts(&upload.key, s3_id).await {
            Ok(parts) => parts.into_iter().map(as_sent).collect(),
            Err(StorageError::NotFound(_)) => return assembled(storage, upload).await,
            Err(error) => return Err(error.into()),
        },
    };
    parts.sort_by_key(|part| part.part_number);
    let whole = parts.len() == plan.part_count as usize
        && parts.iter().zip(1..).all(|(part, n)| part.part_number == n);
    if !whole {
        return Err(AssembleError::Incomplete {
            received: parts.len(),
            wanted: plan.part_count,
        });
    }
    match storage.complete_multipart(&upload.key, s3_id, &parts).await {
        Ok(()) | Err(StorageError::NotFound(_)) => assembled(storage, upload).await,
        // Somebody else may be doing it at this moment, which some stores call a conflict.
        Err(StorageError::Refused { code, .. }) => match storage.head(&upload.key).await? {
            Some(object) => Ok(object),
            None => Err(AssembleError::Refused(code)),
        },
        Err(error) => Err(error.into()),
    }
}

/// The object once the parts are gone.
async fn assembled(storage: &Storage, upload: &Upload) -> Result<ObjectHead, AssembleError> {
    let object = storage.head(&upload.key).await?;
    object.ok_or(AssembleError::Gone)
}

fn as_sent(part: ReceivedPart) -> CompletedPart {
    CompletedPart {
        part_number: part.part_number,
        etag: part.etag,
    }
}
