//! Orders, prices, and what providers call: what is refused, how, and what is stored of it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use millrace_domain::videos::Visibility;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::stack::{Person, Stack, answer};

const SECRET: &str = "whsec_of_these_tests";
const PREVIOUS: &str = "whsec_of_before_the_rotation";

async fn stack() -> Stack {
    Stack::start_with(&format!(
        "[payments]\nprovider = \"stripe\"\nendpoint = \"http://127.0.0.1:9\"\nsecret_key = \"sk_test_x\"
         webhook_secret = \"{SECRET}\"\nprevious_webhook_secret = \"{PREVIOUS}\""
    ))
    .await
}

async fn order(stack: &Stack, person: &Person, key: &str, body: Value) -> (StatusCode, Value) {
    let request = stack.request(Method::POST, "/api/payments");
    answer(
        request
            .bearer_auth(&person.token)
            .header("idempotency-key", key)
            .json(&body),
    )
    .await
}

async fn count(stack: &Stack, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(&stack.db)
        .await
        .unwrap()
}

/// Lets the order's page be there, as a worker would.
async fn opened(stack: &Stack, key: &str) {
    let statement = "update payments set status = 'pending', provider_session = 'cs_' || id::text,
                            checkout_url = 'https://pay.example.org/' || id::text
                      where idempotency_key = $1 and status = 'created'";
    for _ in 0..200 {
        let done = sqlx::query(statement)
            .bind(key)
            .execute(&stack.db)
            .await
            .unwrap();
        if done.rows_affected() > 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no order of this key came");
}

fn sign(secret: &str, at: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={at},v1={hex}")
}

fn event(id: &str) -> Vec<u8> {
    json!({
        "id": id, "object": "event", "type": "checkout.session.completed", "created": chrono::Utc::now().timestamp(),
        "data": {"object": {"id": "cs_1", "object": "checkout.session"}}
    })
    .to_string()
    .into_bytes()
}

async fn deliver(stack: &Stack, signature: Option<&str>, body: Vec<u8>) -> StatusCode {
    let request = stack
        .request(Method::POST, "/api/payments/webhooks/stripe")
        .header("content-type", "application/json; charset=utf-8")
        .body(body);
    let request = match signature {
        Some(signature) => request.header("stripe-signature", signature),
        None => request,
    };
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn bad_orders_are_refused_and_nothing_is_stored() {
    let stack = stack().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = stack.listed(&ann, 10.0).await;
    let free = stack.listed(&ann, 10.0).await;
    let path = format!("/api/prices/video/{video}");
    let (status, body) = stack
        .put_as(&ann, &path, json!({"amount": 9900, "currency": "TWD"}))
        .await;
    assert_eq!(status, 200, "{body}");
    let buy = json!({"item_type": "video", "item_id": video});
    let tip = |amount: Value| json!({"item_type": "tip", "item_id": ann.id, "amount": amount});
    for (body, expected, code) in [
        (tip(json!(-5000)), 422, "amount_out_of_bounds"),
        (tip(json!(0)), 422, "amount_out_of_bounds"),
        (tip(json!(99_999_999)), 422, "amount_out_of_bounds"),
        (tip(json!(i64::MAX)), 422, "amount_out_of_bounds"),
        (tip(json!(u64::MAX)), 422, "validation"),
        (tip(json!(1e300)), 422, "validation"),
        (tip(json!(5000.5)), 422, "validation"),
        (tip(json!("5000")), 422, "validation"),
        (tip(Value::Null), 422, "validation"),
        (
            json!({"item_type": "video", "item_id": video, "amount": 1}),
            422,
            "validation",
        ),
        (
            json!({"item_type": "video", "item_id": video, "price": 1}),
            422,
            "validation",
        ),
        (
            json!({"item_type": "video", "item_id": video, "currency": "USD"}),
            422,
            "validation",
        ),
        (
            json!({"item_type": "yacht", "item_id": video}),
            422,
            "validation",
        ),
        (
            json!({"item_type": "video", "item_id": "x"}),
            422,
            "validation",
        ),
        (
            json!({"item_type": "video", "item_id": ann.id}),
            404,
            "not_found",
        ),
        (
            json!({"item_type": "video", "item_id": free}),
            422,
            "not_for_sale",
        ),
        (json!([]), 422, "validation"),
    ] {
        let (status, said) = order(&stack, &bob, "one", body.clone()).await;
        assert_eq!(
            (status.as_u16(), said["code"].as_str()),
            (expected, Some(code)),
            "{body}"
        );
    }
    for key in ["", " ", "a b", &"x".repeat(101)] {
        let (status, said) = order(&stack, &bob, key, buy.clone()).await;
        assert_eq!(
            (status.as_u16(), said["code"].as_str()),
            (400, Some("idempotency_key")),
            "{key:?}"
        );
    }
    let (status, _) = stack.post_as(&bob, "/api/payments", buy.clone()).await;
    assert_eq!(status, 400, "without a key");
    let (status, said) = order(&stack, &ann, "one", buy).await;
    assert_eq!(
        (status.as_u16(), said["code"].as_str()),
        (422, Some("own_item"))
    );
    assert_eq!(count(&stack, "payments").await, 0);
    stack.stop().await;
}

#[tokio::test]
async fn an_order_is_made_once_for_a_key_and_shown_to_its_payer_alone() {
    let stack = stack().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = stack.listed(&ann, 10.0).await;
    let price = json!({"amount": 9900, "currency": "TWD"});
    let (status, _) = stack
        .put_as(&ann, &format!("/api/prices/video/{video}"), price)
        .await;
    assert_eq!(status, 200);
    let buy = json!({"item_type": "video", "item_id": video});
    let ((status, made), ()) = tokio::join!(
        order(&stack, &bob, "one", buy.clone()),
        opened(&stack, "one")
    );
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (
            &made["amount"],
            &made["currency"],
            &made["exponent"],
            &made["status"]
        ),
        (&json!(9900), &json!("TWD"), &json!(2), &json!("pending"))
    );
    assert_eq!(
        made["can"],
        json!({"cancel": true, "pay": true, "request_refund": false})
    );
    assert!(made["checkout_url"].is_string());
    let (status, again) = order(&stack, &bob, "one", buy).await;
    assert_eq!((status.as_u16(), &again["id"]), (201, &made["id"]));
    let tip = json!({"item_type": "tip", "item_id": ann.id, "amount": 5000});
    let (status, said) = order(&stack, &bob, "one", tip).await;
    assert_eq!(
        (status.as_u16(), said["code"].as_str()),
        (409, Some("idempotency_key_reused"))
    );
    assert_eq!(count(&stack, "payments").await, 1);

    let path = format!("/api/payments/{}", made["id"].as_str().unwrap());
    let (status, seen) = stack.get_as(&bob, &path).await;
    assert_eq!(
        (status.as_u16(), &seen["moments"][0]["kind"]),
        (200, &json!("created"))
    );
    for (person, expected) in [(&ann, 404), (&bob, 200)] {
        let (status, _) = stack.get_as(person, &path).await;
        assert_eq!(status, expected);
    }
    let (status, _) = stack
        .post_as(&ann, &format!("{path}/cancel"), json!({}))
        .await;
    assert_eq!(status, 404, "somebody else's");
    let reason = json!({"reason": "It does not play"});
    let (status, said) = stack
        .post_as(&bob, &format!("{path}/refund-requests"), reason)
        .await;
    assert_eq!(
        (status.as_u16(), said["code"].as_str()),
        (409, Some("not_paid"))
    );
    let (status, ended) = stack
        .post_as(&bob, &format!("{path}/cancel"), json!({}))
        .await;
    assert_eq!(
        (status.as_u16(), &ended["closing"]),
        (200, &json!("canceled"))
    );
    assert_eq!(ended["can"]["pay"], json!(false));
    assert_eq!(ended["checkout_url"], Value::Null);
    let (_, list) = stack.get_as(&bob, "/api/payments?status=pending").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let (_, list) = stack.get_as(&bob, "/api/payments?status=paid").await;
    assert_eq!(list["items"], json!([]));
    stack.stop().await;
}

#[tokio::test]
async fn only_who_sells_sets_a_price_and_only_one_that_can_be() {
    let stack = stack().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = stack.video(&ann, Visibility::Public).await;
    let path = format!("/api/prices/video/{video}");
    let good = json!({"amount": 9900, "currency": "TWD"});
    for (person, path, body, expected) in [
        (&bob, path.clone(), good.clone(), 404),
        (
            &ann,
            format!("/api/prices/tip/{}", ann.id),
            good.clone(),
            404,
        ),
        (
            &ann,
            format!("/api/prices/channel/{}", ann.id),
            good.clone(),
            422,
        ),
        (
            &ann,
            path.clone(),
            json!({"amount": 0, "currency": "TWD"}),
            422,
        ),
        (
            &ann,
            path.clone(),
            json!({"amount": 100_000_000, "currency": "TWD"}),
            422,
        ),
        (
            &ann,
            path.clone(),
            json!({"amount": 9.5, "currency": "TWD"}),
            422,
        ),
        (
            &ann,
            path.clone(),
            json!({"amount": 9900, "currency": "ZZZ"}),
            422,
        ),
        (
            &ann,
            path.clone(),
            json!({"amount": 9900, "currency": "twd"}),
            422,
        ),
        (
            &ann,
            path.clone(),
            json!({"amount": 9900, "currency": "TWD", "period": "month"}),
            422,
        ),
        (&ann, path.clone(), good, 200),
    ] {
        let (status, said) = stack.put_as(person, &path, body.clone()).await;
        assert_eq!(status, expected, "{path} {body}: {said}");
    }
    let (status, price) = answer(stack.request(Method::GET, &path)).await;
    assert_eq!((status.as_u16(), &price["amount"]), (200, &json!(9900)));
    let (_, mine) = stack.get_as(&ann, "/api/prices").await;
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    let (status, _) = stack.delete_as(&bob, &path).await;
    assert_eq!(status, 404);
    let (status, _) = stack.delete_as(&ann, &path).await;
    assert_eq!(status, 204);
    let (status, _) = answer(stack.request(Method::GET, &path)).await;
    assert_eq!(status, 404);
    stack.stop().await;
}

#[tokio::test]
async fn a_webhook_is_believed_by_its_signature_and_stored_once() {
    let stack = stack().await;
    let now = chrono::Utc::now().timestamp();
    let body = event("evt_1");
    let good = sign(SECRET, now, &body);
    let mut altered = body.clone();
    altered[10] ^= 1;
    for (signature, body, expected) in [
        (None, body.clone(), 400),
        (Some(String::new()), body.clone(), 400),
        (Some("t=1,v1=00".to_owned()), body.clone(), 400),
        (Some(good.clone()), altered, 400),
        (Some(good.clone()), body[..body.len() - 1].to_vec(), 400),
        (
            Some(sign("whsec_of_somebody", now, &body)),
            body.clone(),
            400,
        ),
        (Some(sign(SECRET, now - 400, &body)), body.clone(), 400),
        (Some(sign(SECRET, now + 400, &body)), body.clone(), 400),
        (Some(sign(SECRET, now, b"{}")), b"{}".to_vec(), 400),
        (
            Some(sign(SECRET, now, b"no json")),
            b"no json".to_vec(),
            400,
        ),
        (Some(good.clone()), vec![b'x'; 256 * 1024 + 1], 413),
    ] {
        let status = deliver(&stack, signature.as_deref(), body).await;
        assert_eq!(status, expected, "{signature:?}");
    }
    let untyped = stack
        .request(Method::POST, "/api/payments/webhooks/stripe")
        .header("content-type", "text/plain")
        .header("stripe-signature", &good)
        .body(body.clone());
    assert_eq!(untyped.send().await.unwrap().status(), 415);
    let elsewhere = stack
        .request(Method::POST, "/api/payments/webhooks/paypal")
        .header("content-type", "application/json")
        .body(body.clone());
    assert_eq!(elsewhere.send().await.unwrap().status(), 404);
    assert_eq!(count(&stack, "payment_events").await, 0);
    assert_eq!(
        count(&stack, "queue.job where kind = 'payment_callback'").await,
        0
    );

    for _ in 0..3 {
        assert_eq!(deliver(&stack, Some(&good), body.clone()).await, 200);
    }
    // With the secret of before the rotation, among others.
    let other = event("evt_2");
    let both = format!(
        "{},v1=00,{}",
        sign("whsec_x", now, &other),
        &sign(PREVIOUS, now, &other)[13..]
    );
    assert_eq!(deliver(&stack, Some(&both), other).await, 200);
    assert_eq!(count(&stack, "payment_events").await, 2);
    assert_eq!(
        count(&stack, "queue.job where kind = 'payment_callback'").await,
        2
    );
    let stored: Vec<u8> =
        sqlx::query_scalar("select body from payment_events where event_id = 'evt_1'")
            .fetch_one(&stack.db)
            .await
            .unwrap();
    assert_eq!(stored, body, "as it was signed");
    stack.stop().await;
}

#[tokio::test]
async fn where_nothing_is_sold_nothing_can_be_bought() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let (_, settings) = answer(stack.request(Method::GET, "/api/payments/settings")).await;
    assert_eq!(settings["enabled"], json!(false));
    let tip = json!({"item_type": "tip", "item_id": ann.id, "amount": 5000});
    let (status, said) = order(&stack, &bob, "one", tip).await;
    assert_eq!(
        (status.as_u16(), said["code"].as_str()),
        (422, Some("payments_disabled"))
    );
    stack.stop().await;
}
