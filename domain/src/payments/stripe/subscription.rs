//! Subscriptions.

use super::{
    List, Stripe,
    http::{Call, segment},
    wire::{Invoice, Subscription, time},
};
use crate::payments::{PaidInvoice, ProviderError, SubscriptionFacts, SubscriptionState};

impl Stripe {
    pub(super) async fn subscription_facts(
        &self,
        id: &str,
    ) -> Result<SubscriptionFacts, ProviderError> {
        let found = self.find_subscription(id).await?;
        let paid = [("subscription", id), ("status", "paid")];
        let invoices: Vec<Invoice> = self.http.all("/v1/invoices", &paid).await?;
        let state = found.state()?;
        let period_end = found.items.data.iter().map(|item| item.current_period_end);
        let period_end = period_end
            .max()
            .ok_or_else(|| ProviderError::Answer("a subscription to nothing".to_owned()))?;
        let paid_invoices: Result<_, _> = invoices
            .into_iter()
            .rev()
            .map(|invoice| invoice.paid())
            .collect();
        Ok(SubscriptionFacts {
            id: found.id,
            state,
            period_end: time(period_end)?,
            ends_at_period_end: found.cancel_at_period_end,
            paid_invoices: paid_invoices?,
        })
    }

    pub(super) async fn has_ended(&self, id: &str) -> Result<bool, ProviderError> {
        Ok(self.find_subscription(id).await?.state()? == SubscriptionState::Ended)
    }

    async fn find_subscription(&self, id: &str) -> Result<Subscription, ProviderError> {
        let path = format!("/v1/subscriptions/{}", segment(id));
        self.http.send(Call::get(&path)).await
    }
}

impl Subscription {
    fn state(&self) -> Result<SubscriptionState, ProviderError> {
        match self.status.as_str() {
            "active" | "trialing" => Ok(SubscriptionState::Active),
            "past_due" | "unpaid" | "incomplete" | "paused" => Ok(SubscriptionState::PastDue),
            "canceled" | "incomplete_expired" => Ok(SubscriptionState::Ended),
            other => Err(ProviderError::Answer(format!(
                "a subscription is in the state {other}"
            ))),
        }
    }
}

impl Invoice {
    fn paid(self) -> Result<PaidInvoice, ProviderError> {
        let lines = self.lines.map_or(Ok(Vec::new()), List::whole)?;
        let until = lines.iter().map(|line| line.period.end).max();
        let until =
            until.ok_or_else(|| ProviderError::Answer(format!("{} is for no period", self.id)))?;
        Ok(PaidInvoice {
            id: self.id,
            paid_until: time(until)?,
        })
    }
}
