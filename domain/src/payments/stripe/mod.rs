//! Stripe, by HTTP. There is no client library of theirs for Rust, and what is needed of theirs is a dozen calls.
//!
//! The sandbox of local mode speaks the same calls at another address, so what tests prove is this code.

/// What an event is about.
mod event;
/// One order, gathered from what they keep in pieces.
mod facts;
/// The calls: keys, time limits, repetition.
mod http;
/// What moved money.
mod movements;
/// What a page is asked for with.
mod page;
/// Subscriptions.
mod subscription;
/// Their objects, as far as they are read.
mod wire;

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hyper::Method;

pub use http::StripeError;
use http::{Call, Http, segment};
use wire::{List, Refund, Session};

use super::{
    Delivery, Facts, Handle, Movement, NewPage, NewRefund, OpenPage, Provider, ProviderError,
    RefundFact, SignatureError, SubscriptionFacts, signature,
};

/// The version of their API that this is written for; answers stay in its shape whatever the account's default is.
pub(super) const VERSION: &str = "2025-09-30.clover";

/// How the provider is reached, and what it knows us by.
#[derive(Clone)]
pub struct StripeOptions {
    /// The word in rows and in the webhook's address: `stripe` or `sandbox`.
    pub name: &'static str,
    /// Empty: Stripe itself.
    pub endpoint: String,
    pub secret_key: String,
    /// The secret that calls are signed with, and the one before it while it is changed. Empty ones count for nothing.
    pub webhook_secrets: Vec<String>,
    /// How long one answer may take.
    pub timeout: Duration,
}

/// The client.
pub struct Stripe {
    name: &'static str,
    http: Http,
    webhook_secrets: Vec<String>,
}

impl Stripe {
    /// A client. Nothing is asked yet.
    ///
    /// # Errors
    /// An address or a key that cannot be used, or a system without certificates to know Stripe by.
    pub fn new(options: StripeOptions) -> Result<Self, StripeError> {
        Ok(Self {
            name: options.name,
            http: Http::new(&options.endpoint, &options.secret_key, options.timeout)?,
            webhook_secrets: options.webhook_secrets,
        })
    }

    async fn session(&self, id: &str) -> Result<Session, ProviderError> {
        let path = format!("/v1/checkout/sessions/{}", segment(id));
        self.http.send(Call::get(&path)).await
    }

    /// All refunds of a payment, whoever asked for them.
    async fn refunds(&self, intent: &str) -> Result<Vec<Refund>, ProviderError> {
        let wanted = [
            ("payment_intent", intent),
            ("expand[]", "data.balance_transaction"),
            ("expand[]", "data.failure_balance_transaction"),
        ];
        self.http.all("/v1/refunds", &wanted).await
    }
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe")
            .field("name", &self.name)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for Stripe {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn open(&self, order: &NewPage) -> Result<OpenPage, ProviderError> {
        let key = format!("order:{}:checkout", order.payment);
        let call = Call::post("/v1/checkout/sessions", page::params(order)?).keyed(key);
        let session: Session = self.http.send(call).await?;
        let url = session
            .url
            .ok_or_else(|| ProviderError::Answer("a new page has no address".to_owned()))?;
        Ok(OpenPage {
            session: session.id,
            url,
        })
    }

    async fn close(&self, session: &str) -> Result<(), ProviderError> {
        let path = format!("/v1/checkout/sessions/{}/expire", segment(session));
        // A second time is refused and does nothing.
        let call = Call::post(&path, Vec::new()).repeatable();
        match self.http.send::<Session>(call).await {
            Err(refused @ ProviderError::Refused { .. }) => {
                let session = self.session(session).await?;
                if session.status.as_deref() == Some("open") {
                    Err(refused)
                } else {
                    Ok(())
                }
            }
            other => other.map(drop),
        }
    }

    async fn facts(&self, of: &Handle) -> Result<Facts, ProviderError> {
        match of {
            Handle::Session(id) => self.facts_of_session(id).await,
            Handle::Invoice(id) => self.facts_of_invoice(id).await,
        }
    }

    async fn refund(&self, ask: &NewRefund) -> Result<RefundFact, ProviderError> {
        let reference = ask.refund.to_string();
        // They remember keys for a day. A row that waited longer must not give the money twice.
        let known = self.refunds(&ask.intent).await?;
        if let Some(refund) = known
            .into_iter()
            .find(|refund| refund.reference() == Some(&reference))
        {
            return refund.fact();
        }
        let params = vec![
            ("payment_intent".to_owned(), ask.intent.clone()),
            ("amount".to_owned(), ask.amount.amount.to_string()),
            ("metadata[refund]".to_owned(), reference.clone()),
        ];
        let call = Call::post("/v1/refunds", params).keyed(format!("refund:{reference}"));
        self.http.send::<Refund>(call).await?.fact()
    }

    async fn subscription(&self, id: &str) -> Result<SubscriptionFacts, ProviderError> {
        self.subscription_facts(id).await
    }

    async fn renew(&self, subscription: &str, goes_on: bool) -> Result<(), ProviderError> {
        let path = format!("/v1/subscriptions/{}", segment(subscription));
        let params = vec![("cancel_at_period_end".to_owned(), (!goes_on).to_string())];
        // No key: somebody may change their mind and back, and the third wish is not the first said again.
        let call = Call::post(&path, params).repeatable();
        self.http.send::<serde::de::IgnoredAny>(call).await?;
        Ok(())
    }

    async fn end(&self, subscription: &str) -> Result<(), ProviderError> {
        let path = format!("/v1/subscriptions/{}", segment(subscription));
        let call = Call::new(Method::DELETE, &path, Vec::new()).repeatable();
        match self.http.send::<serde::de::IgnoredAny>(call).await {
            Ok(_) => Ok(()),
            // What has ended is not found to be ended again.
            Err(error @ (ProviderError::NotFound | ProviderError::Refused { .. })) => {
                if self.has_ended(subscription).await? {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn events(&self, since: DateTime<Utc>) -> Result<Vec<Delivery>, ProviderError> {
        let since = since.timestamp().to_string();
        let events: Vec<wire::Raw> = self
            .http
            .all("/v1/events", &[("created[gte]", &since)])
            .await?;
        events
            .iter()
            .rev()
            .map(|event| {
                let body = serde_json::to_vec(&event.0)
                    .map_err(|error| ProviderError::Answer(error.to_string()))?;
                self.read(&body)
            })
            .collect()
    }

    async fn movements(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Movement>, ProviderError> {
        self.list_movements(from, to).await
    }

    fn verify(&self, header: Option<&str>, body: &[u8]) -> Result<(), SignatureError> {
        let header = header.ok_or(SignatureError::Missing)?;
        let secrets: Vec<_> = self.webhook_secrets.iter().map(String::as_bytes).collect();
        signature::verify(header, body, &secrets, Utc::now())
    }

    fn read(&self, body: &[u8]) -> Result<Delivery, ProviderError> {
        event::read(body)
    }
}

impl<T> List<T> {
    /// What the list holds, if it is whole.
    fn whole(self) -> Result<Vec<T>, ProviderError> {
        if self.has_more {
            return Err(ProviderError::Answer(
                "a list within an object is longer than it is given".to_owned(),
            ));
        }
        Ok(self.data)
    }
}
