//! Orders over HTTP: buying, refunds, prices, what providers call, and what staff see of it.

/// What staff see and do.
mod admin;
/// The header that makes a request one order.
mod key;
/// An order as staff see it.
mod ledger;
/// Orders of the caller.
mod orders;
/// What things cost.
mod prices;
/// A payer asks for money back.
mod requests;
/// What pages need to know.
mod settings;
/// How orders look from outside.
mod view;
/// What providers call.
mod webhook;

use std::time::Duration;

use anyhow::Context as _;
use axum::http::StatusCode;
use millrace_config::Config;
use millrace_domain::payments::{CreateError, Currency, RefundError};
use millrace_jobs::flows::PaymentError;
use utoipa_axum::router::OpenApiRouter;

use crate::{app::App, problem::Problem};

/// The routes of all of them.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(orders::router())
        .merge(requests::router())
        .merge(prices::router())
        .merge(settings::router())
        .merge(webhook::router())
        .merge(admin::router())
}

/// What new orders are made with.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Of tips.
    pub currency: Currency,
    /// What of each 10,000 stays with the house.
    pub share_bps: i32,
    /// The least and the most of a tip, in the minor unit.
    pub tip: std::ops::RangeInclusive<i64>,
    /// How long an order can be paid.
    pub order_ttl: Duration,
}

impl Terms {
    /// Those of a configuration.
    ///
    /// # Errors
    /// A currency that does not exist.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let payments = &config.payments;
        let currency = Currency::parse(&payments.currency)
            .context("payments.currency: there is no such currency")?;
        Ok(Self {
            currency,
            share_bps: payments.share_bps,
            tip: payments.tip_min..=payments.tip_max,
            order_ttl: payments.order_ttl,
        })
    }
}

/// What the refusal of an order or a refund is to who wanted it.
fn refusal(error: PaymentError) -> Problem {
    match error {
        PaymentError::Create(CreateError::KeyReused)
        | PaymentError::Refund(RefundError::KeyReused) => Problem::conflict(
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request",
        ),
        PaymentError::Create(CreateError::Owned) => {
            Problem::conflict("already_owned", "the caller has paid for this already")
        }
        PaymentError::Refund(RefundError::AlreadyRequested) => Problem::conflict(
            "already_requested",
            "it was asked for, and nobody has decided yet",
        ),
        PaymentError::Refund(RefundError::NotFound) => Problem::not_found(),
        PaymentError::Refund(RefundError::NotPaid) => {
            Problem::conflict("not_paid", "nothing was paid that could be given back")
        }
        PaymentError::Refund(RefundError::TooMuch { left }) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "refund_too_much",
            format!("at most {left} are left to be given back"),
        ),
        error => anyhow::Error::from(error).into(),
    }
}
