//! A mail's row and the job that sends it.

use millrace_domain::{
    email::{self, Message, NewEmail, Recipient},
    ids::UserId,
    notifications,
};
use millrace_queue::{NewJob, Wake};
use sqlx::PgConnection;

use super::FlowError;
use crate::kinds::{EmailFailed, SendEmail};

/// Queues a mail: the row and its job, in the caller's transaction. Said twice with one key and recipient, it is one
/// mail. Fire the [`Wake`] after commit.
///
/// # Errors
/// [`FlowError`]
pub async fn send_email(conn: &mut PgConnection, new: NewEmail<'_>) -> Result<Wake, FlowError> {
    let Some(id) = email::queue(&mut *conn, new).await? else {
        return Ok(Wake::none());
    };
    let job = NewJob::new(&SendEmail {
        email: id,
        message: new.message.clone(),
    })
    .tag(new.message.word())
    .on_failure(NewJob::new(&EmailFailed {
        email: id,
        failure: None,
    }));
    let job = match new.to.user {
        Some(user) => job.owner(user.0),
        None => job,
    };
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}

/// Queues a mail to a person at their own address, unless they do not want mail of this kind, or are locked out.
///
/// # Errors
/// [`FlowError`]
pub async fn tell_by_mail(
    conn: &mut PgConnection,
    user: UserId,
    key: &str,
    message: &Message,
) -> Result<Wake, FlowError> {
    if let Some(kind) = message.news()
        && !notifications::wants(&mut *conn, user, kind).await?.email
    {
        return Ok(Wake::none());
    }
    match Recipient::of(&mut *conn, user).await? {
        Some(to) => {
            let to = &to;
            send_email(conn, NewEmail { key, to, message }).await
        }
        None => Ok(Wake::none()),
    }
}
