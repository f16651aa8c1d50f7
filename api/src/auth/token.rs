//! Access tokens: JWTs with one algorithm, known keys, and every claim required.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use millrace_domain::ids::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The only algorithm. Both ends are ours, so a shared key is enough; its rotation goes by `kid`.
const ALGORITHM: Algorithm = Algorithm::HS256;
/// RFC 9068: an access token can then not be mistaken for any other kind of JWT.
const TYPE: &str = "at+jwt";
/// Seconds that two servers' clocks may differ.
const LEEWAY: u64 = 5;

/// A key and its name.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub id: String,
    pub secret: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// How tokens are made and judged.
#[derive(Debug, Clone)]
pub(crate) struct TokenOptions {
    pub issuer: String,
    pub audience: String,
    pub ttl: Duration,
    /// Signs, and verifies.
    pub key: SigningKey,
    /// Verifies until the tokens that it signed have ended.
    pub previous: Option<SigningKey>,
}

/// What a valid token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub user: UserId,
    pub session: SessionId,
    pub expires_at: DateTime<Utc>,
}

/// Makes and judges access tokens.
pub(crate) struct AccessTokens {
    header: Header,
    encoding: EncodingKey,
    decoding: HashMap<String, DecodingKey>,
    validation: Validation,
    issuer: String,
    audience: String,
    ttl: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl AccessTokens {
    /// Keeps the keys.
    pub(crate) fn new(options: TokenOptions) -> Self {
        let mut header = Header::new(ALGORITHM);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(options.key.id.clone());
        let mut validation = Validation::new(ALGORITHM);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.set_audience(&[&options.audience]);
        validation.set_issuer(&[&options.issuer]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        let decoding = std::iter::once(&options.key)
            .chain(&options.previous)
            .map(|key| {
                (
                    key.id.clone(),
                    DecodingKey::from_secret(key.secret.as_bytes()),
                )
            })
            .collect();
        Self {
            header,
            encoding: EncodingKey::from_secret(options.key.secret.as_bytes()),
            decoding,
            validation,
            issuer: options.issuer,
            audience: options.audience,
            ttl: options.ttl,
        }
    }

    /// A token for `user`, signed in by `session`, good from now on.
    ///
    /// # Errors
    /// When the signature cannot be made.
    pub(crate) fn issue(&self, user: UserId, session: SessionId) -> anyhow::Result<String> {
        let now = Utc::now().timestamp();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user.0,
            sid: session.0,
            jti: Uuid::new_v4(),
            iat: now,
            nbf: now,
            exp: now + i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX / 2),
        };
        Ok(encode(&self.header, &claims, &self.encoding)?)
    }

    /// What `token` says, if it is ours, of this kind, in order and in time.
    pub(crate) fn verify(&self, token: &str) -> Option<Access> {
        let header = decode_header(token).ok()?;
        // A token that brings its own key, or demands what we do not know, is not one of ours.
        let plain = header.jwk.is_none()
            && header.jku.is_none()
            && header.x5u.is_none()
            && header.x5c.is_none()
            && header.crit.is_none()
            && header.cty.is_none();
        if !plain || header.alg != ALGORITHM || header.typ.as_deref() != Some(TYPE) {
            return None;
        }
        let key = self.decoding.get(header.kid.as_deref()?)?;
        let claims = decode::<Claims>(token, key, &self.validation).ok()?.claims;
        let now = Utc::now().timestamp();
        if claims.iat > now + i64::try_from(LEEWAY).unwrap_or(0) || claims.exp <= claims.iat {
            return None;
        }
        Some(Access {
            user: UserId(claims.sub),
            session: SessionId(claims.sid),
            expires_at: DateTime::from_timestamp(claims.exp, 0)?,
        })
    }

    /// How long a new token is good for.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessTokens")
            .field("keys", &self.decoding.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const OLD: &str = "fedcba9876543210fedcba9876543210";

    fn tokens() -> AccessTokens {
        let key = |id: &str, secret: &str| SigningKey {
            id: id.to_owned(),
            secret: secret.to_owned(),
        };
        AccessTokens::new(TokenOptions {
            issuer: "millrace".to_owned(),
            audience: "millrace-web".to_owned(),
            ttl: Duration::from_secs(900),
            key: key("k2", SECRET),
            previous: Some(key("k1", OLD)),
        })
    }

    fn header() -> Value {
        json!({"alg": "HS256", "typ": "at+jwt", "kid": "k2"})
    }

    fn claims() -> Value {
        let now = Utc::now().timestamp();
        json!({
            "iss": "millrace", "aud": "millrace-web", "sub": Uuid::now_v7(), "sid": Uuid::now_v7(),
            "jti": Uuid::now_v7(), "iat": now, "nbf": now, "exp": now + 900,
        })
    }

    /// Signs whatever it is given with the real HMAC, as somebody with the key would.
    fn sign(header: &Value, claims: &Value, secret: &str, algorithm: Algorithm) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let key = EncodingKey::from_secret(secret.as_bytes());
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    fn hs256(header: &Value, claims: &Value) -> String {
        sign(header, claims, SECRET, ALGORITHM)
    }

    fn with(mut base: Value, key: &str, value: Value) -> Value {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(key);
        } else {
            base[key] = value;
        }
        base
    }

    #[test]
    fn a_token_of_ours_is_accepted() {
        let tokens = tokens();
        let (user, session) = (UserId::new(), SessionId::new());
        let access = tokens
            .verify(&tokens.issue(user, session).unwrap())
            .unwrap();
        assert_eq!((access.user, access.session), (user, session));
        assert!(tokens.verify(&hs256(&header(), &claims())).is_some());
    }

    #[test]
    fn the_previous_key_is_accepted_under_its_own_name_only() {
        let old = with(header(), "kid", json!("k1"));
        assert!(
            tokens()
                .verify(&sign(&old, &claims(), OLD, ALGORITHM))
                .is_some()
        );
        assert!(
            tokens()
                .verify(&sign(&header(), &claims(), OLD, ALGORITHM))
                .is_none()
        );
        assert!(
            tokens()
                .verify(&sign(&old, &claims(), SECRET, ALGORITHM))
                .is_none()
        );
    }

    #[test]
    fn forged_claims_are_refused() {
        let now = Utc::now().timestamp();
        let forgeries = [
            ("iss", json!("evil")),
            ("iss", Value::Null),
            ("iss", json!(["millrace"])),
            ("iss", json!("")),
            ("aud", json!("other")),
            ("aud", Value::Null),
            ("aud", json!(["millrace-web", "other"])),
            ("aud", json!("")),
            ("sub", json!("admin")),
            ("sub", Value::Null),
            ("sub", json!(1)),
            ("sub", json!("")),
            ("sid", Value::Null),
            ("sid", json!("x")),
            ("jti", Value::Null),
            ("jti", json!(7)),
            ("exp", json!(now - 6)),
            ("exp", Value::Null),
            ("exp", json!("soon")),
            ("exp", json!(0)),
            ("exp", json!(-1)),
            ("exp", json!(now - 1_000_000)),
            ("exp", json!(true)),
            ("exp", json!([now + 900])),
            ("nbf", json!(now + 60)),
            ("nbf", Value::Null),
            ("nbf", json!("now")),
            ("iat", json!(now + 60)),
            ("iat", Value::Null),
            ("iat", json!("now")),
        ];
        for (claim, value) in forgeries {
            let token = hs256(&header(), &with(claims(), claim, value.clone()));
            assert!(tokens().verify(&token).is_none(), "{claim} = {value}");
        }
    }

    #[test]
    fn forged_headers_are_refused() {
        let forgeries = [
            ("alg", json!("none")),
            ("alg", json!("None")),
            ("alg", json!("HS512")),
            ("alg", json!("RS256")),
            ("alg", json!("EdDSA")),
            ("alg", json!("hs256")),
            ("alg", json!("")),
            ("alg", Value::Null),
            ("alg", json!(["HS256"])),
            ("typ", json!("JWT")),
            ("typ", Value::Null),
            ("typ", json!("rt+jwt")),
            ("typ", json!("")),
            ("typ", json!(1)),
            ("kid", json!("k3")),
            ("kid", Value::Null),
            ("kid", json!("")),
            ("kid", json!("../../dev/null")),
            ("kid", json!("k2' or '1'='1")),
            ("kid", json!(2)),
            ("jku", json!("https://evil.example/keys")),
            ("x5u", json!("https://evil.example/cert")),
            ("jwk", json!({"kty": "oct", "k": "AAAA"})),
            ("x5c", json!(["AAAA"])),
            ("crit", json!(["exp"])),
            ("cty", json!("JWT")),
        ];
        for (name, value) in forgeries {
            let token = hs256(&with(header(), name, value.clone()), &claims());
            assert!(tokens().verify(&token).is_none(), "{name} = {value}");
        }
    }

    #[test]
    fn forged_signatures_are_refused() {
        let good = hs256(&header(), &claims());
        let (message, signature) = good.rsplit_once('.').unwrap();
        let swapped = {
            let mut other = claims();
            other["sub"] = json!(Uuid::now_v7());
            format!(
                "{}.{}.{signature}",
                message.split('.').next().unwrap(),
                URL_SAFE_NO_PAD.encode(other.to_string())
            )
        };
        let forged = [
            message.to_owned(),
            format!("{message}."),
            format!("{message}.{}", "A".repeat(signature.len())),
            format!("{message}.{}", &signature[1..]),
            format!("{message}.{signature}x"),
            format!("{good}.{signature}"),
            format!(" {good}"),
            sign(
                &header(),
                &claims(),
                "another secret, just as long as it",
                ALGORITHM,
            ),
            sign(&header(), &claims(), "", ALGORITHM),
            sign(&header(), &claims(), SECRET, Algorithm::HS512),
            swapped,
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            "\u{0}".to_owned(),
        ];
        for token in forged {
            assert!(tokens().verify(&token).is_none(), "{token}");
        }
    }
}
