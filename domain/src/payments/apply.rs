//! What a provider says is written down: one transaction, under the order's lock.

use sqlx::PgConnection;

use super::{
    Cause, Change, Closing, Decision, Facts, Known, Payment, Status, decide, entitlement, ledger,
    moment, refund,
};
use crate::ids::PaymentId;

/// What came of it.
#[derive(Debug, Clone)]
pub struct Applied {
    pub before: Status,
    /// The order as it is now.
    pub after: Payment,
    /// Whether anything is not as it was.
    pub changed: bool,
    /// Whether what the provider says does not fit the order, and staff have to look.
    pub quarantined: bool,
}

/// Writes what follows for an order from what the provider says. The same facts again change nothing, and older facts than
/// are known neither.
///
/// # Errors
/// Those of the statements; [`sqlx::Error::RowNotFound`] if there is no such order.
pub async fn apply(
    conn: &mut PgConnection,
    provider: &str,
    id: PaymentId,
    facts: &Facts,
) -> Result<Applied, sqlx::Error> {
    let payment = Payment::lock(&mut *conn, id)
        .await?
        .ok_or(sqlx::Error::RowNotFound)?;
    let known = Known {
        id,
        provider: provider.to_owned(),
        status: payment.status,
        price: payment.price,
        renewal: payment.provider_session.is_none() && payment.provider_invoice.is_some(),
        seller: payment.seller_id,
        share_bps: payment.share_bps,
        given_up: payment.closing == Some(Closing::Canceled),
        decline_code: payment.decline_code.clone(),
        posted: ledger::posted(&mut *conn, id).await?,
        refunds: refund::known(&mut *conn, id).await?,
    };
    let (changed, quarantined) = match decide(&known, facts) {
        Decision::Mismatch(reason) => (quarantine(&mut *conn, &payment, reason).await?, true),
        Decision::Stale => (false, payment.quarantined_for.is_some()),
        Decision::Change(change) => (write(&mut *conn, &payment, facts, &change).await?, false),
    };
    let after = Payment::find(&mut *conn, id)
        .await?
        .ok_or(sqlx::Error::RowNotFound)?;
    Ok(Applied {
        before: payment.status,
        after,
        changed,
        quarantined,
    })
}

async fn quarantine(
    conn: &mut PgConnection,
    payment: &Payment,
    reason: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query!(
        "update payments set quarantined_for = $2, checked_at = now() where id = $1",
        payment.id.0,
        reason
    )
    .execute(&mut *conn)
    .await?;
    let new = payment.quarantined_for.as_deref() != Some(reason);
    if new {
        moment::note(conn, payment.id, "quarantined", None, Some(reason), None).await?;
    }
    Ok(new)
}

async fn write(
    conn: &mut PgConnection,
    payment: &Payment,
    facts: &Facts,
    change: &Change,
) -> Result<bool, sqlx::Error> {
    let ends = !change.status.is_open();
    sqlx::query!(
        "update payments
            set status = $2, captured = $3::bigint, refunded = $4, disputed = $5, decline_code = $6,
                provider_intent = coalesce($7, provider_intent), provider_invoice = coalesce(provider_invoice, $8),
                paid_at = case when $3::bigint > 0 then coalesce(paid_at, $9, now()) end,
                closing = case when $10 then null else closing end,
                quarantined_for = null, checked_at = now()
          where id = $1",
        payment.id.0,
        change.status.word(),
        change.captured,
        change.refunded,
        change.disputed,
        change.decline_code,
        facts.intent,
        facts.invoice,
        facts.charge.as_ref().map(|charge| charge.at),
        ends,
    )
    .execute(&mut *conn)
    .await?;
    let mut changed = payment.status != change.status
        || payment.quarantined_for.is_some()
        || (payment.captured, payment.refunded, payment.disputed)
            != (change.captured, change.refunded, change.disputed);
    for posting in &change.postings {
        if !ledger::post(&mut *conn, payment.id, posting).await? {
            continue;
        }
        changed = true;
        let kind = match posting.cause {
            Cause::Capture => "paid",
            Cause::Dispute => "disputed",
            Cause::DisputeWon => "dispute_won",
            // What became of refunds is told when it is settled.
            Cause::Refund | Cause::RefundFailed => continue,
        };
        let amount = posting.lines.first().map(|line| line.amount.abs());
        moment::note(&mut *conn, payment.id, kind, amount, None, None).await?;
    }
    if change.decline_code.is_some() && change.decline_code != payment.decline_code {
        changed = true;
        let code = change.decline_code.as_deref();
        moment::note(&mut *conn, payment.id, "declined", None, code, None).await?;
    }
    changed |= refund::settle(&mut *conn, payment, facts).await?;
    if payment.status != change.status
        && matches!(
            change.status,
            Status::Canceled | Status::Expired | Status::Failed
        )
    {
        moment::note(
            &mut *conn,
            payment.id,
            change.status.word(),
            None,
            None,
            None,
        )
        .await?;
    }
    if payment.quarantined_for.is_some() {
        moment::note(&mut *conn, payment.id, "released", None, None, None).await?;
    }
    if let Some(may) = change.access {
        entitlement::set(conn, payment, may).await?;
    }
    Ok(changed)
}
