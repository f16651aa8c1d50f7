//! The header that makes a request one order, however often it is sent.

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::problem::Problem;

/// `Idempotency-Key`: 1 to 100 visible characters of ASCII, made by the client for one intention.
#[derive(Debug)]
pub(super) struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut said = parts.headers.get_all("idempotency-key").iter();
        let key = said.next().filter(|_| said.next().is_none());
        key.and_then(|key| read(key.as_bytes()))
            .map(Self)
            .ok_or_else(|| {
                Problem::bad_request(
                    "idempotency_key",
                    "one Idempotency-Key of 1 to 100 visible ASCII characters is needed",
                )
            })
    }
}

fn read(key: &[u8]) -> Option<String> {
    let fits = (1..=100).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    fits.then(|| String::from_utf8_lossy(key).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_visible() {
        assert_eq!(read(b"a-1").as_deref(), Some("a-1"));
        assert!(read(&[b'x'; 100]).is_some());
        for bad in [&b""[..], b"a b", b"\x7f", "ä".as_bytes(), &[b'x'; 101]] {
            assert_eq!(read(bad), None);
        }
    }
}
