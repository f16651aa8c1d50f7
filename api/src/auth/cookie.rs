//! The refresh cookie, and the check of who may use it.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};

use crate::{app::App, problem::Problem};

/// The cookie that carries the refresh token. Scripts cannot read it, and it travels to /api/auth alone.
pub(crate) const REFRESH_COOKIE: &str = "millrace_refresh";

/// The `Set-Cookie` header that stores `token`, or with an empty token and no time, removes it.
pub(crate) fn set_cookie(token: &str, ttl: Duration, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!(
        "{REFRESH_COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/api/auth; Max-Age={}{secure}",
        ttl.as_secs()
    );
    // Tokens are base64url; nothing in here can be refused.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Proof that a request with a cookie was made by our own page (or by no page at all): otherwise another site
/// could spend a visitor's cookie. SameSite=Strict says the same, but not for sibling subdomains.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SameOrigin;

impl FromRequestParts<App> for SameOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if app.settings.origins.admit(&parts.headers) {
            Ok(Self)
        } else {
            Err(Problem::forbidden("this page may not use the cookie"))
        }
    }
}

/// The origins that pages of ours have.
#[derive(Debug, Clone)]
pub(crate) struct Origins(Vec<String>);

impl Origins {
    /// The public origin and those that were allowed besides.
    pub(crate) fn new(public: String, others: impl IntoIterator<Item = String>) -> Self {
        let mut all = vec![public];
        all.extend(
            others
                .into_iter()
                .map(|o| o.trim_end_matches('/').to_owned()),
        );
        Self(all)
    }

    /// Whether a request may have come from a page of ours. Programs send neither header, and hold no cookies
    /// of anybody else.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        if let Some(origin) = headers.get(header::ORIGIN) {
            return origin
                .to_str()
                .is_ok_and(|origin| self.0.iter().any(|o| o == origin));
        }
        headers
            .get("sec-fetch-site")
            .is_none_or(|site| site == "same-origin" || site == "none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(name: &'static str, value: &'static str) -> bool {
        let origins = Origins::new(
            "https://tube.example".to_owned(),
            ["https://dev.example/".to_owned()],
        );
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        origins.admit(&headers)
    }

    #[test]
    fn only_exact_origins_are_admitted() {
        assert!(admit("origin", "https://tube.example") && admit("origin", "https://dev.example"));
        for other in [
            "https://tube.example.evil",
            "http://tube.example",
            "null",
            "https://x.tube.example",
            "",
        ] {
            assert!(!admit("origin", other), "{other}");
        }
        assert!(!admit("sec-fetch-site", "cross-site") && !admit("sec-fetch-site", "same-site"));
        assert!(admit("sec-fetch-site", "same-origin") && admit("user-agent", "curl"));
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts() {
        let cookie = set_cookie("abc", Duration::from_secs(60), true);
        let expected =
            "millrace_refresh=abc; HttpOnly; SameSite=Strict; Path=/api/auth; Max-Age=60; Secure";
        assert_eq!(cookie, expected);
    }
}
