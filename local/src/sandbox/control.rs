//! The calls under `/sandbox`; the module says what they do. They take JSON alone, which a page elsewhere cannot send here.

use axum::{
    Json, Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    book::Book,
    deliveries::{Due, Weather},
    form::{No, reply},
    server::Shared,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failures {
    next: u32,
    #[serde(default)]
    lost: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    next: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    payment_intent: String,
    amount: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    #[serde(alias = "won", alias = "succeeded", alias = "paid")]
    yes: bool,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/orders/{order}", get(order))
        .route("/deliveries", get(deliveries).put(weather))
        .route("/deliveries/release", post(release))
        .route("/events/{event}/deliver", post(deliver))
        .route("/failures", post(failures))
        .route("/disputes", post(dispute))
        .route("/disputes/{dispute}", post(decide))
        .route("/refunds", post(refund))
        .route("/refunds/pending", post(slow))
        .route("/refunds/{refund}", post(settle))
        .route("/subscriptions/{subscription}/advance", post(advance))
}

async fn order(State(shared): State<Shared>, Path(order): Path<String>) -> Response {
    let newest = |book: &Book, kind: &str| {
        let id = book
            .list(&format!("{kind}:{order}"))
            .next_back()
            .map(|found| found["id"].clone());
        id.unwrap_or_default()
    };
    answer(shared.read(|book| {
        let session = newest(book, "checkout.session");
        if session.is_null() {
            return Err(No::missing("order", &order));
        }
        Ok(json!({
            "session": session, "payment_intent": newest(book, "payment_intent"),
            "subscription": newest(book, "subscription"),
        }))
    }))
}

async fn deliveries(State(shared): State<Shared>) -> Json<Value> {
    Json(shared.deliveries().show())
}

async fn weather(State(shared): State<Shared>, Json(weather): Json<Weather>) -> Json<Value> {
    let mut deliveries = shared.deliveries();
    deliveries.set(weather);
    Json(deliveries.show())
}

async fn release(State(shared): State<Shared>) -> Json<Value> {
    let due = shared.deliveries().release();
    shared.tell(due);
    Json(shared.deliveries().show())
}

async fn deliver(State(shared): State<Shared>, Path(event): Path<String>) -> Response {
    let found = shared.read(|book| book.find("event", &event));
    if found.is_ok() {
        shared.tell(vec![Due {
            event,
            delay: std::time::Duration::ZERO,
        }]);
    }
    answer(found)
}

async fn failures(State(shared): State<Shared>, Json(asked): Json<Failures>) -> Json<Value> {
    let mut trouble = shared.trouble();
    (trouble.failures, trouble.lost) = (asked.next, asked.lost);
    Json(json!({}))
}

async fn slow(State(shared): State<Shared>, Json(asked): Json<Slow>) -> Json<Value> {
    shared.trouble().slow_refunds = asked.next;
    Json(json!({}))
}

async fn dispute(State(shared): State<Shared>, Json(of): Json<Of>) -> Response {
    answer(shared.change(|book| book.dispute(&of.payment_intent)))
}

async fn decide(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(decided): Json<Decided>,
) -> Response {
    answer(shared.change(|book| book.decide_dispute(&id, decided.yes)))
}

async fn refund(State(shared): State<Shared>, Json(of): Json<Of>) -> Response {
    let slow = shared.refund_waits();
    let nobodys = json!({});
    answer(shared.change(|book| book.refund(&of.payment_intent, of.amount, &nobodys, slow)))
}

async fn settle(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(decided): Json<Decided>,
) -> Response {
    answer(shared.change(|book| book.settle_refund(&id, decided.yes)))
}

async fn advance(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(decided): Json<Decided>,
) -> Response {
    answer(shared.change(|book| book.advance(&id, decided.yes)))
}

fn answer(found: Result<Value, No>) -> Response {
    match found {
        Ok(body) => reply(200, body),
        Err(no) => no.into_response(),
    }
}
