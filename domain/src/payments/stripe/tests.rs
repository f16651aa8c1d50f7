//! Their documented shapes, read. What calls do is proven with the sandbox, in `local`.

use chrono::{DateTime, Utc};
use serde_json::{Value, from_value, json, to_vec};

use super::{
    event, movements, page,
    wire::{BalanceTransaction, Dispute, Invoice, Refund},
};
use crate::{
    email::Language,
    ids::PaymentId,
    payments::{About, Currency, DisputeState, Money, NewPage, ProviderError, RefundState},
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn twd(amount: i64) -> Money {
    Money::new(amount, Currency::parse("TWD").unwrap())
}

#[test]
fn events_lead_to_what_they_are_about() {
    let of = |object: Value| {
        let event = json!({"id": "evt_1", "object": "event", "api_version": "2025-09-30.clover", "created": 1_700_000_000,
                           "type": "a.b", "data": {"object": object}, "livemode": false, "pending_webhooks": 1});
        let read = event::read(&to_vec(&event).unwrap()).unwrap();
        assert_eq!(
            (read.event_id.as_str(), read.kind.as_str(), read.at),
            ("evt_1", "a.b", at(1_700_000_000))
        );
        read.about
    };
    let intent = || About::Intent("pi_1".to_owned());
    assert_eq!(
        of(json!({"id": "cs_1", "object": "checkout.session"})),
        About::Session("cs_1".to_owned())
    );
    assert_eq!(
        of(json!({"id": "pi_1", "object": "payment_intent"})),
        intent()
    );
    for object in ["charge", "refund", "dispute"] {
        assert_eq!(
            of(json!({"id": "x_1", "object": object, "payment_intent": "pi_1"})),
            intent()
        );
    }
    let invoice = |subscription: Option<&str>| About::Invoice {
        invoice: "in_1".to_owned(),
        subscription: subscription.map(str::to_owned),
    };
    let parent =
        json!({"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}});
    assert_eq!(
        of(json!({"id": "in_1", "object": "invoice", "parent": parent})),
        invoice(Some("sub_1"))
    );
    assert_eq!(
        of(json!({"id": "in_1", "object": "invoice", "subscription": {"id": "sub_1"}})),
        invoice(Some("sub_1"))
    );
    assert_eq!(
        of(json!({"id": "in_1", "object": "invoice"})),
        invoice(None)
    );
    assert_eq!(
        of(json!({"id": "ch_1", "object": "charge", "payment_intent": null})),
        About::Nothing
    );
    assert_eq!(
        of(json!({"id": "po_1", "object": "payout"})),
        About::Nothing
    );
}

#[test]
fn what_is_no_event_is_refused() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"id":"","type":"a","created":1,"data":{"object":{}}}"#,
        r#"{"id":"evt_1","type":"a","created":"1","data":{"object":{}}}"#,
        r#"{"id":"evt_1","type":"a","created":1}"#,
    ] {
        assert!(
            matches!(event::read(body.as_bytes()), Err(ProviderError::Answer(_))),
            "{body}"
        );
    }
}

#[test]
fn refunds_are_read_and_unknown_states_are_not_guessed() {
    let refund = |status: &str| {
        from_value::<Refund>(json!({
            "id": "re_1", "object": "refund", "amount": 300, "currency": "twd", "status": status, "created": 10,
            "balance_transaction": {"id": "txn_1", "created": 12}, "charge": "ch_1", "payment_intent": "pi_1",
            "metadata": {"refund": "r"}, "failure_reason": "lost_or_stolen_card", "reason": null
        }))
        .unwrap()
        .fact()
    };
    let read = refund("succeeded").unwrap();
    assert_eq!(
        (read.state, read.amount, read.at),
        (RefundState::Succeeded, twd(300), at(12))
    );
    assert_eq!(read.reference.as_deref(), Some("r"));
    assert_eq!(
        refund("requires_action").unwrap().state,
        RefundState::Pending
    );
    assert_eq!(refund("canceled").unwrap().state, RefundState::Failed);
    assert!(matches!(refund("new word"), Err(ProviderError::Answer(_))));
}

#[test]
fn an_inquiry_is_no_dispute() {
    let dispute = |status: &str, moved: Value| {
        from_value::<Dispute>(json!({
            "id": "du_1", "object": "dispute", "amount": 500, "currency": "twd", "status": status, "created": 10,
            "balance_transactions": moved, "payment_intent": "pi_1"
        }))
        .unwrap()
        .fact()
    };
    assert_eq!(dispute("warning_needs_response", json!([])).unwrap(), None);
    let taken = json!({"id": "txn_1", "amount": -500, "created": 11});
    let back = json!({"id": "txn_2", "amount": 500, "created": 20});
    let open = dispute("needs_response", json!([taken])).unwrap().unwrap();
    assert_eq!(
        (open.state, open.at, open.decided_at),
        (DisputeState::Open, at(11), None)
    );
    let won = dispute("won", json!([back, taken])).unwrap().unwrap();
    assert_eq!(
        (won.state, won.at, won.decided_at),
        (DisputeState::Won, at(11), Some(at(20)))
    );
    assert!(dispute("unheard_of", json!([])).is_err());
}

#[test]
fn an_invoice_names_its_subscription() {
    let invoice: Invoice = from_value(json!({
        "id": "in_1", "object": "invoice", "total": 9900, "currency": "twd",
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}},
        "payments": {"object": "list", "has_more": false, "data": []},
        "lines": {"object": "list", "has_more": false, "data": [{"period": {"start": 1, "end": 2}}]}
    }))
    .unwrap();
    assert_eq!(invoice.subscription(), Some("sub_1"));
}

#[test]
fn movements_are_in_the_payers_currency_and_others_are_not_ours() {
    let movement = |kind: &str, category: &str, amount: i64, source: Value| {
        let line = json!({"id": "txn_1", "object": "balance_transaction", "type": kind, "reporting_category": category,
                          "amount": amount, "currency": "usd", "created": 5, "source": source});
        movements::movement("stripe", from_value::<BalanceTransaction>(line).unwrap())
            .unwrap()
            .map(|movement| (movement.key, movement.amount))
    };
    let charge = json!({"id": "ch_1", "object": "charge", "amount": 9900, "amount_captured": 9900, "currency": "twd"});
    assert_eq!(
        movement("charge", "charge", 300, charge),
        Some(("stripe:ch_1:capture".to_owned(), twd(9900)))
    );
    let refund = json!({"id": "re_1", "object": "refund", "amount": 100, "currency": "twd"});
    assert_eq!(
        movement("refund", "refund", -3, refund.clone()),
        Some(("stripe:re_1:refund".to_owned(), twd(-100)))
    );
    assert_eq!(
        movement("refund_failure", "refund_failure", 3, refund),
        Some(("stripe:re_1:refund_failed".to_owned(), twd(100)))
    );
    let dispute = json!({"id": "du_1", "object": "dispute", "amount": 9900, "currency": "twd"});
    assert_eq!(
        movement("adjustment", "dispute", -300, dispute.clone()),
        Some(("stripe:du_1:dispute".to_owned(), twd(-9900)))
    );
    assert_eq!(
        movement("adjustment", "dispute_reversal", 300, dispute),
        Some(("stripe:du_1:dispute_won".to_owned(), twd(9900)))
    );
    assert_eq!(movement("payout", "payout", -300, Value::Null), None);
    assert_eq!(
        movement("adjustment", "other_adjustment", -1, Value::Null),
        None
    );
}

#[test]
fn a_page_is_asked_for_in_the_same_words_each_time() {
    let mut order = NewPage {
        payment: PaymentId::new(),
        title: "Trains & more".to_owned(),
        price: twd(9900),
        period: None,
        language: Language::ZhTw,
        email: None,
        paid_url: "https://example.org/a".to_owned(),
        given_up_url: "https://example.org/b".to_owned(),
        expires_at: at(1_700_000_000),
    };
    let params = page::params(&order).unwrap();
    assert_eq!(params, page::params(&order).unwrap());
    let find = |name: &str| {
        params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(find("mode"), Some("payment"));
    assert_eq!(find("line_items[0][price_data][unit_amount]"), Some("9900"));
    assert_eq!(find("line_items[0][price_data][currency]"), Some("twd"));
    assert_eq!(find("expires_at"), Some("1700000900"));
    assert_eq!(find("line_items[0][price_data][recurring][interval]"), None);
    order.price = Money::new(5, Currency::parse("ISK").unwrap());
    assert!(page::params(&order).is_err());
}
