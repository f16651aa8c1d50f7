//! The calls under `/v1`.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Uri, header::AUTHORIZATION},
    response::Response,
};
use futures::stream;
use serde_json::{Value, json};
use std::io;
use subtle::ConstantTimeEq as _;

use super::{
    book::{Book, now},
    form::{No, Params, reply},
    server::Shared,
};

/// Answers one call.
pub(super) async fn call(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let expected = format!("Bearer {}", shared.secret_key);
    let said = header(AUTHORIZATION.as_str()).unwrap_or_default();
    if !bool::from(said.as_bytes().ct_eq(expected.as_bytes())) {
        return No {
            status: 401,
            ..No::bad("Invalid API Key provided")
        }
        .into_response();
    }
    let fault = shared.next_fault();
    if fault == Some(false) {
        return No {
            status: 500,
            kind: "api_error",
            ..No::bad("An unexpected error occurred.")
        }
        .into_response();
    }
    let key = header("idempotency-key").map(str::to_owned);
    let asked = Asked {
        path: uri.path().trim_start_matches("/v1/"),
        params: Params::read(if method == Method::GET {
            uri.query().unwrap_or_default().as_bytes()
        } else {
            &body
        }),
        home: &shared.home,
    };
    let (status, answer) = shared.change(|book| {
        let takes_time = asked.path == "refunds" && method == Method::POST && shared.refund_waits();
        let Some(key) = key.filter(|_| method == Method::POST) else {
            return split(asked.answer(book, &method, takes_time));
        };
        let id = format!("key:{key}");
        let said = format!("{} {}", uri.path(), String::from_utf8_lossy(&body));
        if let Some(known) = book.get("idempotency", &id) {
            if known["said"] != said {
                return split(Err(No {
                    kind: "idempotency_error",
                    ..No::bad("Keys for idempotent requests can only be used with the same parameters they were first used with.")
                }));
            }
            let status = known["status"].as_u64().and_then(|status| status.try_into().ok());
            return (status.unwrap_or(500), known["answer"].clone());
        }
        let (status, answer) = split(asked.answer(book, &method, takes_time));
        book.put(&json!({
            "id": id, "object": "idempotency", "said": said, "status": status, "answer": answer,
        }));
        (status, answer)
    });
    if fault == Some(true) {
        let broken = io::Error::other("the answer is lost, as was asked for");
        return Response::new(Body::from_stream(stream::iter([
            Ok(Bytes::from_static(b"{")),
            Err(broken),
        ])));
    }
    reply(status, answer)
}

/// One call, read.
struct Asked<'a> {
    path: &'a str,
    params: Params,
    /// Where pages are.
    home: &'a str,
}

impl Asked<'_> {
    fn answer(&self, book: &mut Book, method: &Method, takes_time: bool) -> Result<Value, No> {
        let parts: Vec<&str> = self.path.split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("POST", ["checkout", "sessions"]) => self.open(book),
            ("GET", ["checkout", "sessions", id]) => book.find("checkout.session", id),
            ("POST", ["checkout", "sessions", id, "expire"]) => book.expire(id),
            ("GET", ["payment_intents", id]) => {
                Ok(expanded(book, book.find("payment_intent", id)?))
            }
            ("GET", ["invoices", id]) => book.find("invoice", id),
            ("GET", ["subscriptions", id]) => book.find("subscription", id),
            ("POST", ["subscriptions", id]) => self.renew(book, id),
            ("DELETE", ["subscriptions", id]) => book.end(id),
            ("POST", ["refunds"]) => book.refund(
                self.params.required("payment_intent")?,
                self.params.number("amount")?,
                &self.params.map("metadata"),
                takes_time,
            ),
            ("GET", ["refunds"]) => self.list(book, "refund", Some("payment_intent")),
            ("GET", ["disputes"]) => self.list(book, "dispute", Some("payment_intent")),
            ("GET", ["invoices"]) => self.list(book, "invoice", Some("subscription")),
            ("GET", ["events"]) => self.list(book, "event", None),
            ("GET", ["balance_transactions"]) => self.list(book, "balance_transaction", None),
            _ => Err(No {
                status: 404,
                ..No::bad(format!(
                    "Unrecognized request URL ({method}: /v1/{}).",
                    self.path
                ))
            }),
        }
    }

    fn open(&self, book: &mut Book) -> Result<Value, No> {
        let params = &self.params;
        let price = "line_items[0][price_data]";
        let amount = params.number(&format!("{price}[unit_amount]"))?;
        let amount = amount
            .filter(|amount| (1..=99_999_999).contains(amount))
            .ok_or_else(|| No::bad("Invalid amount."))?;
        let currency = params.required(&format!("{price}[currency]"))?;
        let interval = params.text(&format!("{price}[recurring][interval]"));
        let mode = params.required("mode")?;
        if (mode == "subscription") != interval.is_some() {
            return Err(No::bad("The mode does not fit the price."));
        }
        let expires_at = params.number("expires_at")?.unwrap_or(now() + 86_400);
        if !(now() + 30 * 60..=now() + 86_400).contains(&expires_at) {
            return Err(No::bad(
                "The `expires_at` timestamp must be from 30 minutes to 24 hours from Checkout Session creation.",
            ));
        }
        let id = Book::id("cs");
        let session = json!({
            "id": id, "object": "checkout.session", "mode": mode, "status": "open", "payment_status": "unpaid",
            "url": format!("{}/pay/{id}", self.home), "amount_total": amount, "currency": currency,
            "client_reference_id": params.text("client_reference_id"), "metadata": params.map("metadata"),
            "locale": params.text("locale"), "customer_email": params.text("customer_email"),
            "success_url": params.required("success_url")?, "cancel_url": params.text("cancel_url"),
            "created": now(), "expires_at": expires_at, "payment_intent": null, "invoice": null, "subscription": null,
            // What they do not show, and pages need.
            "title": params.required(&format!("{price}[product_data][name]"))?, "interval": interval,
            "payment_intent_data": {"metadata": params.map("payment_intent_data[metadata]")},
            "subscription_data": {"metadata": params.map("subscription_data[metadata]")},
        });
        book.put(&session);
        Ok(session)
    }

    fn renew(&self, book: &mut Book, id: &str) -> Result<Value, No> {
        let mut subscription = book.find("subscription", id)?;
        if subscription["status"] == "canceled" {
            return Err(No::bad(
                "A canceled subscription can only update its cancellation details.",
            ));
        }
        let ends = self.params.required("cancel_at_period_end")? == "true";
        subscription["cancel_at_period_end"] = json!(ends);
        book.put(&subscription);
        book.event("customer.subscription.updated", &subscription);
        Ok(subscription)
    }

    /// A page of a list, newest first.
    fn list(&self, book: &Book, kind: &str, parent: Option<&str>) -> Result<Value, No> {
        let params = &self.params;
        let name = match parent.and_then(|parent| params.text(parent)) {
            Some(id) => format!("{kind}:{id}"),
            None => kind.to_owned(),
        };
        let limit = params.number("limit")?.unwrap_or(10).clamp(1, 100);
        let (from, to) = (
            params.number("created[gte]")?,
            params.number("created[lt]")?,
        );
        let status = params.text("status");
        let after = params.text("starting_after");
        let mut rows = book
            .list(&name)
            .rev()
            .skip_while(|row| after.is_some_and(|after| row["id"] != after))
            .skip(usize::from(after.is_some()))
            .take_while(|row| from.is_none_or(|from| row["created"].as_i64() >= Some(from)))
            .filter(|row| to.is_none_or(|to| row["created"].as_i64() < Some(to)))
            .filter(|row| status.is_none_or(|status| row["status"] == status));
        let limit = usize::try_from(limit).unwrap_or(10);
        let data: Vec<_> = rows
            .by_ref()
            .take(limit)
            .map(|row| self.shown(book, row.clone()))
            .collect();
        Ok(
            json!({"object": "list", "url": format!("/v1/{}", self.path), "has_more": rows.next().is_some(), "data": data}),
        )
    }

    /// An object of a list with the mentions that were asked for as objects.
    fn shown(&self, book: &Book, mut object: Value) -> Value {
        for name in self.params.all("expand[]") {
            if let Some(field) = name.strip_prefix("data.") {
                put_object(book, &mut object[field]);
            }
        }
        object
    }
}

/// A payment with its charge and the movement of that.
fn expanded(book: &Book, mut intent: Value) -> Value {
    put_object(book, &mut intent["latest_charge"]);
    if intent["latest_charge"].is_object() {
        put_object(book, &mut intent["latest_charge"]["balance_transaction"]);
    }
    intent
}

fn put_object(book: &Book, mention: &mut Value) {
    const KINDS: [&str; 4] = ["charge", "refund", "dispute", "balance_transaction"];
    let Some(id) = mention.as_str() else {
        return;
    };
    let found = KINDS.iter().find_map(|kind| book.get(kind, id));
    if let Some(object) = found.cloned() {
        *mention = object;
    }
}

fn split(answer: Result<Value, No>) -> (u16, Value) {
    match answer {
        Ok(body) => (200, body),
        Err(no) => (no.status, no.body()),
    }
}
