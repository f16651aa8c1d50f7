//! The SMTP sink of local mode and its mailbox: mail that the platform sends stays on this machine, where developers read
//! it. It speaks enough of SMTP for any client, and delivers nothing to anybody.
//!
//! Written here because what exists is a program of its own to install (Mailpit), or a server library with callbacks on
//! threads (mailin); the protocol's half that is needed is one file. What mails say is read by `mail-parser`.

/// The mailbox in a browser.
mod page;
/// The two sockets.
mod server;
/// One conversation.
mod smtp;
/// Mails on disk.
mod store;
/// The words of the mailbox.
mod words;

pub use server::{MailSink, MailSinkError, MailSinkOptions};
pub use store::{Mail, MailStore};
