//! The mailbox in a browser: a list, one mail, its HTML in a frame that runs nothing, search and clear. Without scripts.
//!
//! It has an origin of its own, so that what a mail holds is never on the application's. Requests must name this machine
//! as their host: a page elsewhere whose name was pointed here reads no links of anybody.

use std::{io, net::SocketAddr};

use askama::Template;
use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Mail, MailStore, words::Words};

/// The page itself: no scripts, nothing from elsewhere.
const PAGE: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; \
                    frame-ancestors 'none'; base-uri 'none'";
/// What a mail holds: pictures may be in it, links open a window, and nothing else.
const FRAMED: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; \
                      style-src 'unsafe-inline'; frame-ancestors 'self'";

#[derive(Template)]
#[template(path = "mailbox.html")]
struct MailboxPage<'a> {
    words: &'static Words,
    mails: &'a [Mail],
    query: &'a str,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage<'a> {
    words: &'static Words,
    mail: &'a Mail,
}

#[derive(Debug, Default, Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

/// The routes; `here` is where they are served.
pub(super) fn router(store: MailStore, here: SocketAddr) -> Router {
    Router::new()
        .route("/", get(async || Redirect::to("/mailbox")))
        .route("/mailbox", get(list))
        .route("/mailbox.json", get(list_json))
        .route("/mailbox/clear", post(clear))
        .route("/mailbox/{id}", get(show))
        .route("/mailbox/{id}/html", get(html))
        .route("/mailbox/{id}/source", get(source))
        .with_state(store)
        .layer(from_fn(guard_headers))
        .layer(from_fn_with_state(here, guard_host))
}

async fn list(
    State(store): State<MailStore>,
    headers: HeaderMap,
    Query(search): Query<Search>,
) -> Response {
    let words = Words::of(&headers);
    let query = search.q.clone();
    match blocking(move || store.list(&search.q)).await {
        Ok(mails) => render(&MailboxPage {
            words,
            mails: &mails,
            query: &query,
        }),
        Err(failed) => failed,
    }
}

/// The same for tests and scripts.
async fn list_json(State(store): State<MailStore>, Query(search): Query<Search>) -> Response {
    match blocking(move || store.list(&search.q)).await {
        Ok(mails) => {
            let mails = mails.iter().map(|mail| {
                json!({
                    "id": mail.id, "arrived": mail.arrived, "from": mail.from, "to": mail.to,
                    "subject": mail.subject, "text": mail.text, "html": mail.html, "headers": mail.headers,
                })
            });
            Json(mails.collect::<Vec<_>>()).into_response()
        }
        Err(failed) => failed,
    }
}

async fn show(
    State(store): State<MailStore>,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Response {
    let words = Words::of(&headers);
    with_mail(store, id, |mail| render(&MailPage { words, mail })).await
}

async fn html(State(store): State<MailStore>, Path(id): Path<Uuid>) -> Response {
    with_mail(store, id, |mail| {
        let Some(html) = &mail.html else {
            return gone();
        };
        // Links leave the frame.
        let page = html.replacen("<head>", "<head><base target=\"_blank\">", 1);
        ([(header::CONTENT_SECURITY_POLICY, FRAMED)], Html(page)).into_response()
    })
    .await
}

async fn source(State(store): State<MailStore>, Path(id): Path<Uuid>) -> Response {
    with_mail(store, id, |mail| {
        let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        (plain, mail.source.clone()).into_response()
    })
    .await
}

async fn clear(State(store): State<MailStore>) -> Response {
    match blocking(move || store.clear()).await {
        Ok(()) => Redirect::to("/mailbox").into_response(),
        Err(failed) => failed,
    }
}

async fn with_mail(store: MailStore, id: Uuid, show: impl FnOnce(&Mail) -> Response) -> Response {
    match blocking(move || store.find(id)).await {
        Ok(Some(mail)) => show(&mail),
        Ok(None) => gone(),
        Err(failed) => failed,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Response> {
    let done = spawn_blocking(work).await.map_err(io::Error::other);
    done.flatten().map_err(|error| {
        tracing::warn!(%error, "the mailbox cannot be read");
        let text = "The mailbox cannot be read; the log says why.\n";
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    })
}

fn render(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the mailbox cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn gone() -> Response {
    (StatusCode::NOT_FOUND, "There is no such mail.\n").into_response()
}

async fn guard_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(PAGE));
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn guard_host(State(here): State<SocketAddr>, request: Request, next: Next) -> Response {
    if is_of_this_machine(&request, here) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "The mailbox is for this machine.\n").into_response()
    }
}

fn is_of_this_machine(request: &Request, here: SocketAddr) -> bool {
    let named = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    let ours = [here.to_string(), format!("localhost:{}", here.port())];
    ours.iter().any(|host| {
        // Forms of other pages carry theirs.
        let origin = format!("http://{host}");
        named(header::HOST) == Some(host.as_bytes())
            && named(header::ORIGIN).is_none_or(|from| from == origin.as_bytes())
    })
}
