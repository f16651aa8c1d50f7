//! The span of a request in an OpenTelemetry trace: a child of what the caller's `traceparent` names, and the parent of the
//! jobs that the request enqueues.

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use millrace_queue::TRACE_TARGET;
use opentelemetry::{Context, global, trace::TraceContextExt as _};
use opentelemetry_http::HeaderExtractor;
use tracing::{Level, Span, field::Empty};

/// The span of `request`. None when nothing is traced, and for probes, pages and their assets, which would be most of what
/// is sent.
pub(crate) fn span(request: &Request) -> Span {
    let path = request.uri().path();
    if !path.starts_with("/api/") || !tracing::span_enabled!(target: TRACE_TARGET, Level::TRACE) {
        return Span::none();
    }
    let caller = HeaderExtractor(request.headers());
    let _parent = global::get_text_map_propagator(|known| known.extract(&caller)).attach();
    tracing::trace_span!(
        target: TRACE_TARGET,
        "request",
        otel.name = request.method().as_str(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = request.method().as_str(),
        http.response.status_code = Empty,
        // Not the path: some carry tokens.
        http.route = Empty,
        error.r#type = Empty,
    )
}

/// The id under which collectors and logs know its trace.
pub(crate) fn id(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let id = span.in_scope(|| Context::map_current(|cx| cx.span().span_context().trace_id()));
    Some(id.to_string())
}

/// Notes what was answered, and by which route.
pub(crate) fn ended(span: &Span, method: &str, response: &Response) {
    if span.is_disabled() {
        return;
    }
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_str());
    }
    if let Some(route) = response.extensions().get::<MatchedPath>() {
        let route = route.as_str();
        span.record("http.route", route);
        let name = format!("{method} {route}");
        span.in_scope(|| Context::map_current(|cx| cx.span().update_name(name)));
    }
}
