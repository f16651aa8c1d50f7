//! A person's picture: received, shown, and what was shown before.

use millrace_domain::{
    accounts::Avatar,
    ids::{AvatarId, UserId},
    videos,
};
use millrace_queue::{NewJob, Wake};
use sqlx::PgConnection;

use super::{FlowError, video::sweep};
use crate::kinds::ResizeAvatar;

/// The file of a picture is there: enqueues what makes it small, once.
///
/// # Errors
/// [`FlowError`]
pub async fn receive_avatar(
    conn: &mut PgConnection,
    id: AvatarId,
    user: UserId,
) -> Result<Wake, FlowError> {
    if !Avatar::receive(&mut *conn, id).await? {
        return Ok(Wake::none());
    }
    let job = NewJob::new(&ResizeAvatar { avatar: id, user }).owner(user.0);
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}

/// Shows this picture of `user`, or none; the files of those before are deleted by a job.
///
/// # Errors
/// [`FlowError`]
pub async fn show_avatar(
    conn: &mut PgConnection,
    user: UserId,
    picture: Option<AvatarId>,
) -> Result<Wake, FlowError> {
    let old = Avatar::show(&mut *conn, user, picture).await?;
    if old.is_empty() {
        return Ok(Wake::none());
    }
    videos::doom(&mut *conn, &old).await?;
    sweep(conn, user, None, old).await
}
