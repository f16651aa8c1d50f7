//! The client of Stripe and the payment sandbox: the same calls as with Stripe, and what goes wrong on the way.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use chrono::{TimeDelta, Utc};
use millrace_domain::{
    email::Language,
    ids::{PaymentId, RefundId},
    payments::{
        Currency, DisputeState, Facts, Handle, Money, NewPage, NewRefund, OpenPage, Page, Provider,
        ProviderError, RefundState, SignatureError, Stripe, StripeOptions, SubscriptionState,
    },
};
use millrace_local::{
    ports::local,
    sandbox::{Sandbox, SandboxOptions},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const KEY: &str = "sk_test_1";
const SECRET: &str = "whsec_1";

struct Bench {
    sandbox: Sandbox,
    stripe: Stripe,
    http: reqwest::Client,
}

impl Bench {
    async fn new() -> Self {
        Self::with(String::new(), None).await
    }

    async fn with(webhook_url: String, folder: Option<std::path::PathBuf>) -> Self {
        let sandbox = Sandbox::start(SandboxOptions {
            listen: local(0),
            secret_key: KEY.to_owned(),
            webhook_secret: SECRET.to_owned(),
            webhook_url,
            folder,
        })
        .await
        .unwrap();
        Self {
            stripe: client(&sandbox, KEY),
            sandbox,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    async fn open(&self, period: Option<&'static str>) -> (NewPage, OpenPage) {
        let order = order(period);
        let page = self.stripe.open(&order).await.unwrap();
        (order, page)
    }

    async fn press(&self, page: &OpenPage, action: &str) -> String {
        let answer = self
            .http
            .post(&page.url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("action={action}"))
            .send()
            .await
            .unwrap();
        answer.text().await.unwrap()
    }

    async fn paid(&self) -> (NewPage, OpenPage, Facts) {
        let (order, page) = self.open(None).await;
        self.press(&page, "pay").await;
        let facts = self.facts(&page).await;
        (order, page, facts)
    }

    async fn facts(&self, page: &OpenPage) -> Facts {
        let handle = Handle::Session(page.session.clone());
        self.stripe.facts(&handle).await.unwrap()
    }

    async fn tell(&self, path: &str, body: Value) -> Value {
        let url = format!("http://{}/sandbox/{path}", self.sandbox.addr());
        let request = match path {
            "deliveries" => self.http.put(url),
            _ => self.http.post(url),
        };
        let answer = request.json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    async fn movements(&self) -> Vec<(String, i64)> {
        let (from, to) = (
            Utc::now() - TimeDelta::hours(1),
            Utc::now() + TimeDelta::hours(1),
        );
        let movements = self.stripe.movements(from, to).await.unwrap();
        movements
            .into_iter()
            .map(|movement| (movement.key, movement.amount.amount))
            .collect()
    }
}

fn client(sandbox: &Sandbox, key: &str) -> Stripe {
    Stripe::new(StripeOptions {
        name: "sandbox",
        endpoint: format!("http://{}", sandbox.addr()),
        secret_key: key.to_owned(),
        webhook_secrets: vec![SECRET.to_owned(), String::new()],
        timeout: Duration::from_secs(10),
    })
    .unwrap()
}

fn order(period: Option<&'static str>) -> NewPage {
    NewPage {
        payment: PaymentId::new(),
        title: "火車 <b>&".to_owned(),
        price: twd(9900),
        period,
        language: Language::ZhTw,
        email: None,
        // Nobody listens there: whoever follows the redirect gets the sandbox's own 404, which is fine.
        paid_url: "/v1/paid".to_owned(),
        given_up_url: "/v1/given-up".to_owned(),
        expires_at: Utc::now() + TimeDelta::minutes(30),
    }
}

fn twd(amount: i64) -> Money {
    Money::new(amount, Currency::parse("TWD").unwrap())
}

#[tokio::test]
async fn a_page_is_opened_once_and_paid_once() {
    let bench = Bench::new().await;
    let (order, page) = bench.open(None).await;
    assert_eq!(bench.stripe.open(&order).await.unwrap(), page);
    let mut other = order.clone();
    other.price = twd(1);
    assert!(
        matches!(bench.stripe.open(&other).await, Err(ProviderError::Refused { code, .. }) if code == "idempotency_error")
    );
    let facts = bench.facts(&page).await;
    assert_eq!(
        (facts.page, facts.asked, &facts.charge),
        (Page::Open, twd(9900), &None)
    );
    assert_eq!(facts.reference, Some(order.payment.to_string()));

    let html = bench
        .http
        .get(&page.url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        html.contains("99.00 TWD") && html.contains("付款") && html.contains("火車 &#60;b&#62;"),
        "{html}"
    );
    bench.press(&page, "pay").await;
    let again = bench.press(&page, "pay").await;
    assert!(again.contains("已關閉"), "{again}");
    let facts = bench.facts(&page).await;
    let charge = facts.charge.unwrap();
    assert_eq!((facts.page, charge.captured), (Page::Complete, twd(9900)));
    assert_eq!(
        bench.movements().await,
        [(format!("sandbox:{}:capture", charge.id), 9900)]
    );
    // It was paid before it could be closed.
    bench.stripe.close(&page.session).await.unwrap();
    bench.sandbox.stop().await;
}

#[tokio::test]
async fn what_is_declined_can_be_paid_after_all_and_what_is_closed_cannot() {
    let bench = Bench::new().await;
    let (_, page) = bench.open(None).await;
    let html = bench.press(&page, "decline").await;
    assert!(html.contains("餘額不足"), "{html}");
    let facts = bench.facts(&page).await;
    assert_eq!(facts.decline_code.as_deref(), Some("insufficient_funds"));
    assert_eq!((facts.page, facts.charge), (Page::Open, None));
    bench.press(&page, "pay").await;
    let facts = bench.facts(&page).await;
    assert!(facts.charge.is_some() && facts.decline_code.is_none());

    let (_, page) = bench.open(None).await;
    bench.stripe.close(&page.session).await.unwrap();
    bench.stripe.close(&page.session).await.unwrap();
    bench.press(&page, "pay").await;
    let facts = bench.facts(&page).await;
    assert_eq!((facts.page, facts.charge), (Page::Closed, None));
}

#[tokio::test]
async fn money_goes_back_once_and_never_more_than_came() {
    let bench = Bench::new().await;
    let (_, page, facts) = bench.paid().await;
    let ask = |amount| NewRefund {
        refund: RefundId::new(),
        intent: facts.intent.clone().unwrap(),
        amount: twd(amount),
    };
    let first = ask(3300);
    let given = bench.stripe.refund(&first).await.unwrap();
    assert_eq!(
        (given.state, given.amount),
        (RefundState::Succeeded, twd(3300))
    );
    assert_eq!(bench.stripe.refund(&first).await.unwrap(), given);
    assert!(matches!(
        bench.stripe.refund(&ask(6601)).await,
        Err(ProviderError::Refused { .. })
    ));
    let of = json!({"payment_intent": facts.intent, "amount": 600});
    bench.tell("refunds", of).await;
    bench.tell("refunds/pending", json!({"next": 1})).await;
    let slow = bench.stripe.refund(&ask(6000)).await.unwrap();
    assert_eq!(slow.state, RefundState::Pending);
    bench
        .tell(&format!("refunds/{}", slow.id), json!({"succeeded": true}))
        .await;
    bench
        .tell(&format!("refunds/{}", slow.id), json!({"succeeded": false}))
        .await;

    let refunds = bench.facts(&page).await.refunds;
    assert_eq!(refunds.len(), 3);
    let kept: i64 = refunds
        .iter()
        .filter(|refund| refund.state == RefundState::Succeeded)
        .map(|refund| refund.amount.amount)
        .sum();
    assert_eq!(kept, 3900);
    let moved = bench.movements().await;
    assert_eq!(moved.len(), 5);
    assert_eq!(moved.iter().map(|(_, amount)| amount).sum::<i64>(), 6000);
    let keys: HashSet<_> = moved.into_iter().map(|(key, _)| key).collect();
    assert!(keys.contains(&format!("sandbox:{}:refund", given.id)));
    assert!(keys.contains(&format!("sandbox:{}:refund_failed", slow.id)));
}

#[tokio::test]
async fn a_dispute_holds_the_money_until_it_is_won() {
    let bench = Bench::new().await;
    let (_, page, facts) = bench.paid().await;
    let dispute = bench
        .tell("disputes", json!({"payment_intent": facts.intent}))
        .await;
    let id = dispute["id"].as_str().unwrap();
    let open = bench.facts(&page).await.disputes.remove(0);
    assert_eq!(
        (open.state, open.amount, open.decided_at),
        (DisputeState::Open, twd(9900), None)
    );
    assert_eq!(
        bench.movements().await[1],
        (format!("sandbox:{id}:dispute"), -9900)
    );
    bench
        .tell(&format!("disputes/{id}"), json!({"won": true}))
        .await;
    let won = bench.facts(&page).await.disputes.remove(0);
    assert_eq!(won.state, DisputeState::Won);
    assert!(won.decided_at.is_some());
    assert_eq!(
        bench.movements().await[2],
        (format!("sandbox:{id}:dispute_won"), 9900)
    );
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again_and_nothing_is_done_twice() {
    let bench = Bench::new().await;
    for lost in [true, false] {
        bench
            .tell("failures", json!({"next": 2, "lost": lost}))
            .await;
        let (order, page) = bench.open(None).await;
        assert_eq!(bench.stripe.open(&order).await.unwrap(), page);
        bench.press(&page, "pay").await;
        let intent = bench.facts(&page).await.intent.unwrap();
        let refund = NewRefund {
            refund: RefundId::new(),
            intent,
            amount: twd(100),
        };
        bench
            .tell("failures", json!({"next": 2, "lost": lost}))
            .await;
        bench.stripe.refund(&refund).await.unwrap();
        assert_eq!(bench.facts(&page).await.refunds.len(), 1);
    }
    // Three are too many.
    bench.tell("failures", json!({"next": 3})).await;
    let error = bench.stripe.open(&order(None)).await.unwrap_err();
    assert!(error.may_pass(), "{error}");
    let stranger = client(&bench.sandbox, "sk_test_2");
    assert!(matches!(
        stranger.open(&order(None)).await,
        Err(ProviderError::Unauthorized)
    ));
    let nowhere = Handle::Session("cs_none".to_owned());
    assert!(matches!(
        bench.stripe.facts(&nowhere).await,
        Err(ProviderError::NotFound)
    ));
}

#[tokio::test]
async fn a_subscription_is_renewed_missed_and_ended() {
    let bench = Bench::new().await;
    let (_, page) = bench.open(Some("month")).await;
    bench.press(&page, "decline").await;
    bench.press(&page, "pay").await;
    let first = bench.facts(&page).await;
    let id = first.subscription.clone().unwrap();
    assert_eq!(first.charge.unwrap().captured, twd(9900));
    let began = bench.stripe.subscription(&id).await.unwrap();
    assert_eq!(began.state, SubscriptionState::Active);
    assert_eq!(began.paid_invoices.len(), 1);
    assert_eq!(Some(&began.paid_invoices[0].id), first.invoice.as_ref());
    assert_eq!(began.paid_invoices[0].paid_until, began.period_end);

    let advance = format!("subscriptions/{id}/advance");
    bench.tell(&advance, json!({"paid": false})).await;
    let missed = bench.stripe.subscription(&id).await.unwrap();
    assert_eq!(missed.state, SubscriptionState::PastDue);
    assert_eq!(missed.paid_invoices.len(), 1);
    bench.tell(&advance, json!({"paid": true})).await;
    let renewed = bench.stripe.subscription(&id).await.unwrap();
    assert_eq!(
        (renewed.state, renewed.paid_invoices.len()),
        (SubscriptionState::Active, 2)
    );
    assert!(renewed.paid_invoices[1].paid_until > began.period_end);
    let invoice = Handle::Invoice(renewed.paid_invoices[1].id.clone());
    let facts = bench.stripe.facts(&invoice).await.unwrap();
    assert_eq!(
        (facts.page, facts.charge.unwrap().captured),
        (Page::Closed, twd(9900))
    );
    assert_eq!(facts.subscription.as_deref(), Some(id.as_str()));

    bench.stripe.renew(&id, false).await.unwrap();
    assert!(
        bench
            .stripe
            .subscription(&id)
            .await
            .unwrap()
            .ends_at_period_end
    );
    bench.stripe.renew(&id, true).await.unwrap();
    bench.stripe.end(&id).await.unwrap();
    bench.stripe.end(&id).await.unwrap();
    let ended = bench.stripe.subscription(&id).await.unwrap();
    assert_eq!(ended.state, SubscriptionState::Ended);
    assert_eq!(bench.movements().await.len(), 2);
}

/// The signature and the bytes.
type Call = (String, Vec<u8>);

#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Vec<Call>>>);

impl Inbox {
    fn take(&self, headers: &HeaderMap, body: &Bytes) {
        let header = headers["stripe-signature"].to_str().unwrap().to_owned();
        self.0.lock().unwrap().push((header, body.to_vec()));
    }

    async fn until(&self, count: usize) -> Vec<Call> {
        for _ in 0..200 {
            let seen = self.0.lock().unwrap().clone();
            if seen.len() >= count {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("there are only {}", self.0.lock().unwrap().len());
    }
}

#[tokio::test]
async fn calls_are_signed_and_come_doubled_backwards_or_not_at_all() {
    let inbox = Inbox::default();
    let listener = TcpListener::bind(local(0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let routes = Router::new()
        .route(
            "/hook",
            post(
                async |State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes| {
                    inbox.take(&headers, &body);
                },
            ),
        )
        .with_state(inbox.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let bench = Bench::with(url, None).await;
    let kinds = |seen: &[Call]| -> Vec<String> {
        seen.iter()
            .map(|(_, body)| bench.stripe.read(body).unwrap().kind)
            .collect()
    };

    bench.tell("deliveries", json!({"reorder": 3})).await;
    bench.paid().await;
    let seen = inbox.until(3).await;
    for (header, body) in &seen {
        bench.stripe.verify(Some(header), body).unwrap();
        assert_eq!(
            bench.stripe.verify(Some(header), &body[1..]),
            Err(SignatureError::Wrong)
        );
        assert_eq!(
            bench.stripe.verify(None, body),
            Err(SignatureError::Missing)
        );
    }
    let found: HashSet<_> = kinds(&seen).into_iter().collect();
    assert!(
        found.contains("checkout.session.completed") && found.len() == 3,
        "{found:?}"
    );

    bench
        .tell("deliveries", json!({"next": 3, "copies": 2}))
        .await;
    bench.paid().await;
    inbox.until(9).await;
    bench
        .tell("deliveries", json!({"next": 3, "drop": true}))
        .await;
    let (_, _, facts) = bench.paid().await;
    // What was lost is in their list all the same, in the order in which it happened.
    let events = bench
        .stripe
        .events(Utc::now() - TimeDelta::minutes(5))
        .await
        .unwrap();
    assert_eq!(events.len(), 9);
    let last = events.last().unwrap();
    assert_eq!(last.kind, "checkout.session.completed");
    let body: Value = serde_json::from_slice(&last.body).unwrap();
    assert_eq!(
        body["data"]["object"]["payment_intent"],
        json!(facts.intent)
    );
    assert_eq!(inbox.until(9).await.len(), 9);
    bench.sandbox.stop().await;
    serving.abort();
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("sandbox");
    let bench = Bench::with(String::new(), Some(at.clone())).await;
    let (order, page, facts) = bench.paid().await;
    bench.sandbox.stop().await;
    let bench = Bench::with(String::new(), Some(at)).await;
    assert_eq!(bench.facts(&page).await, facts);
    assert_eq!(bench.stripe.open(&order).await.unwrap(), page);
    assert_eq!(bench.movements().await.len(), 1);
    assert_eq!(
        bench
            .stripe
            .events(Utc::now() - TimeDelta::minutes(5))
            .await
            .unwrap()
            .len(),
        3
    );
}
