//! Orders, as they are read.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{About, ItemType, Money, Period, Status, column};
use crate::{
    email::Language,
    ids::{PaymentId, SubscriptionId, UserId},
    keyset::{Page, Wanted},
};

/// Why an open order is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentClosing)]
pub enum Closing {
    /// The payer gave up.
    Canceled,
    /// Its time is over.
    Expired,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub id: PaymentId,
    /// None of an account that is gone.
    pub user_id: Option<UserId>,
    pub item_type: ItemType,
    pub item_id: Uuid,
    pub seller_id: UserId,
    /// What was bought, as it was called then.
    pub title: String,
    /// What the payer says to the creator, with a tip.
    pub message: String,
    pub price: Money,
    pub period: Option<Period>,
    /// What of each 10,000 stays with the house.
    pub share_bps: i32,
    pub status: Status,
    pub closing: Option<Closing>,
    pub provider: String,
    pub checkout_url: Option<String>,
    pub provider_session: Option<String>,
    pub provider_intent: Option<String>,
    pub provider_invoice: Option<String>,
    pub subscription_id: Option<SubscriptionId>,
    pub language: Language,
    /// In the minor unit, as the three below.
    pub captured: i64,
    pub refunded: i64,
    pub disputed: i64,
    pub decline_code: Option<String>,
    /// Why staff have to look at it.
    pub quarantined_for: Option<String>,
    pub expires_at: DateTime<Utc>,
    pub paid_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Which of a payer's orders are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct PaymentFilter {
    pub status: Option<Status>,
}

/// Which orders staff look for.
#[derive(Debug, Clone, Default)]
pub struct PaymentSearch {
    pub status: Option<Status>,
    /// Those alone that staff have to look at.
    pub quarantined: Option<bool>,
    /// An order's id, the provider's id of its page or payment, or the payer's name.
    pub text: Option<String>,
    pub payer: Option<UserId>,
}

impl Closing {
    /// The word as columns and JSON spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Canceled, Self::Expired]
            .into_iter()
            .find(|closing| closing.word() == word)
    }
}

pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) user_id: Option<Uuid>,
    pub(super) item_type: String,
    pub(super) item_id: Uuid,
    pub(super) seller_id: Uuid,
    pub(super) title: String,
    pub(super) message: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) period: Option<String>,
    pub(super) share_bps: i32,
    pub(super) status: String,
    pub(super) closing: Option<String>,
    pub(super) provider: String,
    pub(super) checkout_url: Option<String>,
    pub(super) provider_session: Option<String>,
    pub(super) provider_intent: Option<String>,
    pub(super) provider_invoice: Option<String>,
    pub(super) subscription_id: Option<Uuid>,
    pub(super) language: String,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) disputed: i64,
    pub(super) decline_code: Option<String>,
    pub(super) quarantined_for: Option<String>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) paid_at: Option<DateTime<Utc>>,
    pub(super) created_at: DateTime<Utc>,
}

impl Row {
    pub(super) fn read(self) -> Result<Payment, sqlx::Error> {
        Ok(Payment {
            id: PaymentId(self.id),
            user_id: self.user_id.map(UserId),
            item_type: column("item_type", ItemType::of_word(&self.item_type))?,
            item_id: self.item_id,
            seller_id: UserId(self.seller_id),
            title: self.title,
            message: self.message,
            price: column("currency", Money::of_columns(self.amount, &self.currency))?,
            period: match self.period {
                Some(word) => Some(column("period", Period::of_word(&word))?),
                None => None,
            },
            share_bps: self.share_bps,
            status: column("status", Status::of_word(&self.status))?,
            closing: match self.closing {
                Some(word) => Some(column("closing", Closing::of_word(&word))?),
                None => None,
            },
            provider: self.provider,
            checkout_url: self.checkout_url,
            provider_session: self.provider_session,
            provider_intent: self.provider_intent,
            provider_invoice: self.provider_invoice,
            subscription_id: self.subscription_id.map(SubscriptionId),
            language: Language::of_tag(&self.language),
            captured: self.captured,
            refunded: self.refunded,
            disputed: self.disputed,
            decline_code: self.decline_code,
            quarantined_for: self.quarantined_for,
            expires_at: self.expires_at,
            paid_at: self.paid_at,
            created_at: self.created_at,
        })
    }
}

/// The columns of an order, with a statement around them.
macro_rules! orders {
    ($before:tt, $after:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::payments::order::Row,
            $before
                + " id, user_id, item_type, item_id, seller_id, title, message, amount, currency, period, share_bps, status,
                    closing, provider, checkout_url, provider_session, provider_intent, provider_invoice, subscription_id,
                    language, captured, refunded, disputed, decline_code, quarantined_for, expires_at, paid_at, created_at "
                + $after,
            $($argument),*
        )
    };
}
pub(super) use orders;

impl Payment {
    /// The order with this id.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, id: PaymentId) -> Result<Option<Self>, sqlx::Error> {
        let row = orders!("select", "from payments where id = $1", id.0);
        row.fetch_optional(db).await?.map(Row::read).transpose()
    }

    /// The order with this id, locked until the transaction ends.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn lock(conn: &mut PgConnection, id: PaymentId) -> Result<Option<Self>, sqlx::Error> {
        let row = orders!(
            "select",
            "from payments where id = $1 for no key update",
            id.0
        );
        row.fetch_optional(conn).await?.map(Row::read).transpose()
    }

    /// The order that an event of a provider is about, as far as it is known by the provider's ids.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of_handle(
        db: impl PgExecutor<'_>,
        provider: &str,
        about: &About,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = match about {
            About::Session(id) => {
                orders!(
                    "select",
                    "from payments where provider = $1 and provider_session = $2",
                    provider,
                    id
                )
                .fetch_optional(db)
                .await?
            }
            About::Intent(id) => {
                orders!(
                    "select",
                    "from payments where provider = $1 and provider_intent = $2",
                    provider,
                    id
                )
                .fetch_optional(db)
                .await?
            }
            About::Invoice { invoice, .. } => {
                orders!(
                    "select",
                    "from payments where provider = $1 and provider_invoice = $2",
                    provider,
                    invoice
                )
                .fetch_optional(db)
                .await?
            }
            About::Subscription(_) | About::Nothing => None,
        };
        row.map(Row::read).transpose()
    }

    /// A payer's orders, newest first.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of_payer(
        db: impl PgExecutor<'_>,
        payer: UserId,
        filter: &PaymentFilter,
        wanted: &Wanted,
    ) -> Result<Page<Self>, sqlx::Error> {
        let rows = orders!(
            "select",
            "from payments
              where user_id = $1 and ($2::text is null or status = $2) and ($3::uuid is null or id < $3)
              order by id desc limit $4",
            payer.0,
            filter.status.map(Status::word),
            wanted.place::<Uuid>(),
            wanted.rows(),
        )
        .fetch_all(db)
        .await?;
        page(rows, wanted)
    }

    /// Everybody's orders, newest first.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn search(
        db: impl PgExecutor<'_>,
        search: &PaymentSearch,
        wanted: &Wanted,
    ) -> Result<Page<Self>, sqlx::Error> {
        let rows = orders!(
            "select",
            "from payments
              where ($1::text is null or status = $1)
                and ($2::bool is null or (quarantined_for is not null) = $2)
                and ($3::uuid is null or user_id = $3)
                and ($4::text is null or id::text = lower($4) or provider_session = $4 or provider_intent = $4
                     or user_id = (select u.id from users u where u.username = $4::citext))
                and ($5::uuid is null or id < $5)
              order by id desc limit $6",
            search.status.map(Status::word),
            search.quarantined,
            search.payer.map(|payer| payer.0),
            search.text.as_deref().map(str::trim),
            wanted.place::<Uuid>(),
            wanted.rows(),
        )
        .fetch_all(db)
        .await?;
        page(rows, wanted)
    }
}

fn page(rows: Vec<Row>, wanted: &Wanted) -> Result<Page<Payment>, sqlx::Error> {
    let orders = rows.into_iter().map(Row::read).collect::<Result<_, _>>()?;
    Ok(wanted.page(orders, |order: &Payment| order.id))
}
