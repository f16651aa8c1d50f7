//! `make smoke-stripe`: a page of a real Stripe account in test mode, opened, read and closed. Nothing is paid.
#![expect(
    clippy::print_stdout,
    reason = "a command line answers on standard output"
)]

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use chrono::{TimeDelta, Utc};
use millrace_config::Config;
use millrace_domain::{
    email::Language,
    ids::PaymentId,
    payments::{Currency, Handle, Money, NewPage, Page, Provider as _, Stripe, StripeOptions},
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smoke_stripe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let payments = Config::load()?.payments;
    let key = payments.secret_key.expose();
    ensure!(
        key.starts_with("sk_test_") || key.starts_with("rk_test_"),
        "MILLRACE__PAYMENTS__SECRET_KEY is missing, or is not the key of a test account (sk_test_...)"
    );
    let stripe = Stripe::new(StripeOptions {
        name: "stripe",
        endpoint: payments.endpoint.clone(),
        secret_key: key.to_owned(),
        webhook_secrets: Vec::new(),
        timeout: payments.timeout,
    })?;
    let currency = Currency::parse(&payments.currency).context("payments.currency is none")?;
    let order = NewPage {
        payment: PaymentId::new(),
        title: "Millrace smoke test".to_owned(),
        price: Money::new(9900, currency),
        period: None,
        language: Language::En,
        email: None,
        paid_url: "https://example.org/paid".to_owned(),
        given_up_url: "https://example.org/given-up".to_owned(),
        expires_at: Utc::now() + TimeDelta::minutes(30),
    };
    let page = stripe.open(&order).await.context("no page was opened")?;
    println!("page {} was opened", page.session);
    ensure!(
        stripe.open(&order).await? == page,
        "the same order got another page"
    );
    let handle = Handle::Session(page.session.clone());
    let facts = stripe.facts(&handle).await?;
    ensure!(
        facts.page == Page::Open && facts.asked == order.price && facts.charge.is_none(),
        "the page is not as it was asked for: {facts:?}"
    );
    ensure!(
        facts.reference == Some(order.payment.to_string()),
        "the page does not know its order"
    );
    stripe.close(&page.session).await?;
    stripe.close(&page.session).await.context("closed twice")?;
    ensure!(
        stripe.facts(&handle).await?.page == Page::Closed,
        "the page is still open"
    );
    println!("it was closed");
    let day = Utc::now() - TimeDelta::days(1);
    let (events, moved) = (
        stripe.events(day).await?.len(),
        stripe.movements(day, Utc::now()).await?.len(),
    );
    println!("{events} events and {moved} movements since yesterday could be read");
    println!("everything is as it is expected");
    Ok(())
}
