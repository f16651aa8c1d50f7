//! The built web application: hashed assets for ever, all else never from a cache unasked, and the page for every
//! address that is no file, because it has its own routes.

use std::path::Path;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use tower_http::services::{ServeDir, ServeFile};

use crate::problem::Problem;

/// Serves `dir`. Files with a `.br` or `.gz` beside them are sent compressed to whoever takes that.
pub(crate) fn router(dir: &Path) -> Router {
    let page = ServeFile::new(dir.join("index.html"))
        .precompressed_br()
        .precompressed_gzip();
    let files = ServeDir::new(dir)
        .precompressed_br()
        .precompressed_gzip()
        // A folder is no page either: `/` and every other address without a file get the page itself.
        .append_index_html_on_directories(false)
        .fallback(page);
    Router::new().fallback_service(files).layer(from_fn(rules))
}

/// What the files cannot know: which address is no page, and what may be kept.
async fn rules(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if path == "/api" || path.starts_with("/api/") {
        return Problem::not_found().into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "there are only pages here",
        )
        .into_response();
    }
    let mut response = next.run(request).await;
    let asset = path.starts_with("/assets/");
    let page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if response.status() == StatusCode::NOT_FOUND || (asset && page) {
        // An old page that asks for an asset of the last release must not get a page instead.
        return missing(&path);
    }
    // By address, not by content type: a 304 has none, and what it says of keeping replaces what was said before.
    // Files without a hash (the page, the script that it boots the theme with) must fit each other: asked for anew.
    let caching = if asset {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

fn missing(path: &str) -> Response {
    let text = if path == "/" {
        "The web application has not been built: run `npm ci && npm run build` in frontend/.\n"
    } else {
        "Not found.\n"
    };
    (
        StatusCode::NOT_FOUND,
        [(header::CACHE_CONTROL, "no-store")],
        text,
    )
        .into_response()
}

/// The address under the public name for a request that came under another one.
pub(crate) fn canonical(uri: &Uri, host: Option<&str>, public: &url::Url) -> Option<String> {
    let authority = match public.port() {
        Some(port) => format!("{}:{port}", public.host_str()?),
        None => public.host_str()?.to_owned(),
    };
    let host = host?;
    if host.eq_ignore_ascii_case(&authority) {
        return None;
    }
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    Some(format!("{}{path}", public.origin().ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_lead_to_the_public_one() {
        let public = "http://127.0.0.1:8080".parse().unwrap();
        let uri: Uri = "/videos?x=1".parse().unwrap();
        assert_eq!(canonical(&uri, Some("127.0.0.1:8080"), &public), None);
        assert_eq!(canonical(&uri, None, &public), None);
        let there = Some("http://127.0.0.1:8080/videos?x=1".to_owned());
        assert_eq!(canonical(&uri, Some("localhost:8080"), &public), there);
        assert_eq!(
            canonical(&"//evil.example".parse().unwrap(), Some("x"), &public).unwrap(),
            "http://127.0.0.1:8080//evil.example"
        );
    }
}
