//! Whether a provider said something: `t=1700000000,v1=5257a8...`, an HMAC-SHA256 over time and bytes.

use chrono::{DateTime, Utc};
use ring::hmac;

/// How far from now the signed time may be, in seconds, so that what was overheard once cannot be said again later.
const TOLERANCE: u64 = 300;

/// A signature that could be read.
struct Signed<'a> {
    /// As it was written, since that is what was signed.
    time: &'a str,
    seconds: i64,
    /// While a secret is changed, there are several.
    tags: Vec<Vec<u8>>,
}

/// Why bytes are not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("there is no signature")]
    Missing,
    #[error("the signature cannot be read")]
    Malformed,
    #[error("the signature is too old, or from the future")]
    Stale,
    #[error("the signature is not the provider's")]
    Wrong,
}

/// Whether `body` was signed with one of the secrets, within five minutes of now. How long it takes says nothing of the
/// secrets.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    header: &str,
    body: &[u8],
    secrets: &[&[u8]],
    now: DateTime<Utc>,
) -> Result<(), SignatureError> {
    let signed = read(header)?;
    let message = message(signed.time, body);
    let fits = secrets
        .iter()
        // An empty secret is one that nobody configured; everybody could sign with it.
        .filter(|secret| !secret.is_empty())
        .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret))
        .any(|key| {
            signed
                .tags
                .iter()
                .any(|tag| hmac::verify(&key, &message, tag).is_ok())
        });
    if !fits {
        return Err(SignatureError::Wrong);
    }
    if now.timestamp().abs_diff(signed.seconds) > TOLERANCE {
        return Err(SignatureError::Stale);
    }
    Ok(())
}

/// The header that signs `body` at a time in seconds since 1970.
pub fn sign(secret: &[u8], seconds: i64, body: &[u8]) -> String {
    let time = seconds.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, &message(&time, body));
    format!("t={time},v1={}", hex::encode(tag))
}

fn message(time: &str, body: &[u8]) -> Vec<u8> {
    [time.as_bytes(), b".", body].concat()
}

fn read(header: &str) -> Result<Signed<'_>, SignatureError> {
    let (mut time, mut tags) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=') {
            // Two times would leave it open which of them was signed.
            Some(("t", _)) if time.is_some() => return Err(SignatureError::Malformed),
            Some(("t", text)) => time = Some(text),
            Some(("v1", text)) => tags.extend(hex::decode(text)),
            // Other schemes, such as v0 of test mode, are not signatures.
            _ => {}
        }
    }
    let time = time.ok_or(SignatureError::Malformed)?;
    if tags.is_empty() || !time.bytes().all(|c| c.is_ascii_digit()) {
        return Err(SignatureError::Malformed);
    }
    let seconds = time.parse().map_err(|_| SignatureError::Malformed)?;
    Ok(Signed {
        time,
        seconds,
        tags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &[u8] = b"whsec_one";
    const OLD: &[u8] = b"whsec_two";
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    const T: i64 = 1_700_000_000;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn it_is_the_hmac_of_the_documentation() {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_one
        assert_eq!(
            sign(SECRET, T, BODY),
            "t=1700000000,v1=401fbbceeb3818dc562ff77127ba1c62e47e24c9c6cde4d7a6eba85e32dbd058"
        );
    }

    #[test]
    fn any_signature_by_any_active_secret_will_do() {
        let good = sign(OLD, T, BODY);
        let tag = good.split_once("v1=").unwrap().1;
        let several = format!("t={T},v0=ab,v1={},v1={tag}", "00".repeat(32));
        for header in [&good, &several] {
            verify(header, BODY, &[SECRET, OLD], at(T)).unwrap();
            assert_eq!(
                verify(header, BODY, &[SECRET], at(T)),
                Err(SignatureError::Wrong)
            );
        }
    }

    #[test]
    fn five_minutes_in_either_direction_are_the_limit() {
        let header = sign(SECRET, T, BODY);
        for (now, expected) in [
            (T - 301, Err(SignatureError::Stale)),
            (T - 300, Ok(())),
            (T + 300, Ok(())),
            (T + 301, Err(SignatureError::Stale)),
        ] {
            assert_eq!(verify(&header, BODY, &[SECRET], at(now)), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let tag = "00".repeat(32);
        for header in [
            String::new(),
            "t=".to_owned(),
            format!("v1={tag}"),
            format!("t={T}"),
            format!("t={T},v0={tag}"),
            format!("t={T},v1=zz"),
            format!("t=+{T},v1={tag}"),
            format!("t=-1,v1={tag}"),
            format!("t={T},t={T},v1={tag}"),
            format!("t=99999999999999999999,v1={tag}"),
        ] {
            assert_eq!(
                verify(&header, BODY, &[SECRET], at(T)),
                Err(SignatureError::Malformed),
                "{header}"
            );
        }
        let signed_with_nothing = sign(b"", T, BODY);
        assert_eq!(
            verify(&signed_with_nothing, BODY, &[SECRET, b""], at(T)),
            Err(SignatureError::Wrong)
        );
    }

    proptest! {
        #[test]
        fn a_changed_bit_is_noticed(body in prop::collection::vec(any::<u8>(), 1..200), at_byte in any::<prop::sample::Index>(), bit in 0..8u8) {
            let header = sign(SECRET, T, &body);
            prop_assert_eq!(verify(&header, &body, &[SECRET], at(T)), Ok(()));
            let mut changed = body.clone();
            changed[at_byte.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(verify(&header, &changed, &[SECRET], at(T)), Err(SignatureError::Wrong));
            let mut bytes = header.clone().into_bytes();
            let place = at_byte.index(bytes.len());
            bytes[place] ^= 1 << bit;
            if let Ok(other) = String::from_utf8(bytes) {
                // Hexadecimal digits may be written in capitals.
                prop_assume!(!other.eq_ignore_ascii_case(&header));
                prop_assert!(verify(&other, &body, &[SECRET], at(T)).is_err());
            }
        }
    }
}
