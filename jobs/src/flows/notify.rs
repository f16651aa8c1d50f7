//! News and the mail of it, as far as people want either.

use millrace_domain::{
    email::Message,
    ids::UserId,
    notifications::{self, Kind, Notice},
    videos::{Status, Video, Visibility},
};
use millrace_queue::{NewJob, UniqueKey, Wake};
use sqlx::PgConnection;

use super::{FlowError, tell_by_mail};
use crate::kinds::NotifyFollowers;

/// Tells a person, in the web application and by mail of `message`, each if they want it; said twice with one key, they
/// hear of it once. It publishes to `user:{id}`: in a transaction that publishes to `video:` topics, too, this comes first.
/// Fire the [`Wake`] after commit.
///
/// # Errors
/// [`FlowError`]
pub async fn notify(
    conn: &mut PgConnection,
    user: UserId,
    notice: &Notice,
    message: &Message,
) -> Result<Wake, FlowError> {
    if notice.actor == Some(user) {
        return Ok(Wake::none());
    }
    // Jobs before topics: the order in which everybody locks.
    let mut wake = tell_by_mail(&mut *conn, user, &notice.key, message).await?;
    wake.merge(notifications::notify(conn, user, notice).await?.hint);
    Ok(wake)
}

/// The same for many people at once, with the mail that a few of them want.
///
/// # Errors
/// [`FlowError`]
pub(crate) async fn notify_all(
    conn: &mut PgConnection,
    users: &[UserId],
    notice: &Notice,
    message: &Message,
) -> Result<Wake, FlowError> {
    let (hint, mails) = notifications::notify_all(&mut *conn, users, notice).await?;
    let mut wake = Wake::none();
    for user in mails {
        wake.merge(tell_by_mail(&mut *conn, user, &notice.key, message).await?);
    }
    wake.merge(hint);
    Ok(wake)
}

/// Tells a creator's followers of a video that everybody may watch now; of others, nobody. Call it whenever a video
/// becomes public or ready: whoever was told of it is not told again.
///
/// # Errors
/// [`FlowError`]
pub async fn announce_video(conn: &mut PgConnection, video: &Video) -> Result<Wake, FlowError> {
    if video.status != Status::Ready || video.visibility != Visibility::Public {
        return Ok(Wake::none());
    }
    let job = NewJob::new(&NotifyFollowers { video: video.id })
        .owner(video.user_id.0)
        .unique(UniqueKey::until_done(format!(
            "notify_followers:{}",
            video.id
        )));
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}

/// What followers are told of a video: once, however often it is announced.
pub(crate) fn published(video: &Video) -> Notice {
    Notice {
        actor: Some(video.user_id),
        ..Notice::of_video(Kind::Published, format!("published:{}", video.id), video.id)
    }
}
