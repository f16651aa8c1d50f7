//! What moved money, by their books.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Stripe,
    wire::{BalanceTransaction, money, time},
};
use crate::payments::{Cause, Movement, ProviderError, posting_key};

/// What moved it, as far as that is read. The amounts are the payer's, not those that were exchanged into our currency.
#[derive(Deserialize)]
struct Source {
    id: String,
    #[serde(default)]
    amount: i64,
    amount_captured: Option<i64>,
    currency: String,
}

impl Stripe {
    pub(super) async fn list_movements(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Movement>, ProviderError> {
        let (from, to) = (from.timestamp().to_string(), to.timestamp().to_string());
        let wanted = [
            ("created[gte]", from.as_str()),
            ("created[lt]", to.as_str()),
            ("expand[]", "data.source"),
        ];
        let lines: Vec<BalanceTransaction> =
            self.http.all("/v1/balance_transactions", &wanted).await?;
        lines
            .into_iter()
            .rev()
            .filter_map(|line| movement(self.name, line).transpose())
            .collect()
    }
}

/// None of what is not about orders: fees, payouts, reserves.
pub(super) fn movement(
    provider: &str,
    line: BalanceTransaction,
) -> Result<Option<Movement>, ProviderError> {
    let category = line.reporting_category.as_deref().unwrap_or_default();
    let cause = match line.kind.as_str() {
        "charge" | "payment" => Cause::Capture,
        // The last: a payment that failed after it had succeeded. Nothing here posts it, so it is shown as a difference, and
        // somebody looks.
        "refund" | "payment_refund" | "payment_failure_refund" => Cause::Refund,
        "refund_failure" => Cause::RefundFailed,
        "adjustment" if !category.starts_with("dispute") => return Ok(None),
        "adjustment" if line.amount < 0 => Cause::Dispute,
        "adjustment" => Cause::DisputeWon,
        _ => return Ok(None),
    };
    let source: Source = line
        .source
        .map_or(Err(None), |source: Value| {
            serde_json::from_value(source).map_err(Some)
        })
        .map_err(|error| {
            let why = error.map_or_else(|| "nothing".to_owned(), |error| error.to_string());
            ProviderError::Answer(format!("{} was moved by {why}", line.id))
        })?;
    let amount = match cause {
        Cause::Capture => source.amount_captured.unwrap_or(source.amount),
        Cause::Refund | Cause::Dispute => -source.amount,
        Cause::RefundFailed | Cause::DisputeWon => source.amount,
    };
    Ok(Some(Movement {
        key: posting_key(provider, &source.id, cause),
        amount: money(amount, &source.currency)?,
        at: time(line.created)?,
    }))
}
