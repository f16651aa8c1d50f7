//! email: a mail leaves for its recipient.

use std::{error::Error, time::Duration};

use millrace_domain::{
    email::{Address, Composed, Email, EmailState, Message, SendError},
    ids::EmailId,
};
use millrace_queue::{Backoff, Done, Failure, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::{Job, JobContext, Post};

/// The server will not have it.
const REFUSED: &str = "email_refused";
/// Nobody can tell whether it went out.
const UNKNOWN: &str = "email_unknown";
/// Notes of an answer that the database may take to be written. What is lost is only what the row says: it stays
/// `sending`, and the mail is not sent again.
const NOTES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];

/// Sends a mail. Safe twice: at most once, rather than at least once.
///
/// Between the server's answer and our commit lies a moment in which a crash loses the knowledge that the mail went out,
/// and no order of the two avoids it. So one must choose between a mail that comes twice and one that may not come, and
/// this chooses the latter: a second "reset your password" frightens people, a missing one is asked for again, and news
/// is in the web application anyway. The moment is as short as it can be: the run says `sending` in the row, in the
/// transaction that also mints what the mail's links need, after the server has consented to the recipient and before
/// the first byte of the message. Whatever fails before that is tried again; who finds `sending` of another run
/// says `unknown`, and an operator can see it.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendEmail {
    pub email: EmailId,
    pub message: Message,
}

impl Job for SendEmail {
    const KIND: &'static str = "email";
    const QUEUE: &'static str = "default";
    /// People wait for some of them.
    const PRIORITY: i16 = -10;
    /// With the waits below, about two days, which is how long mail servers try.
    const MAX_ATTEMPTS: u16 = 50;
    const TIMEOUT: Duration = Duration::from_secs(10 * 60);
    /// For what is ours: no server, no network. Refusals say how long to wait (see [`later`]).
    const BACKOFF: Backoff =
        Backoff::new(Duration::from_secs(5), 2.0, Duration::from_secs(60 * 60));

    async fn run(self, cx: &JobContext) -> Outcome {
        let email = Email::find(cx.db(), self.email)
            .await?
            .or_cancel("the mail's row is gone")?;
        match email.state {
            EmailState::Sent | EmailState::Dropped => return Ok(Done::Completed),
            EmailState::Sending | EmailState::Unknown => return self.lost(cx, &email).await,
            EmailState::Queued | EmailState::Failed => {}
        }
        let Some(post) = cx.post() else {
            return self.drop_it(cx, "no SMTP server is set up").await;
        };
        let Ok(to) = email.to.address.parse::<Address>() else {
            Email::set_aside(cx.db(), email.id, EmailState::Failed, "this is no mail address").await?;
            return Err(Failure::fail("the recipient's address is none").with_code(REFUSED));
        };
        let opened = match post.mailer.open(post.sender.address(), &to).await {
            Ok(opened) => opened,
            Err(error) => return self.not_begun(cx, error).await,
        };
        // Only here is the mail taken: until now nothing could have gone out.
        let mail = match self.take(cx, post, &email).await {
            Ok(Composed::Mail(mail)) => mail,
            Ok(Composed::Moot(why)) => {
                opened.abandon().await;
                return self.drop_it(cx, why).await;
            }
            Err(failure) => {
                opened.abandon().await;
                return Err(failure);
            }
        };
        let sent = opened.send(&mail).await;
        self.settle(cx, sent).await
    }
}

impl SendEmail {
    /// Says that this run sends the mail, and writes it, in one transaction.
    async fn take(
        &self,
        cx: &JobContext,
        post: &Post,
        email: &Email,
    ) -> Result<Composed, Failure> {
        let mut tx = millrace_bus::begin(cx.db()).await?;
        cx.fence(&mut tx).await?;
        let composed = post.sender.compose(&mut tx, email, &self.message).await?;
        if matches!(composed, Composed::Mail(_)) {
            if !Email::claim(&mut *tx, email.id, cx.run_no).await? {
                return Err(Failure::Retry("another run took the mail".into()));
            }
            tx.commit().await?;
        }
        Ok(composed)
    }

    /// Notes what the server answered to the message.
    async fn settle(&self, cx: &JobContext, sent: Result<String, SendError>) -> Outcome {
        match sent {
            Ok(said) => {
                self.note(cx, EmailState::Sent, &said).await?;
                Ok(Done::Completed)
            }
            Err(SendError::Refused { code, said }) => {
                self.note(cx, EmailState::Failed, &said).await?;
                Err(refused(code))
            }
            Err(SendError::Later { code, said }) => {
                self.note(cx, EmailState::Queued, &said).await?;
                Err(later(cx, code))
            }
            // DATA was not answered: the message was not given.
            Err(error @ SendError::Unusable(_)) => {
                self.note(cx, EmailState::Queued, &chain(&error)).await?;
                Err(error.into())
            }
            Err(error @ SendError::Unknown(_)) => {
                self.note(cx, EmailState::Unknown, &chain(&error)).await?;
                Err(unknown())
            }
        }
    }

    /// Writes the answer down, patiently: the mail is out, or it is not, and only this run knows.
    async fn note(&self, cx: &JobContext, state: EmailState, said: &str) -> Result<(), Failure> {
        let mut pauses = NOTES.into_iter();
        loop {
            let noted = Email::answered(cx.db(), self.email, cx.run_no, state, said).await;
            match (noted, pauses.next()) {
                (Ok(_), _) => return Ok(()),
                (Err(_), Some(pause)) => sleep(pause).await,
                (Err(error), None) => return Err(error.into()),
            }
        }
    }

    /// The server was asked, and no message was given.
    async fn not_begun(&self, cx: &JobContext, error: SendError) -> Outcome {
        match error {
            SendError::Refused { code, said } => {
                Email::set_aside(cx.db(), self.email, EmailState::Failed, &said).await?;
                Err(refused(code))
            }
            SendError::Later { code, said } => {
                Email::set_aside(cx.db(), self.email, EmailState::Queued, &said).await?;
                Err(later(cx, code))
            }
            SendError::Unusable(_) | SendError::Unknown(_) => {
                Email::set_aside(cx.db(), self.email, EmailState::Queued, &chain(&error)).await?;
                Err(error.into())
            }
        }
    }

    /// Another run began to send it, and did not say how that ended.
    async fn lost(&self, cx: &JobContext, email: &Email) -> Outcome {
        if let Some(run_no) = email.run_no {
            let why = "the worker was lost while it sent the mail";
            Email::answered(cx.db(), email.id, run_no, EmailState::Unknown, why).await?;
        }
        Err(unknown())
    }

    async fn drop_it(&self, cx: &JobContext, why: &str) -> Outcome {
        Email::set_aside(cx.db(), self.email, EmailState::Dropped, why).await?;
        Ok(Done::Completed)
    }
}

fn refused(code: u16) -> Failure {
    Failure::fail(format!("the SMTP server refuses the mail ({code})")).with_code(REFUSED)
}

fn unknown() -> Failure {
    let reason = "nobody can tell whether the mail went out, so it is not sent again";
    Failure::fail(reason).with_code(UNKNOWN)
}

/// Greylisting wants to see us again after some minutes, a full mailbox after hours: 1, 2, 4, ... minutes, at most an
/// hour. By attempts, which are written down, so workers that come and go wait no less.
fn later(cx: &JobContext, code: u16) -> Failure {
    let minutes = 1_u64 << cx.attempt.saturating_sub(1).min(6);
    let wait = Duration::from_secs(60 * minutes.min(60));
    Failure::RetryAfter(
        format!("the SMTP server wants the mail later ({code})").into(),
        wait,
    )
}

fn chain(error: &SendError) -> String {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}
