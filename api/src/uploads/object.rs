//! The file in the store, its parts put together if they were not yet. Two calls may do so at once, and a call may
//! have done so whose answer was lost: whoever finds the parts gone looks for the object.

use millrace_domain::{
    storage::{CompletedPart, ObjectHead, ReceivedPart, StorageError},
    uploads::Upload,
};

use crate::{app::App, problem::Problem};

/// The object of an upload. `given` are the parts as the client knows them; without, the store's own list counts.
pub(super) async fn assemble(
    app: &App,
    upload: &Upload,
    given: Option<&[CompletedPart]>,
) -> Result<ObjectHead, Problem> {
    if let Some(object) = app.storage.head(&upload.key).await? {
        return Ok(object);
    }
    let (Some(s3_id), Some(plan)) = (&upload.s3_upload_id, upload.parts()) else {
        return Err(incomplete("the file has not arrived"));
    };
    let mut parts = match given {
        Some(parts) => parts.to_vec(),
        None => match app.storage.list_parts(&upload.key, s3_id).await {
            Ok(parts) => parts.into_iter().map(as_sent).collect(),
            Err(StorageError::NotFound(_)) => return assembled(app, upload).await,
            Err(error) => return Err(error.into()),
        },
    };
    parts.sort_by_key(|part| part.part_number);
    let whole = parts.len() == plan.part_count as usize
        && parts.iter().zip(1..).all(|(part, n)| part.part_number == n);
    if !whole {
        let detail = format!("{} of {} parts have arrived", parts.len(), plan.part_count);
        return Err(Problem::conflict("upload_incomplete", detail));
    }
    match app
        .storage
        .complete_multipart(&upload.key, s3_id, &parts)
        .await
    {
        Ok(()) | Err(StorageError::NotFound(_)) => assembled(app, upload).await,
        Err(StorageError::Refused { code, .. }) => {
            let detail = format!("the store did not accept the parts: {code}");
            Err(Problem::conflict("upload_incomplete", detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// The object once the parts are gone.
async fn assembled(app: &App, upload: &Upload) -> Result<ObjectHead, Problem> {
    let object = app.storage.head(&upload.key).await?;
    object.ok_or_else(|| incomplete("the parts are gone"))
}

fn as_sent(part: ReceivedPart) -> CompletedPart {
    CompletedPart {
        part_number: part.part_number,
        etag: part.etag,
    }
}

fn incomplete(detail: &'static str) -> Problem {
    Problem::conflict("upload_incomplete", detail)
}
