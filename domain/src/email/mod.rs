//! Mail: what is said and to whom, in which words, whether it went out, and the gateway to an SMTP server.

/// Which rows a message tells of, and the letter that they make.
mod compose;
/// The languages that mail is written in.
mod language;
/// A letter: what is said, and its form as text and HTML.
mod letter;
/// The texts of all letters.
pub mod letters;
/// The gateway to an SMTP server.
mod mailer;
/// What a mail is about.
mod message;
/// Open connections to the SMTP server.
mod pool;
/// A mail's row: whether it went out.
mod record;
/// The SMTP server's address.
mod server;
/// Links that end mail of a kind.
mod unsubscribe;

pub use compose::{ComposeError, Composed, Sender};
pub use language::Language;
pub use letter::{Action, Letter};
pub use lettre::Address;
pub use mailer::{Mailer, MailerError, MailerOptions, Opened, SendError};
pub use message::Message;
pub use record::{Email, EmailState, NewEmail, Recipient, queue};
pub use unsubscribe::{Unsubscribe, UnsubscribeKey};
