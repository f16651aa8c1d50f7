//! CloudFront as far as players meet it: it serves objects of the store to whoever shows cookies or an address that the
//! private key signed, says no to everybody else, and answers pages of one origin.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_domain::storage::{GetOptions, Storage};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use tokio::{net::TcpListener, task::JoinHandle};

/// The key pair that tests sign with.
pub const KEY_ID: &str = "K2JCJMDEHXQW5F";
pub const PRIVATE_KEY: &str = include_str!("../../domain/src/storage/fixtures/cdn_test_key.pem");
const PUBLIC_KEY: &[u8] = include_bytes!("../../domain/src/storage/fixtures/cdn_test_key.pub.der");

/// A CDN that listens and does not serve yet, since the stack must know its address to start.
pub struct Cdn {
    listener: TcpListener,
    address: String,
}

/// A CDN that serves. It ends when it is dropped.
pub struct ServingCdn {
    served: Arc<Mutex<Vec<Served>>>,
    task: JoinHandle<()>,
}

/// What it answered to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub path: String,
    pub status: u16,
    /// By what: cookies, the address, or nothing.
    pub shown: Shown,
    /// From a page, as browsers say.
    pub origin: bool,
}

/// How a viewer proves that it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Nothing,
    Cookies,
    Address,
}

#[derive(Clone)]
struct Edge {
    /// As viewers see it.
    address: String,
    /// The origin whose pages may use it.
    origin: String,
    storage: Storage,
    http: reqwest::Client,
    served: Arc<Mutex<Vec<Served>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(rename = "Statement")]
    statements: [Statement; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Resource")]
    resource: String,
    #[serde(rename = "Condition")]
    condition: Condition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    #[serde(rename = "DateLessThan")]
    ends: Epoch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Epoch {
    #[serde(rename = "AWS:EpochTime")]
    seconds: i64,
}

impl Cdn {
    /// Takes a free port.
    ///
    /// # Errors
    /// That there is none.
    pub async fn bind() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, address })
    }

    /// What `delivery.cdn_url` must be.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Serves what `storage` has to pages of `origin`.
    pub fn serve(self, storage: Storage, origin: &str) -> ServingCdn {
        let served = Arc::default();
        let edge = Edge {
            address: self.address,
            origin: origin.to_owned(),
            storage,
            http: reqwest::Client::new(),
            served: Arc::clone(&served),
        };
        let router = Router::new().fallback(answer).with_state(edge);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(self.listener, router).await {
                panic!("the CDN ended: {error}");
            }
        });
        ServingCdn { served, task }
    }
}

impl ServingCdn {
    /// What it answered, in order.
    pub fn served(&self) -> Vec<Served> {
        self.served
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for ServingCdn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(edge): State<Edge>, request: Request) -> Response {
    let (shown, allowed) = edge.judge(
        request.uri().path(),
        request.uri().query(),
        request.headers(),
    );
    let mut response = if *request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else if let Err(code) = allowed {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
        (
            StatusCode::FORBIDDEN,
            [(header::CONTENT_TYPE, "text/xml")],
            body,
        )
            .into_response()
    } else {
        match edge
            .fetch(request.method(), request.uri().path(), request.headers())
            .await
        {
            Ok(response) => response,
            Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
        }
    };
    let origin = request.headers().get(header::ORIGIN);
    if origin.is_some_and(|origin| origin.as_bytes() == edge.origin.as_bytes()) {
        edge.welcome(response.headers_mut());
    }
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    edge.served
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Served {
            path: request.uri().path().to_owned(),
            status: response.status().as_u16(),
            shown,
            origin: origin.is_some(),
        });
    response
}

impl Edge {
    /// Whether the viewer may, and what it showed. Like CloudFront: an address that is signed is judged by itself,
    /// whatever cookies come along.
    fn judge(
        &self,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> (Shown, Result<(), &'static str>) {
        let resource = format!("{}{path}", self.address);
        if let Some(query) = query {
            let value = |name: &str| {
                let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                pairs
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.to_owned())
            };
            let policy = value("Expires").map(|ends| {
                format!(r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{ends}}}}}}}]}}"#)
            });
            let proof = (
                policy,
                value("Signature"),
                value("Key-Pair-Id"),
                value("Hash-Algorithm"),
            );
            return (Shown::Address, verify(&resource, proof));
        }
        let pairs: Vec<(&str, &str)> = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split("; "))
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| name.starts_with("CloudFront-"))
            .collect();
        if pairs.is_empty() {
            return (Shown::Nothing, Err("MissingKey"));
        }
        let value = |name: &str| {
            let mut values = pairs.iter().filter(|(key, _)| *key == name);
            let first = values.next()?.1.to_owned();
            // Those of another video, too: it cannot be told which is meant.
            values.next().is_none().then_some(first)
        };
        let policy = value("CloudFront-Policy")
            .and_then(|policy| decode(&policy))
            .and_then(|policy| String::from_utf8(policy).ok());
        let proof = (
            policy,
            value("CloudFront-Signature"),
            value("CloudFront-Key-Pair-Id"),
            value("CloudFront-Hash-Algorithm"),
        );
        (Shown::Cookies, verify(&resource, proof))
    }

    async fn fetch(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Response> {
        let options = GetOptions {
            ttl: std::time::Duration::from_secs(60),
            shared: true,
        };
        let key = path.trim_start_matches('/');
        let url = match *method {
            Method::GET => self.storage.presign_get(key, options).await?,
            Method::HEAD => self.storage.presign_head(key, options).await?,
            _ => return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
        };
        let mut request = self.http.request(method.clone(), url);
        if let Some(range) = headers.get(header::RANGE) {
            request = request.header(header::RANGE, range);
        }
        let object = request.send().await?;
        let mut response = Response::builder().status(object.status());
        for name in [
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
            header::CONTENT_RANGE,
            header::ACCEPT_RANGES,
            header::CACHE_CONTROL,
            header::ETAG,
        ] {
            if let Some(value) = object.headers().get(&name) {
                response = response.header(name, value);
            }
        }
        response
            .body(Body::from(object.bytes().await?))
            .context("an answer that is none")
    }

    fn welcome(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.as_str()),
            (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "range"),
            (
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                "content-length, content-range",
            ),
            (header::VARY, "origin"),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert::<HeaderName>(name, value);
            }
        }
    }
}

type Proof = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn verify(resource: &str, proof: Proof) -> Result<(), &'static str> {
    let (Some(policy), Some(signature), Some(key), Some(hash)) = proof else {
        return Err("MissingKey");
    };
    if key != KEY_ID {
        return Err("InvalidKey");
    }
    // The other one that CloudFront knows, SHA-1, nobody should use.
    if hash != "SHA256" {
        return Err("AccessDenied");
    }
    let genuine = decode(&signature).is_some_and(|signature| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY)
            .verify(policy.as_bytes(), &signature)
            .is_ok()
    });
    let Ok(Policy {
        statements: [statement],
    }) = serde_json::from_str(&policy)
    else {
        return Err("MalformedPolicy");
    };
    let over = statement.condition.ends.seconds <= chrono::Utc::now().timestamp();
    if !genuine || over || !matches(&statement.resource, resource) {
        return Err("AccessDenied");
    }
    Ok(())
}

/// Whether `*` in the pattern, for any characters, makes it the resource.
fn matches(pattern: &str, resource: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == resource,
        Some((start, rest)) => resource.strip_prefix(start).is_some_and(|left| {
            (0..=left.len()).any(|at| left.is_char_boundary(at) && matches(rest, &left[at..]))
        }),
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let plain = text.replace('-', "+").replace('_', "=").replace('~', "/");
    STANDARD.decode(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, resource, wanted) in [
            ("http://c/a/*", "http://c/a/b/c", true),
            ("http://c/a/*", "http://c/b", false),
            ("http://c/a", "http://c/a", true),
            ("http://c/a", "http://c/ab", false),
            ("*x*", "axb", true),
        ] {
            assert_eq!(matches(pattern, resource), wanted, "{pattern} {resource}");
        }
    }
}
