//! Orders over the whole stack, against the payment sandbox.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Person, Stack, person::text, until};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// A tip of `amount`, with the page to pay on.
async fn tip(payer: &Person, creator: &Person, amount: i64, key: &str) -> Result<Value> {
    let body = json!({"item_type": "tip", "item_id": creator.id, "amount": amount});
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let body = body.to_string().into_bytes();
    let answer = payer
        .send(Method::POST, "/api/payments", &headers, body)
        .await?;
    answer.expect(201)
}

/// Presses a button of a page to pay on.
async fn press(order: &Value, button: &str) -> Result<()> {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let page = text(&order["checkout_url"])?;
    let pressed = http
        .post(page)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("action={button}"))
        .send()
        .await?;
    anyhow::ensure!(pressed.status().as_u16() < 400, "{}", pressed.status());
    Ok(())
}

async fn becomes(payer: &Person, order: &Value, status: &str) -> Result<Value> {
    let path = format!("/api/payments/{}", text(&order["id"])?);
    until(&format!("the order is {status}"), SOON, async || {
        let now = payer.get(&path).await?.expect(200)?;
        Ok((now["status"] == status).then_some(now))
    })
    .await
}

async fn balances(stack: &Stack) -> Result<Vec<(String, i64)>> {
    let sums = "select account, sum(amount)::bigint from ledger_lines group by 1 order by 1";
    Ok(sqlx::query_as(sums).fetch_all(&stack.db).await?)
}

#[tokio::test]
async fn a_tip_is_paid_once_whatever_the_provider_calls_and_how_often() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let _worker = stack.worker("payments").await?;
    let (payer, creator) = (
        Person::register(&stack).await?,
        Person::register(&stack).await?,
    );
    // Every call comes three times.
    let copies = json!({"copies": 3}).to_string();
    let told = reqwest::Client::new()
        .put(format!("{}/sandbox/deliveries", stack.sandbox()))
        .header("content-type", "application/json")
        .body(copies)
        .send()
        .await?;
    anyhow::ensure!(told.status().is_success(), "{}", told.status());
    let order = tip(&payer, &creator, 5_000, "a").await?;
    let again = tip(&payer, &creator, 5_000, "a").await?;
    anyhow::ensure!(order["id"] == again["id"], "{again}");
    press(&order, "pay").await?;
    let paid = becomes(&payer, &order, "paid").await?;
    anyhow::ensure!(paid["captured"] == 5_000, "{paid}");
    let expected = [("clearing", 5_000), ("creator", -4_500), ("house", -500)];
    let expected = expected.map(|(account, amount)| (account.to_owned(), amount));
    let sums = balances(&stack).await?;
    anyhow::ensure!(sums == expected, "{sums:?}");
    stack.end().await
}

#[tokio::test]
async fn who_is_declined_can_try_again_and_who_gives_up_has_not_paid() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let _worker = stack.worker("payments").await?;
    let (payer, creator) = (
        Person::register(&stack).await?,
        Person::register(&stack).await?,
    );
    let order = tip(&payer, &creator, 5_000, "a").await?;
    press(&order, "decline").await?;
    press(&order, "pay").await?;
    becomes(&payer, &order, "paid").await?;
    let other = tip(&payer, &creator, 6_000, "b").await?;
    let cancel = format!("/api/payments/{}/cancel", text(&other["id"])?);
    payer.post(&cancel, json!({})).await?.expect(200)?;
    let canceled = becomes(&payer, &other, "canceled").await?;
    anyhow::ensure!(canceled["captured"] == 0, "{canceled}");
    let clearing = balances(&stack).await?;
    let clearing = clearing.first().context("nothing was posted")?;
    anyhow::ensure!(clearing.1 == 5_000, "{clearing:?}");
    stack.end().await
}
