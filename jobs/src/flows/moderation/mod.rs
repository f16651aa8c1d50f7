//! What staff decide, and what is said against it: the decision, what it does or undoes, the case that it settles, the row of
//! the log, and what its owner is told, in one transaction.

/// A decision, and what it does.
mod decide;
/// Decisions that are taken back, and answers to appeals.
mod lift;

use millrace_domain::{
    accounts::User,
    comments::{self, Change, Comment},
    email::{Language, Message, NewEmail, Recipient},
    ids::UserId,
    notifications::{self, Notice},
    reports::Target,
};
use millrace_queue::{EnqueueError, Wake};
use sqlx::PgConnection;

use super::{FlowError, send_email};

pub use decide::{Wish, decide};
pub use lift::{answer_appeal, lift_decision};

/// Why something was not decided.
#[derive(Debug, thiserror::Error)]
pub enum ModerationError {
    /// There is no such thing, or it is gone.
    #[error("there is no such thing")]
    NotFound,
    /// Nobody can do that to such a thing.
    #[error("that cannot be done to a {}", .0.word())]
    NotForTarget(Target),
    /// It is hidden, suspended, lifted or answered already.
    #[error("that was decided already")]
    Decided,
    /// What is deleted is deleted.
    #[error("the decision is final")]
    Final,
    /// Nobody judges their own things, or people of their own rank.
    #[error("the person has too high a role")]
    Protected,
    /// The account is deactivated or leaving.
    #[error("the account is not active")]
    Inactive,
    #[error(transparent)]
    Flow(#[from] FlowError),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("could not enqueue a job")]
    Enqueue(#[from] EnqueueError),
}

/// Tells somebody of what staff decided, in the web application and by mail, whatever they want to hear of; also when they
/// are locked out, which is when they need the mail.
async fn tell(
    conn: &mut PgConnection,
    user: UserId,
    notice: &Notice,
    message: &Message,
) -> Result<Wake, ModerationError> {
    let Some(person) = User::find(&mut *conn, user).await? else {
        return Ok(Wake::none());
    };
    let to = &Recipient {
        user: Some(user),
        address: person.email,
        name: person.username,
        language: Language::of_tag(&person.language),
    };
    let key = &notice.key;
    let mut wake = send_email(&mut *conn, NewEmail { key, to, message }).await?;
    wake.merge(notifications::notify(conn, user, notice).await?.hint);
    Ok(wake)
}

async fn changed(
    conn: &mut PgConnection,
    comment: &Comment,
    what: Change,
) -> Result<Wake, ModerationError> {
    let hint = comments::changed(conn, comment.video_id, comment.id, comment.parent_id, what);
    Ok(hint.await?.into())
}
