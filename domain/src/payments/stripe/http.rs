//! The calls: keys, time limits, repetition.
//!
//! Hyper itself, not reqwest: reqwest's TLS is a feature of the whole workspace, and with it every other client here would
//! read the system's certificates and panic where no provider of cryptography was installed before.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request,
    header::{
        AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue, RETRY_AFTER,
    },
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::de::DeserializeOwned;
use url::{Url, form_urlencoded};

use super::{
    VERSION,
    wire::{Listed, Refusal, Reply},
};
use crate::payments::ProviderError;

/// Where Stripe is.
const STRIPE: &str = "https://api.stripe.com";
/// How often a call is tried.
const TRIES: u32 = 3;
/// The longest wait that a call itself makes; a longer one is the job's.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer that is longer is none of ours, in bytes.
const LIMIT: usize = 8 << 20;
/// A list is read up to here, in pages of a hundred.
const PAGES: usize = 10_000;
/// Their ids are letters, digits, `_` and `-`.
const ID: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    #[error("the provider's address must be http or https, and nothing but a host")]
    Address,
    #[error("the provider's key cannot be sent")]
    Key(#[from] InvalidHeaderValue),
    #[error("the system has no certificates to know the provider by")]
    Certificates(#[source] std::io::Error),
    #[error("https cannot be spoken")]
    Tls(#[from] rustls::Error),
}

/// One call.
pub(super) struct Call<'a> {
    method: Method,
    path: &'a str,
    params: Vec<(String, String)>,
    key: Option<String>,
    repeatable: bool,
}

/// What calls are made with.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: String,
    authorization: HeaderValue,
    timeout: Duration,
}

/// Why one try failed, and whether another one may help.
struct Failed {
    error: ProviderError,
    again: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: &'a str, params: Vec<(String, String)>) -> Self {
        Self {
            method,
            path,
            params,
            key: None,
            repeatable: false,
        }
    }

    pub(super) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path, Vec::new()).repeatable()
    }

    pub(super) fn post(path: &'a str, params: Vec<(String, String)>) -> Self {
        Self::new(Method::POST, path, params)
    }

    /// A parameter more.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Said again with this key, it is done once.
    pub(super) fn keyed(mut self, key: String) -> Self {
        self.key = Some(key);
        self.repeatable()
    }

    /// Done twice, it is as if it were done once.
    pub(super) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}

impl Http {
    pub(super) fn new(endpoint: &str, key: &str, timeout: Duration) -> Result<Self, StripeError> {
        let endpoint = if endpoint.is_empty() {
            STRIPE
        } else {
            endpoint
        };
        let url: Url = endpoint.parse().map_err(|_| StripeError::Address)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.path() != "/" {
            return Err(StripeError::Address);
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {key}"))?;
        authorization.set_sensitive(true);
        let builder = HttpsConnectorBuilder::new();
        let connector = if url.scheme() == "https" {
            builder
                .with_provider_and_native_roots(ring::default_provider())
                .map_err(StripeError::Certificates)?
                .https_only()
                .enable_http1()
                .build()
        } else {
            // The sandbox, which needs no certificates; there may be none.
            let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
                .with_safe_default_protocol_versions()?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
            builder
                .with_tls_config(tls)
                .https_or_http()
                .enable_http1()
                .build()
        };
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            authorization,
            timeout,
        })
    }

    /// Makes a call, again where that is safe and may help.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
    ) -> Result<T, ProviderError> {
        let mut tried = 0;
        let body = loop {
            tried += 1;
            let outcome = match tokio::time::timeout(self.timeout, self.once(&call)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(lost("it took too long")),
            };
            let failed = match outcome {
                Ok(body) => break body,
                Err(failed) => failed,
            };
            if tried == TRIES || !call.repeatable || !failed.again {
                return Err(failed.error);
            }
            let pause = match failed.error {
                ProviderError::Busy {
                    retry_after: Some(asked),
                    ..
                } if asked > PATIENCE => return Err(failed.error),
                ProviderError::Busy {
                    retry_after: Some(asked),
                    ..
                } => asked,
                // Many that failed together are not to come back together.
                _ => Duration::from_millis(rand::random_range(150..300) << (tried - 1)),
            };
            tracing::debug!(error = %failed.error, path = call.path, "the provider is asked again");
            tokio::time::sleep(pause).await;
        };
        serde_json::from_slice(&body)
            .map_err(|error| ProviderError::Answer(format!("{}: {error}", call.path)))
    }

    /// A list, whole, newest first as they give it.
    pub(super) async fn all<T: DeserializeOwned + Listed>(
        &self,
        path: &str,
        params: &[(&str, &str)],
    ) -> Result<Vec<T>, ProviderError> {
        let mut gathered: Vec<T> = Vec::new();
        for _page in 0..PAGES {
            let mut call = Call::get(path).with("limit", "100");
            for (name, value) in params {
                call = call.with(name, value);
            }
            if let Some(last) = gathered.last() {
                call = call.with("starting_after", last.id());
            }
            let page: super::List<T> = self.send(call).await?;
            let ends = !page.has_more || page.data.is_empty();
            gathered.extend(page.data);
            if ends {
                return Ok(gathered);
            }
        }
        Err(ProviderError::Answer(format!("{path} does not end")))
    }

    async fn once(&self, call: &Call<'_>) -> Result<Bytes, Failed> {
        let answer = self
            .client
            .request(self.request(call)?)
            .await
            .map_err(|error| lost(&chain(&error)))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LIMIT)
            .collect()
            .await
            .map_err(|error| lost(&error.to_string()))?
            .to_bytes();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(refusal(head.status.as_u16(), &head.headers, &body))
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, Failed> {
        let params = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&call.params)
            .finish();
        let mut request = Request::builder()
            .method(call.method.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header("Stripe-Version", VERSION);
        if let Some(key) = &call.key {
            request = request.header("Idempotency-Key", key);
        }
        let (endpoint, path) = (&self.endpoint, call.path);
        let built = if call.method == Method::GET {
            request
                .uri(format!("{endpoint}{path}?{params}"))
                .body(Full::default())
        } else {
            request
                .uri(format!("{endpoint}{path}"))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Full::from(params))
        };
        built.map_err(|error| Failed {
            error: ProviderError::Answer(format!("{path} cannot be asked for: {error}")),
            again: false,
        })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.endpoint)
    }
}

/// An id as a part of a path.
pub(super) fn segment(id: &str) -> String {
    utf8_percent_encode(id, ID).to_string()
}

fn lost(why: &str) -> Failed {
    Failed {
        error: ProviderError::Unreachable(why.to_owned()),
        again: true,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// What an answer means that is not what was asked for.
fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> Failed {
    let Refusal {
        kind,
        code,
        message,
    } = serde_json::from_slice::<Reply>(body)
        .map(|reply| reply.error)
        .unwrap_or_default();
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let busy = ProviderError::Busy {
        status,
        retry_after: header(RETRY_AFTER.as_str())
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs),
    };
    let error = match status {
        401 | 403 => ProviderError::Unauthorized,
        404 => ProviderError::NotFound,
        // 409: another call with this key is under way.
        409 | 429 | 500.. => busy,
        _ => ProviderError::Refused {
            code: code.or(kind).unwrap_or_else(|| format!("http_{status}")),
            message: message
                .unwrap_or_default()
                .chars()
                .take(300)
                .collect::<String>(),
        },
    };
    // They know best whether anything came of it.
    let again = match header("stripe-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => error.may_pass(),
    };
    Failed { error, again }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Failed {
        refusal(status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn refusals_are_told_from_what_may_pass() {
        let declined = of(
            402,
            r#"{"error":{"type":"card_error","code":"card_declined","message":"Your card was declined."}}"#,
        );
        assert!(
            matches!(&declined.error, ProviderError::Refused { code, .. } if code == "card_declined")
        );
        assert!(!declined.again);
        let reused = of(400, r#"{"error":{"type":"idempotency_error"}}"#);
        assert!(
            matches!(&reused.error, ProviderError::Refused { code, .. } if code == "idempotency_error")
        );
        for status in [409, 429, 500, 503] {
            assert!(of(status, "<html>").again, "{status}");
        }
        assert!(matches!(of(401, "").error, ProviderError::Unauthorized));
        assert!(matches!(of(404, "").error, ProviderError::NotFound));
        assert!(!of(404, "").again);
    }

    #[test]
    fn they_say_whether_to_ask_again_and_when() {
        let mut headers = HeaderMap::new();
        headers.insert("stripe-should-retry", HeaderValue::from_static("false"));
        headers.insert("retry-after", HeaderValue::from_static("7"));
        let failed = refusal(500, &headers, b"");
        assert!(!failed.again);
        assert!(
            matches!(failed.error, ProviderError::Busy { status: 500, retry_after: Some(wait) } if wait.as_secs() == 7)
        );
    }

    #[test]
    fn an_id_leads_nowhere_else() {
        assert_eq!(segment("cs_test_a1-B"), "cs_test_a1-B");
        assert_eq!(segment("../x?y#z"), "%2E%2E%2Fx%3Fy%23z");
    }

    #[test]
    fn an_address_must_be_one() {
        let new = |endpoint| Http::new(endpoint, "sk", Duration::from_secs(1));
        assert!(new("http://127.0.0.1:1").is_ok());
        assert!(new("http://127.0.0.1:1/").is_ok());
        for wrong in ["ftp://x", "http://127.0.0.1/v1", "nonsense"] {
            assert!(matches!(new(wrong), Err(StripeError::Address)), "{wrong}");
        }
        assert!(Http::new("http://127.0.0.1:1", "a\nb", Duration::ZERO).is_err());
    }
}
