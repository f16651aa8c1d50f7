//! Orders, what providers say of them, and money on its way back, each with its job.

use millrace_domain::{
    ids::{PaymentEventId, PaymentId},
    payments::{
        self, Closing, CreateError, Created, Delivery, NewPayment, NewRefundRow, Refund,
        RefundError, Source, event,
    },
};
use millrace_queue::{EnqueueError, NewJob, UniqueKey, Wake};
use sqlx::PgConnection;

use super::FlowError;
use crate::kinds::{
    PaymentCallback, PaymentCheckout, PaymentClose, PaymentReconcile, PaymentRefund,
};

/// Why an order or a refund did not begin.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Refund(#[from] RefundError),
    #[error("could not enqueue the order's job")]
    Enqueue(#[from] EnqueueError),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Writes an order and enqueues the job that asks for its page. Said again with the same key, it is the same order and no
/// other job. Fire the [`Wake`] after commit.
///
/// # Errors
/// [`PaymentError`]; the transaction is then of no use.
pub async fn create_payment(
    conn: &mut PgConnection,
    new: &NewPayment,
) -> Result<(Created, Wake), PaymentError> {
    let created = payments::create(&mut *conn, new).await?;
    if !created.new {
        return Ok((created, Wake::none()));
    }
    let id = created.payment.id;
    let job = NewJob::new(&PaymentCheckout { payment: id })
        .owner(new.payer.0)
        .unique(UniqueKey::until_done(format!("payment_checkout:{id}")));
    let mut wake = millrace_queue::enqueue(&mut *conn, job).await?.wake;
    wake.merge(payments::announce(conn, &created.payment).await?);
    Ok((created, wake))
}

/// Stores what a provider said, once, and enqueues the job that works it off. `None` if it was known: then nothing
/// changed.
///
/// # Errors
/// [`FlowError`]
pub async fn receive_event(
    conn: &mut PgConnection,
    provider: &str,
    delivery: &Delivery,
    source: Source,
) -> Result<Option<Wake>, FlowError> {
    let Some(id) = event::store(&mut *conn, provider, delivery, source).await? else {
        return Ok(None);
    };
    work_off_event(conn, id).await.map(Some)
}

/// Enqueues the job of an event that is stored.
///
/// # Errors
/// [`FlowError`]
pub(crate) async fn work_off_event(
    conn: &mut PgConnection,
    event: PaymentEventId,
) -> Result<Wake, FlowError> {
    let job = NewJob::new(&PaymentCallback { event })
        .unique(UniqueKey::until_done(format!("payment_callback:{event}")));
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}

/// Lets the provider be asked how an order stands.
///
/// # Errors
/// [`FlowError`]
pub async fn look_at_payment(conn: &mut PgConnection, id: PaymentId) -> Result<Wake, FlowError> {
    let job = NewJob::new(&PaymentReconcile { payment: id })
        .unique(UniqueKey::until_done(format!("payment_reconcile:{id}")));
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}

/// Gives an order up: its page is closed, and then it ends, unless it was paid meanwhile. `None` if it was not open any
/// more: then drop the transaction.
///
/// # Errors
/// [`FlowError`]
pub async fn end_payment(
    conn: &mut PgConnection,
    id: PaymentId,
    closing: Closing,
) -> Result<Option<Wake>, FlowError> {
    // Jobs before rows: the order in which everybody locks.
    let job = NewJob::new(&PaymentClose { payment: id })
        .unique(UniqueKey::until_done(format!("payment_close:{id}")));
    let wake = millrace_queue::enqueue(&mut *conn, job).await?.wake;
    let given_up = payments::give_up(conn, id, closing).await?;
    Ok(given_up.then_some(wake))
}

/// Decides on a refund and enqueues the job that asks for it: the row comes before the call.
///
/// # Errors
/// [`PaymentError`]; the transaction is then of no use.
pub async fn begin_refund(
    conn: &mut PgConnection,
    new: &NewRefundRow,
) -> Result<(Refund, Wake), PaymentError> {
    let refund = payments::refund::begin(&mut *conn, new).await?;
    let job = NewJob::new(&PaymentRefund { refund: refund.id }).unique(UniqueKey::until_done(
        format!("payment_refund:{}", refund.id),
    ));
    let wake = millrace_queue::enqueue(conn, job).await?.wake;
    Ok((refund, wake))
}
