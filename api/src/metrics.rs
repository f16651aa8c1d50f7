//! Prometheus metrics, on a port of their own.

use std::time::Instant;

use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
    routing::get,
};

/// `/metrics`
pub(crate) fn router() -> Router {
    Router::new().route(
        "/metrics",
        get(|| async { millrace_config::metrics().render() }),
    )
}

/// Counts requests and how long they take, by route: paths themselves are too many. What is logged meanwhile names it too.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let route = path
        .as_ref()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    tracing::Span::current().record("http.route", &*route);
    let method = request.method().as_str().to_owned();
    let started = Instant::now();
    let mut response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("millrace_http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!("millrace_http_request_seconds", "route" => route)
        .record(started.elapsed().as_secs_f64());
    // For the trace, which begins further out.
    if let Some(path) = path {
        response.extensions_mut().insert(path);
    }
    response
}
