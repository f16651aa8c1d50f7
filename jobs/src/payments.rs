//! What the kinds that look after orders have in common.

use std::{sync::Arc, time::Duration};

use millrace_domain::payments::{
    self, Applied, Facts, Handle, NewPage, Page, Payment, Provider, ProviderError,
};
use millrace_queue::{Failure, OrOutcome as _, Outcome, Wake};
use sqlx::PgConnection;

use crate::JobContext;

/// A key that is not accepted is mended by somebody, and not within seconds.
const UNTIL_MENDED: Duration = Duration::from_secs(60);

impl JobContext {
    /// The provider of this name. Another worker may have it.
    pub(crate) fn provider(&self, name: &str) -> Result<&Arc<dyn Provider>, Failure> {
        let provider = self.services().payments.as_ref();
        provider
            .filter(|provider| provider.name() == name)
            .ok_or_else(|| {
                Failure::Retry(format!("this worker has no way to the provider {name}").into())
            })
    }
}

/// By what the provider knows an order; none before it was asked for a page.
pub(crate) fn handle(payment: &Payment) -> Option<Handle> {
    let session = payment.provider_session.clone().map(Handle::Session);
    session.or_else(|| payment.provider_invoice.clone().map(Handle::Invoice))
}

/// What a page is asked for with: the same for every try, since the provider remembers the first. Hence nothing of the
/// person but the order's own columns, and not the address either, which may have changed since.
pub(crate) fn page_of(cx: &JobContext, payment: &Payment) -> NewPage {
    let public = cx.services().public_url.trim_end_matches('/');
    let there = format!("{public}/payments/{}", payment.id);
    NewPage {
        payment: payment.id,
        title: payment.title.clone(),
        price: payment.price,
        period: payment.period.map(|period| period.word()),
        language: payment.language,
        email: None,
        paid_url: format!("{there}?returned=1"),
        given_up_url: format!("{there}?returned=1&given_up=1"),
        expires_at: payment.expires_at,
    }
}

/// What is true of an order for which there never was a page, and never will be.
pub(crate) fn without_page(payment: &Payment, code: Option<String>) -> Facts {
    Facts {
        reference: Some(payment.id.to_string()),
        page: Page::Closed,
        asked: payment.price,
        intent: None,
        charge: None,
        refunds: Vec::new(),
        disputes: Vec::new(),
        decline_code: code,
        subscription: None,
        invoice: None,
    }
}

/// Writes what the provider says, and tells those who look at the order. Call it last in the transaction.
pub(crate) async fn apply(
    conn: &mut PgConnection,
    provider: &str,
    payment: &Payment,
    facts: &Facts,
) -> Result<(Applied, Wake), Failure> {
    let applied = payments::apply(&mut *conn, provider, payment.id, facts).await?;
    if applied.quarantined {
        // An alert is made of this line and this count: nothing was granted, and somebody has to look.
        metrics::counter!("millrace_payments_quarantined_total").increment(1);
        tracing::error!(payment.id = %payment.id, provider, "an order was quarantined: the provider says something else than we do");
    }
    let mut wake = Wake::none();
    if applied.changed {
        tracing::info!(payment.id = %payment.id, before = applied.before.word(), after = applied.after.status.word(), "an order moved on");
        wake.merge(payments::announce(conn, &applied.after).await?);
    }
    Ok((applied, wake))
}

/// Asks the provider what is true of an order, and writes it together with the end of the job.
pub(crate) async fn look_at(cx: &JobContext, payment: &Payment) -> Outcome {
    let provider = cx.provider(&payment.provider)?;
    let handle = handle(payment).or_cancel("the provider does not know the order yet")?;
    let facts = provider.facts(&handle).await.map_err(provider_failure)?;
    cx.complete(cx.db(), async |tx| {
        let (_, wake) = apply(tx, provider.name(), payment, &facts).await?;
        Ok::<_, Failure>(wake)
    })
    .await
}

/// What a call that went wrong means for the job that made it.
pub(crate) fn provider_failure(error: ProviderError) -> Failure {
    match error {
        ProviderError::Busy {
            retry_after: Some(wait),
            ..
        } => Failure::RetryAfter(error.into(), wait),
        ProviderError::Unauthorized => {
            tracing::error!("the payment provider does not accept our key");
            Failure::RetryAfter(error.into(), UNTIL_MENDED)
        }
        ProviderError::NotFound | ProviderError::Refused { .. } => {
            Failure::fail(error.to_string()).with_code("provider_refused")
        }
        // An answer that makes no sense may be one of a proxy in between.
        error => error.into(),
    }
}
