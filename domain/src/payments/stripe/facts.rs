//! One order, gathered from what they keep in pieces: the page, the payment with its charge, refunds and disputes.

use super::{
    Stripe,
    http::{Call, segment},
    wire::{Charge, Dispute, Intent, Invoice, Ref, Refund, money, moved, time},
};
use crate::payments::{
    Charge as ChargeFact, DisputeFact, DisputeState, Facts, Money, Page, ProviderError, RefundFact,
    RefundState,
};

/// What is known of the payment.
#[derive(Default)]
struct Paid {
    charge: Option<ChargeFact>,
    decline_code: Option<String>,
    refunds: Vec<RefundFact>,
    disputes: Vec<DisputeFact>,
}

impl Stripe {
    pub(super) async fn facts_of_session(&self, id: &str) -> Result<Facts, ProviderError> {
        let session = self.session(id).await?;
        let page = match session.status.as_deref() {
            Some("open") => Page::Open,
            Some("complete") => Page::Complete,
            Some("expired") => Page::Closed,
            other => return Err(nonsense("a page", other)),
        };
        let (Some(amount), Some(currency)) = (session.amount_total, session.currency) else {
            return Err(ProviderError::Answer("a page without a price".to_owned()));
        };
        let invoice = session.invoice.map(Ref::into_id);
        let intent = match (session.payment_intent, &invoice) {
            (Some(intent), _) => Some(intent.into_id()),
            (None, Some(invoice)) => self.invoice(invoice).await?.intent()?,
            (None, None) => None,
        };
        let facts = Facts {
            reference: session.client_reference_id,
            subscription: session.subscription.map(Ref::into_id),
            invoice,
            ..empty(page, money(amount, &currency)?)
        };
        self.with_payment(facts, intent).await
    }

    pub(super) async fn facts_of_invoice(&self, id: &str) -> Result<Facts, ProviderError> {
        let invoice = self.invoice(id).await?;
        let facts = Facts {
            subscription: invoice.subscription().map(str::to_owned),
            invoice: Some(invoice.id.clone()),
            ..empty(Page::Closed, money(invoice.total, &invoice.currency)?)
        };
        let intent = invoice.intent()?;
        self.with_payment(facts, intent).await
    }

    async fn invoice(&self, id: &str) -> Result<Invoice, ProviderError> {
        let path = format!("/v1/invoices/{}", segment(id));
        self.http
            .send(Call::get(&path).with("expand[]", "payments"))
            .await
    }

    async fn with_payment(
        &self,
        facts: Facts,
        intent: Option<String>,
    ) -> Result<Facts, ProviderError> {
        let Some(intent) = intent else {
            return Ok(facts);
        };
        let Paid {
            charge,
            decline_code,
            refunds,
            disputes,
        } = self.paid(&intent).await?;
        Ok(Facts {
            intent: Some(intent),
            charge,
            decline_code,
            refunds,
            disputes,
            ..facts
        })
    }

    async fn paid(&self, intent: &str) -> Result<Paid, ProviderError> {
        let path = format!("/v1/payment_intents/{}", segment(intent));
        let expanded = Call::get(&path).with("expand[]", "latest_charge.balance_transaction");
        let found: Intent = self.http.send(expanded).await?;
        let Some(charge) = found.latest_charge.filter(Charge::has_taken) else {
            let decline_code = found
                .last_payment_error
                .and_then(|declined| declined.decline_code.or(declined.code));
            return Ok(Paid {
                decline_code,
                ..Paid::default()
            });
        };
        let of_this = [("payment_intent", found.id.as_str())];
        let (refunds, disputes) = tokio::try_join!(
            self.refunds(&found.id),
            self.http.all::<Dispute>("/v1/disputes", &of_this)
        )?;
        let disputes: Result<Vec<_>, _> = disputes
            .into_iter()
            .filter_map(|dispute| dispute.fact().transpose())
            .collect();
        let refunds: Result<Vec<_>, _> = refunds.into_iter().map(Refund::fact).collect();
        Ok(Paid {
            charge: Some(charge.fact()?),
            decline_code: None,
            refunds: refunds?,
            disputes: disputes?,
        })
    }
}

impl Charge {
    /// Whether money was taken by it. A disputed or refunded one stays a success.
    fn has_taken(&self) -> bool {
        self.status == "succeeded" && self.captured
    }

    fn fact(self) -> Result<ChargeFact, ProviderError> {
        Ok(ChargeFact {
            captured: money(self.amount_captured, &self.currency)?,
            at: moved(self.balance_transaction.as_ref(), self.created)?,
            id: self.id,
        })
    }
}

impl Refund {
    pub(super) fn fact(self) -> Result<RefundFact, ProviderError> {
        let state = match self.status.as_deref() {
            Some("pending" | "requires_action") => RefundState::Pending,
            Some("succeeded") => RefundState::Succeeded,
            Some("failed" | "canceled") => RefundState::Failed,
            other => return Err(nonsense("a refund", other)),
        };
        Ok(RefundFact {
            reference: self.reference().cloned(),
            amount: money(self.amount, &self.currency)?,
            state,
            at: moved(self.balance_transaction.as_ref(), self.created)?,
            failure_code: self.failure_reason,
            id: self.id,
        })
    }
}

impl Dispute {
    /// None of an inquiry, by which no money moves.
    pub(super) fn fact(self) -> Result<Option<DisputeFact>, ProviderError> {
        let state = match self.status.as_str() {
            "needs_response" | "under_review" => DisputeState::Open,
            "won" => DisputeState::Won,
            "lost" => DisputeState::Lost,
            "prevented" => return Ok(None),
            inquiry if inquiry.starts_with("warning_") => return Ok(None),
            other => return Err(nonsense("a dispute", Some(other))),
        };
        let at = |taken: bool| {
            self.balance_transactions
                .iter()
                .find(|moved| (moved.amount < 0) == taken)
                .map(|moved| time(moved.created))
                .transpose()
        };
        Ok(Some(DisputeFact {
            amount: money(self.amount, &self.currency)?,
            state,
            at: at(true)?.map_or_else(|| time(self.created), Ok)?,
            decided_at: at(false)?,
            id: self.id,
        }))
    }
}

impl Invoice {
    /// The payment that paid it, or is to pay it.
    fn intent(self) -> Result<Option<String>, ProviderError> {
        let payments = self.payments.map_or(Ok(Vec::new()), super::List::whole)?;
        let mut found = None;
        for payment in payments {
            let is_paid = payment.status == "paid";
            if payment.payment.payment_intent.is_some() && (is_paid || found.is_none()) {
                found = payment.payment.payment_intent;
            }
            if is_paid {
                break;
            }
        }
        Ok(found.map(Ref::into_id))
    }

    pub(super) fn subscription(&self) -> Option<&str> {
        match self
            .parent
            .as_ref()?
            .subscription_details
            .as_ref()?
            .subscription
            .as_ref()?
        {
            Ref::Id(id) | Ref::Object { id } => Some(id),
        }
    }
}

fn empty(page: Page, asked: Money) -> Facts {
    Facts {
        reference: None,
        page,
        asked,
        intent: None,
        charge: None,
        refunds: Vec::new(),
        disputes: Vec::new(),
        decline_code: None,
        subscription: None,
        invoice: None,
    }
}

/// A word that is not known. Guessing what it means is guessing about money.
fn nonsense(what: &str, state: Option<&str>) -> ProviderError {
    ProviderError::Answer(format!(
        "{what} is in the state {}",
        state.unwrap_or("without a name")
    ))
}
