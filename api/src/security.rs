//! Headers that every answer carries, and who may call from a browser.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use millrace_config::Config;
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

/// Names and values for every answer.
pub(crate) fn headers(config: &Config) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![
        (header::CONTENT_SECURITY_POLICY, policy(config)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (
            header::REFERRER_POLICY,
            "strict-origin-when-cross-origin".to_owned(),
        ),
        (header::X_FRAME_OPTIONS, "DENY".to_owned()),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin".to_owned(),
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=()".to_owned(),
        ),
    ];
    if config.server.public_url.scheme() == "https" {
        headers.push((
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains".to_owned(),
        ));
    }
    headers
        .into_iter()
        .filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?)))
        .collect()
}

/// Those of the one page that other sites may show in a frame. It holds a player and nothing that could be clicked on
/// behalf of somebody: in a frame of another site, nobody is logged in, since the refresh cookie is SameSite=Strict.
pub(crate) fn framed_headers(config: &Config) -> Vec<(HeaderName, HeaderValue)> {
    let framed = policy(config).replace("frame-ancestors 'none'", "frame-ancestors *");
    headers(config)
        .into_iter()
        .filter(|(name, _)| name != header::X_FRAME_OPTIONS)
        .map(|(name, value)| match HeaderValue::from_str(&framed) {
            Ok(policy) if name == header::CONTENT_SECURITY_POLICY => (name, policy),
            _ => (name, value),
        })
        .collect()
}

/// Whether the page at `path` may be framed: `/embed/` and a video's id, exactly.
pub(crate) fn is_framed(path: &str) -> bool {
    path.strip_prefix("/embed/")
        .is_some_and(|id| id.len() == 36 && id.parse::<uuid::Uuid>().is_ok())
}

/// No script but ours, no inline script, no frame. The store is where media comes from and uploads go to.
fn policy(config: &Config) -> String {
    let storage = [&config.storage.public_endpoint, &config.storage.endpoint]
        .into_iter()
        .find(|endpoint| !endpoint.is_empty())
        .and_then(|endpoint| endpoint.parse::<Url>().ok())
        .map_or_else(
            // AWS: the bucket's own host.
            || {
                format!(
                    "https://{}.s3.{}.amazonaws.com",
                    config.storage.bucket, config.storage.region
                )
            },
            |url| url.origin().ascii_serialization(),
        );
    // A CDN besides the store: uploads still go there, and private media may come from there.
    let cdn = config.delivery.cdn().ok().flatten();
    let storage = match cdn.map(|cdn| cdn.origin().ascii_serialization()) {
        Some(cdn) if cdn != storage => format!("{storage} {cdn}"),
        _ => storage,
    };
    let public = &config.server.public_url;
    let socket = public
        .origin()
        .ascii_serialization()
        .replacen("http", "ws", 1);
    // Element Plus places its popups by style attributes; there is no way to inject a style sheet with one.
    // hls.js runs its demuxer in a worker made of a blob, and feeds the player by one.
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
         img-src 'self' data: blob: {storage}; media-src 'self' blob: {storage}; \
         connect-src 'self' {socket} {storage}; worker-src 'self' blob:; font-src 'self' data:; object-src 'none'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

/// Origins besides our own that may call: exactly those that are configured. None, and no answer speaks of origins.
pub(crate) fn cors(config: &Config) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = config
        .server
        .allowed_origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok())
        .collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PATCH,
            Method::PUT,
            Method::DELETE,
        ])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::ETAG, header::LOCATION, header::RETRY_AFTER])
        .allow_credentials(true)
        .max_age(Duration::from_secs(600));
    Some(layer)
}
