//! The way to an SMTP server, and what letters are made with.

use millrace_config::Config;
use millrace_domain::email::{Mailer, MailerError, MailerOptions, Sender, UnsubscribeKey};

/// Sends mail; clones share its connections.
#[derive(Clone)]
pub struct Post {
    pub(crate) mailer: Mailer,
    pub(crate) sender: Sender,
}

impl Post {
    /// The one that the settings ask for; none where no mail is sent. Nothing is connected before the first mail.
    ///
    /// # Errors
    /// An address or a sender that cannot be read.
    pub fn of(config: &Config) -> Result<Option<Self>, MailerError> {
        let email = &config.email;
        if !email.is_on() {
            return Ok(None);
        }
        let public_url = &config.server.public_url;
        let mailer = Mailer::new(&MailerOptions {
            smtp_url: email.smtp_url.expose(),
            hello: public_url.host_str().unwrap_or("localhost"),
            timeout: email.timeout,
        })?;
        let key = UnsubscribeKey::new(email.signing_key.expose());
        let sender = Sender::new(&email.from, public_url, key)?;
        Ok(Some(Self { mailer, sender }))
    }
}
