//! The SMTP server's address: `smtps://user:password@host`, `smtp://…` with STARTTLS, or `smtp://…?tls=none`.

use std::time::Duration;

use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, TlsParameters},
    extension::ClientId,
};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

use super::{MailerError, SendError};

/// How the wire is protected.
#[derive(Clone)]
enum Protection {
    /// Not at all: a server on this machine.
    Nothing,
    /// From the first byte.
    Wrapped(TlsParameters),
    /// After a greeting. Never "if it is offered": whoever sits on the wire can take the offer away.
    StartTls(TlsParameters),
}

/// Where the server is and how to talk to it.
#[derive(Clone)]
pub(super) struct Server {
    host: String,
    port: u16,
    protection: Protection,
    credentials: Option<Credentials>,
    hello: ClientId,
}

impl Server {
    /// Reads an address. `hello` is the name by which we introduce ourselves.
    pub(super) fn parse(text: &str, hello: &str) -> Result<Self, MailerError> {
        let bad = |problem| MailerError::Address(problem);
        let url: Url = text.parse().map_err(|_| bad("is not an address"))?;
        let host = url.host_str().ok_or(bad("has no host"))?;
        // An address in brackets is one of the URL's form, not of the network's.
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = || TlsParameters::new(host.clone()).map_err(MailerError::Tls);
        let asked = url.query_pairs().find(|(key, _)| key == "tls");
        let asked = asked.map(|(_, value)| value.into_owned());
        let (protection, port) = match (url.scheme(), asked.as_deref()) {
            ("smtps", None) => (Protection::Wrapped(tls()?), 465),
            ("smtp", None | Some("required")) => (Protection::StartTls(tls()?), 587),
            ("smtp", Some("none")) => (Protection::Nothing, 25),
            ("smtp" | "smtps", Some(_)) => {
                return Err(bad("must say tls=required or tls=none, or nothing of it"));
            }
            _ => return Err(bad("must begin with smtp:// or smtps://")),
        };
        let decode = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(|text| text.into_owned())
                .map_err(|_| bad("has a user or password that is not UTF-8"))
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some(Credentials::new(
                decode(user)?,
                decode(password.unwrap_or_default())?,
            )),
        };
        if credentials.is_some() && matches!(protection, Protection::Nothing) {
            return Err(bad("must not send a password over a wire without TLS"));
        }
        Ok(Self {
            host,
            port: url.port().unwrap_or(port),
            protection,
            credentials,
            hello: ClientId::Domain(hello.to_owned()),
        })
    }

    /// Connects, protects the wire, and logs in, all within `limit`.
    pub(super) async fn connect(&self, limit: Duration) -> Result<AsyncSmtpConnection, SendError> {
        match timeout(limit, self.introduce(limit)).await {
            Ok(connected) => connected.map_err(|error| SendError::Unusable(error.into())),
            Err(_) => Err(SendError::Unusable(
                "the server did not answer in time".into(),
            )),
        }
    }

    async fn introduce(
        &self,
        limit: Duration,
    ) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let wrapped = match &self.protection {
            Protection::Wrapped(tls) => Some(tls.clone()),
            Protection::Nothing | Protection::StartTls(_) => None,
        };
        let address = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(limit), &self.hello, wrapped, None)
                .await?;
        if let Protection::StartTls(tls) = &self.protection {
            connection.starttls(tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_how_the_wire_is_protected() {
        let parsed = |text| Server::parse(text, "us.example").unwrap();
        let server = parsed("smtps://ann%40x:p%3Aw@mail.example");
        assert!(matches!(server.protection, Protection::Wrapped(_)));
        assert_eq!((server.host.as_str(), server.port), ("mail.example", 465));
        assert!(server.credentials.is_some());
        let server = parsed("smtp://ann:p@mail.example:2525");
        assert!(matches!(server.protection, Protection::StartTls(_)));
        assert_eq!(server.port, 2525);
        assert!(matches!(
            parsed("smtp://127.0.0.1:1025?tls=none").protection,
            Protection::Nothing
        ));
        assert_eq!(parsed("smtp://[::1]:1025?tls=none").host, "::1");
    }

    #[test]
    fn bad_addresses_are_refused_without_repeating_them() {
        for (text, says) in [
            ("mail.example", "not an address"),
            ("http://mail.example", "smtp://"),
            ("smtp://mail.example?tls=maybe", "tls=required"),
            ("smtp://ann:secret@mail.example?tls=none", "password"),
        ] {
            let error = Server::parse(text, "us.example").unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{error}");
        }
    }
}
