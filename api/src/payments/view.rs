//! How orders look from outside.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{PaymentId, RefundId, SubscriptionId, UserId},
    payments::{self, Closing, ItemType, Moment, Payment, Refund, RefundStatus, Status},
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::problem::Problem;

/// What was bought, as it was called then.
#[derive(Debug, Serialize, ToSchema)]
struct OrderItem {
    #[serde(rename = "type")]
    kind: ItemType,
    /// Of a channel and a tip: the creator.
    id: Uuid,
    title: String,
}

/// Who earns by it.
#[derive(Debug, Serialize, ToSchema)]
struct Seller {
    id: UserId,
    username: String,
}

/// What the payer may do with an order now.
#[derive(Debug, Serialize, ToSchema)]
struct OrderRights {
    cancel: bool,
    /// On the provider's page, at `checkout_url`.
    pay: bool,
    request_refund: bool,
}

/// An order. Amounts are in the minor unit of their currency, of which one whole has `exponent` digits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderView {
    id: PaymentId,
    item: OrderItem,
    /// What the payer says to the creator, with a tip.
    message: String,
    /// None of an account that is gone.
    #[schema(required)]
    seller: Option<Seller>,
    amount: i64,
    /// ISO 4217.
    currency: String,
    exponent: u8,
    /// What was taken.
    captured: i64,
    /// What of it was given back.
    refunded: i64,
    status: Status,
    /// It was given up, and the provider is asked to close its page: it may turn out to be paid all the same.
    #[schema(required)]
    closing: Option<Closing>,
    /// Why the last try to pay was declined, in the provider's word.
    #[schema(required)]
    decline_code: Option<String>,
    /// Where to pay, as long as it can be paid.
    #[schema(required)]
    checkout_url: Option<String>,
    created_at: DateTime<Utc>,
    #[schema(required)]
    paid_at: Option<DateTime<Utc>>,
    /// Until when it can be paid.
    expires_at: DateTime<Utc>,
    /// What the provider says does not fit the order: staff look at it.
    quarantined: bool,
    /// Of a channel.
    #[schema(required)]
    subscription_id: Option<SubscriptionId>,
    can: OrderRights,
}

/// A page of orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderPage {
    pub(super) items: Vec<OrderView>,
    /// For the next page; none on the last.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

/// Something that happened to an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderMoment {
    n: i32,
    /// `created`, `opened`, `declined`, `paid`, `canceled`, `expired`, `failed`, `refund_requested`, `refund_declined`,
    /// `refund_pending`, `refunded`, `refund_failed`, `disputed`, `dispute_won`, `dispute_lost`, `quarantined`, `released` or
    /// `renewed`.
    kind: String,
    /// Of refunds and disputes.
    #[schema(required)]
    amount: Option<i64>,
    /// A code, such as that of a declined card.
    #[schema(required)]
    code: Option<String>,
    at: DateTime<Utc>,
}

/// Money on its way back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
pub(super) struct RefundView {
    id: RefundId,
    amount: i64,
    status: RefundStatus,
    reason: String,
    /// What was answered to who asked.
    answer: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// An order with everything that happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderDetail {
    #[serde(flatten)]
    order: OrderView,
    /// Oldest first.
    moments: Vec<OrderMoment>,
    /// Oldest first.
    refunds: Vec<RefundView>,
}

impl OrderView {
    /// The views of these orders, in their order.
    pub(super) async fn of_all(
        conn: &mut PgConnection,
        payments: Vec<Payment>,
    ) -> Result<Vec<Self>, Problem> {
        let sellers: Vec<UserId> = payments.iter().map(|payment| payment.seller_id).collect();
        let names = payments::names(conn, &sellers).await?;
        Ok(payments
            .into_iter()
            .map(|payment| Self::new(payment, &names))
            .collect())
    }

    fn new(payment: Payment, names: &HashMap<UserId, String>) -> Self {
        let waits = payment.status.is_open() && payment.closing.is_none();
        let seller = names.get(&payment.seller_id).map(|name| Seller {
            id: payment.seller_id,
            username: name.clone(),
        });
        let can = OrderRights {
            cancel: waits,
            pay: waits && payment.checkout_url.is_some(),
            request_refund: payment.quarantined_for.is_none()
                && matches!(payment.status, Status::Paid | Status::PartiallyRefunded),
        };
        Self {
            id: payment.id,
            item: OrderItem {
                kind: payment.item_type,
                id: payment.item_id,
                title: payment.title,
            },
            seller,
            amount: payment.price.amount,
            currency: payment.price.currency.code().to_owned(),
            exponent: payment.price.currency.exponent(),
            captured: payment.captured,
            refunded: payment.refunded,
            status: payment.status,
            closing: payment.closing,
            decline_code: payment.decline_code,
            checkout_url: payment.checkout_url.filter(|_| can.pay),
            created_at: payment.created_at,
            paid_at: payment.paid_at,
            expires_at: payment.expires_at,
            message: payment.message,
            quarantined: payment.quarantined_for.is_some(),
            subscription_id: payment.subscription_id,
            can,
        }
    }
}

impl OrderDetail {
    /// An order as it is at the moment of `conn`.
    pub(super) async fn of(conn: &mut PgConnection, payment: Payment) -> Result<Self, Problem> {
        let id = payment.id;
        let names = payments::names(&mut *conn, &[payment.seller_id]).await?;
        let moments = payments::moment::of_payment(&mut *conn, id).await?;
        let refunds = payments::refund::of_payment(conn, id).await?;
        let mut order = OrderView::new(payment, &names);
        // One question at a time.
        order.can.request_refund &= !refunds
            .iter()
            .any(|refund| refund.status == RefundStatus::Requested);
        Ok(Self {
            order,
            moments: moments.into_iter().map(Into::into).collect(),
            refunds: refunds.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<Moment> for OrderMoment {
    fn from(moment: Moment) -> Self {
        Self {
            n: moment.n,
            kind: moment.kind,
            amount: moment.amount,
            code: moment.code,
            at: moment.at,
        }
    }
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            id: refund.id,
            amount: refund.amount,
            status: refund.status,
            reason: refund.reason,
            answer: refund.answer,
            created_at: refund.created_at,
            updated_at: refund.updated_at,
        }
    }
}
