//! The ledger: postings that nobody can change. The database refuses those that do not balance, and all but inserts.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{Account, Cause, Line, NewPosting, column};
use crate::ids::{PaymentId, UserId};

/// Something that moved money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// What makes it once.
    pub key: String,
    pub cause: Cause,
    /// When it happened at the provider.
    pub occurred_at: DateTime<Utc>,
    pub lines: Vec<Line>,
}

/// Writes a posting with its lines; `false` if it was written before. Under the order's lock.
pub(super) async fn post(
    conn: &mut PgConnection,
    payment: PaymentId,
    new: &NewPosting,
) -> Result<bool, sqlx::Error> {
    let id = Uuid::now_v7();
    let done = sqlx::query!(
        "insert into ledger_postings (id, key, kind, payment_id, currency, occurred_at) values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint ledger_postings_once do nothing",
        id,
        new.key,
        new.cause.word(),
        payment.0,
        new.currency.code(),
        new.occurred_at,
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for (n, line) in (1_i16..).zip(&new.lines) {
        sqlx::query!(
            "insert into ledger_lines (posting_id, n, account, owner_id, amount) values ($1, $2, $3, $4, $5)",
            id,
            n,
            line.account.word(),
            line.owner_id.map(|owner| owner.0),
            line.amount,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(true)
}

/// What was posted of an order: each key with what it moved towards us.
pub(super) async fn posted(
    conn: &mut PgConnection,
    payment: PaymentId,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select p.key, l.amount from ledger_postings p
             join ledger_lines l on l.posting_id = p.id and l.account = 'clearing'
            where p.payment_id = $1 order by p.id"#,
        payment.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key, row.amount)).collect())
}

/// The postings of an order, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn postings_of(
    db: impl PgExecutor<'_>,
    payment: PaymentId,
) -> Result<Vec<Posting>, sqlx::Error> {
    let rows = sqlx::query!(
        "select p.key, p.kind, p.occurred_at, l.account, l.owner_id, l.amount
           from ledger_postings p join ledger_lines l on l.posting_id = p.id
          where p.payment_id = $1 order by p.id, l.n",
        payment.0
    )
    .fetch_all(db)
    .await?;
    let mut postings: Vec<Posting> = Vec::new();
    for row in rows {
        let line = Line {
            account: column("account", Account::of_word(&row.account))?,
            owner_id: row.owner_id.map(UserId),
            amount: row.amount,
        };
        match postings.last_mut().filter(|last| last.key == row.key) {
            Some(posting) => posting.lines.push(line),
            None => postings.push(Posting {
                key: row.key,
                cause: column("kind", Cause::of_word(&row.kind))?,
                occurred_at: row.occurred_at,
                lines: vec![line],
            }),
        }
    }
    Ok(postings)
}
