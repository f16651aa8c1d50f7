//! All routes, and what surrounds them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use millrace_config::Config;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{DefaultPredicate, NotForContentType},
    },
};
use tracing::Instrument as _;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::{
    account, admin, app::App, auth, discovery, email, health, mediaconvert, metrics, moderation,
    notifications, openapi, payments, playback, problem::Problem, relay, security, social, trace,
    unread, uploads, videos, web,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called in the log; rows of the audit log name it.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub String);

/// The documented routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .merge(auth::register::router())
        .merge(auth::routes::router())
        .merge(auth::second_step::router())
        .merge(auth::links::router())
        .merge(account::router())
        .merge(uploads::router())
        .merge(videos::routes::router())
        .merge(playback::routes::router())
        .merge(social::router())
        .merge(discovery::router())
        .merge(playback::extras::router())
        .merge(relay::routes::router())
        .merge(email::router())
        .merge(notifications::router())
        .merge(admin::router())
        .merge(mediaconvert::router())
        .merge(moderation::router())
        .merge(payments::router())
        .merge(health::router())
}

/// What the layers need of the settings.
struct Surroundings {
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Of the page that may be framed.
    framed: Vec<(HeaderName, HeaderValue)>,
    timeout: Duration,
    public_url: url::Url,
}

/// The whole service.
pub(crate) fn router(app: App, config: &Config) -> Router {
    let (api, mut document) = api().split_for_parts();
    openapi::complete(&mut document);
    let surroundings = Arc::new(Surroundings {
        headers: security::headers(config),
        framed: security::framed_headers(config),
        timeout: config.server.request_timeout,
        public_url: config.server.public_url.clone(),
    });
    let api = api
        .route(
            "/api/openapi.json",
            get(move || async move { Json(document) }),
        )
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(config.server.body_limit))
        .route_layer(from_fn(metrics::measure))
        .with_state(app);
    // Segments and posters are redirects, and text/event-stream must flow.
    let compress = DefaultPredicate::new().and(NotForContentType::new("image/"));
    let all = api
        .fallback_service(web::router(&config.web.dir))
        .layer(from_fn_with_state(surroundings.clone(), limit_time))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::from(anyhow::anyhow!("a handler panicked")).into_response()
        }))
        .layer(CompressionLayer::new().compress_when(compress));
    let all = match security::cors(config) {
        Some(cors) => all.layer(cors),
        None => all,
    };
    all.layer(from_fn_with_state(surroundings, surround))
        .layer(from_fn(unread::read_rest))
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address does not take that method",
    )
}

/// Answers 503 instead of letting a request wait for ever. Sockets have been upgraded by then.
async fn limit_time(
    State(around): State<Arc<Surroundings>>,
    request: Request,
    next: Next,
) -> Response {
    match tokio::time::timeout(around.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable(anyhow::anyhow!(
            "the request took longer than {:?}",
            around.timeout
        ))
        .into_response(),
    }
}

/// The outermost: a request id, a span, the public host name, and the headers of every answer.
async fn surround(
    State(around): State<Arc<Surroundings>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| {
            (8..=64).contains(&id.len())
                && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        })
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let traced = trace::span(&request);
    let page = is_page(request.uri().path());
    let span = tracing::info_span!(
        "request",
        request.id = id,
        trace_id = trace::id(&traced),
        http.method = %request.method(),
        http.path = page.then(|| request.uri().path()),
        // Of the API, not its path: some carry tokens. `metrics::measure` knows it.
        http.route = tracing::field::Empty,
        user.id = tracing::field::Empty,
    );
    request.extensions_mut().insert(RequestId(id.clone()));
    let framed = security::is_framed(request.uri().path());
    let method = request.method().clone();
    let mut response = answer(&around, request, next)
        .instrument(span)
        .instrument(traced.clone())
        .await;
    trace::ended(&traced, method.as_str(), &response);
    let headers = response.headers_mut();
    // What says nothing of keeping is for now and for whoever asked. Caches would guess otherwise, even with a 404.
    if !page {
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
    let own = if framed {
        &around.framed
    } else {
        &around.headers
    };
    for (name, value) in own {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Whether the web application answers.
fn is_page(path: &str) -> bool {
    !path.starts_with("/api/") && path != "/health" && path != "/ready"
}

async fn answer(around: &Surroundings, request: Request, next: Next) -> Response {
    let started = std::time::Instant::now();
    let path = request.uri().path();
    if matches!(*request.method(), Method::GET | Method::HEAD) && is_page(path) {
        let host = request
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        if let Some(there) = web::canonical(request.uri(), host, &around.public_url) {
            return Redirect::temporary(&there).into_response();
        }
    }
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let response = next.run(request).await;
    tracing::debug!(
        http.status = response.status().as_u16(),
        duration_ms = started.elapsed().as_millis() as u64,
        client.address = peer.map(tracing::field::display),
        "answered {}",
        response.status().as_u16()
    );
    response
}
