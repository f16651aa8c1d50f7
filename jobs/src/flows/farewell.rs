//! The end of an account.

use millrace_domain::{
    accounts::{Avatar, Export, Session, User},
    ids::UserId,
    videos,
};
use millrace_queue::{NewJob, Wake};
use sqlx::PgConnection;

use super::{FlowError, video::sweep};
use crate::kinds::{DeleteAccount, ExportAccount};

/// Locks an account, signs it out everywhere, and enqueues its deletion, once.
///
/// # Errors
/// [`FlowError`]
pub async fn begin_farewell(conn: &mut PgConnection, user: UserId) -> Result<Wake, FlowError> {
    if !User::begin_farewell(&mut *conn, user).await? {
        return Ok(Wake::none());
    }
    Session::end_all(&mut *conn, user, None, "deleted").await?;
    let job = NewJob::new(&DeleteAccount { user }).owner(user.0);
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}

/// Enqueues the deletion of pictures and exports of somebody.
///
/// # Errors
/// [`FlowError`]
pub async fn forget_files(conn: &mut PgConnection, user: UserId) -> Result<Wake, FlowError> {
    let mut folders = Avatar::show(&mut *conn, user, None).await?;
    folders.extend(Export::forget_all(&mut *conn, user).await?);
    if folders.is_empty() {
        return Ok(Wake::none());
    }
    videos::doom(&mut *conn, &folders).await?;
    sweep(conn, user, None, folders).await
}

/// Enqueues the making of a copy of an account; `None` while another one is being made.
///
/// # Errors
/// [`FlowError`]
pub async fn begin_export(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Option<Wake>, FlowError> {
    let Some(export) = Export::begin(&mut *conn, user).await? else {
        return Ok(None);
    };
    let job = NewJob::new(&ExportAccount { export }).owner(user.0);
    Ok(Some(millrace_queue::enqueue(conn, job).await?.wake))
}
