//! The gateway to an SMTP server.
//!
//! Giving a mail to a server has a point after which nobody can tell: once the message is on the wire, a lost connection
//! may mean that the server has it or has not. lettre's transport does all steps in one call, so this speaks them one by
//! one over lettre's connection: [`Mailer::open`] goes as far as the server's consent to the recipient, and
//! [`Opened::send`] gives the message. What fails before may be tried again without any doubt.

use std::{error::Error, sync::Arc, time::Duration};

use lettre::{
    Address,
    transport::smtp::{
        commands::{Data, Mail, Rcpt, Rset},
        extension::{Extension, MailParameter},
        response::Response,
    },
};
use tokio::time::timeout;

use super::{
    pool::{Lent, Pool},
    server::Server,
};

/// What a [`Mailer`] needs.
#[derive(Debug, Clone)]
pub struct MailerOptions<'a> {
    /// `smtps://user:password@host`, `smtp://…` (STARTTLS is demanded), `smtp://…?tls=none`.
    pub smtp_url: &'a str,
    /// The name by which we introduce ourselves.
    pub hello: &'a str,
    /// How long a connection, or an answer, may take.
    pub timeout: Duration,
}

/// Why there is no mailer. The address holds a password, so it is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    #[error("the address of the SMTP server {0}")]
    Address(&'static str),
    #[error("TLS cannot be set up for the SMTP server")]
    Tls(#[source] lettre::transport::smtp::Error),
    #[error("the sender is not a mail address")]
    Sender(#[source] lettre::address::AddressError),
}

/// Why a mail was not sent. What the server said may name the recipient: it is for the mail's row, not for logs.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The server will not have it, now or later.
    #[error("the SMTP server refuses it ({code})")]
    Refused { code: u16, said: String },
    /// The server wants it later: greylisting, a full mailbox, too many mails.
    #[error("the SMTP server wants it later ({code})")]
    Later { code: u16, said: String },
    /// No server, one that will not talk to us, or a connection that was lost before the message was given.
    #[error("the SMTP server cannot be used")]
    Unusable(#[source] Box<dyn Error + Send + Sync>),
    /// The message was on the wire, and no answer came.
    #[error("nobody can tell whether the SMTP server has it")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
}

/// A way to one SMTP server; clones share its connections.
#[derive(Clone)]
pub struct Mailer {
    pool: Arc<Pool>,
}

/// A server that has consented to a recipient and waits for the message.
pub struct Opened<'a> {
    lent: Lent<'a>,
    limit: Duration,
}

impl Mailer {
    /// Reads the server's address; nothing is connected yet.
    ///
    /// # Errors
    /// [`MailerError`]
    pub fn new(options: &MailerOptions<'_>) -> Result<Self, MailerError> {
        let server = Server::parse(options.smtp_url, options.hello)?;
        Ok(Self {
            pool: Arc::new(Pool::new(server, options.timeout)),
        })
    }

    /// Asks a server to take a mail. Nothing that it answers leaves a doubt: the message is not given yet.
    ///
    /// # Errors
    /// Every one but [`SendError::Unknown`].
    pub async fn open(&self, from: &Address, to: &Address) -> Result<Opened<'_>, SendError> {
        let limit = self.pool.limit();
        let mut lent = self.pool.take().await?;
        let mut parameters = Vec::new();
        let international = [from, to]
            .iter()
            .any(|address| !AsRef::<str>::as_ref(*address).is_ascii());
        if international {
            let info = lent.connection.server_info();
            if !info.supports_feature(Extension::SmtpUtfEight) {
                lent.give_back();
                return Err(SendError::Refused {
                    code: 553,
                    said: "the server takes no addresses beyond ASCII".to_owned(),
                });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // Who is refused as a sender is refused for every mail: that is ours to mend, not this recipient's end.
        let mail = Mail::new(Some(from.clone()), parameters);
        let answer = timeout(limit, lent.connection.command(mail)).await;
        match before(answer) {
            Ok(_) => {}
            Err(SendError::Refused { code, said }) => {
                return Err(SendError::Unusable(
                    format!("the server refuses us as the sender ({code}): {said}").into(),
                ));
            }
            Err(error) => return Err(error),
        }
        let rcpt = Rcpt::new(to.clone(), Vec::new());
        let answer = timeout(limit, lent.connection.command(rcpt)).await;
        match before(answer) {
            Ok(_) => Ok(Opened { lent, limit }),
            Err(error) => {
                if matches!(error, SendError::Refused { .. } | SendError::Later { .. }) {
                    lent.give_back();
                }
                Err(error)
            }
        }
    }
}

impl Opened<'_> {
    /// Gives the message and returns what the server said when it took it.
    ///
    /// # Errors
    /// [`SendError::Unknown`] if the answer to the message was lost; the others as before.
    pub async fn send(mut self, message: &[u8]) -> Result<String, SendError> {
        let connection = &mut self.lent.connection;
        before(timeout(self.limit, connection.command(Data)).await)?;
        // Servers look for viruses before they answer.
        let answer = timeout(self.limit * 2, connection.message(message)).await;
        let taken = match answer {
            Ok(Ok(response)) => Ok(said(&response)),
            Ok(Err(error)) => match refusal(error) {
                Ok(refused) => Err(refused),
                Err(lost) => return Err(SendError::Unknown(lost.into())),
            },
            Err(late) => return Err(SendError::Unknown(late.into())),
        };
        self.lent.give_back();
        taken
    }

    /// Takes the request back.
    pub async fn abandon(mut self) {
        if let Ok(Ok(_)) = timeout(self.limit, self.lent.connection.command(Rset)).await {
            self.lent.give_back();
        }
    }
}

type Answered =
    Result<Result<Response, lettre::transport::smtp::Error>, tokio::time::error::Elapsed>;

/// An answer to what came before the message.
fn before(answer: Answered) -> Result<Response, SendError> {
    match answer {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            Err(refusal(error).unwrap_or_else(|lost| SendError::Unusable(lost.into())))
        }
        Err(late) => Err(SendError::Unusable(late.into())),
    }
}

/// What the server said, if it said something.
fn refusal(
    error: lettre::transport::smtp::Error,
) -> Result<SendError, lettre::transport::smtp::Error> {
    let Some(code) = error.status().map(u16::from) else {
        return Err(error);
    };
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    let said = format!("{code} {said}");
    Ok(if error.is_permanent() {
        SendError::Refused { code, said }
    } else {
        SendError::Later { code, said }
    })
}

fn said(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    format!("{} {}", u16::from(response.code()), text.join(" "))
}
