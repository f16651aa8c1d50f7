//! The ledger compared with what the provider says that it moved. None of it is expected to differ.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Movement;
use crate::ids::{CheckId, PaymentId, UserId};

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub key: String,
    /// `missing_here`, `missing_there` or `amount`.
    pub kind: &'static str,
    pub payment: Option<PaymentId>,
    pub ours: Option<i64>,
    pub theirs: Option<i64>,
    pub currency: String,
}

/// Begins a comparison of what happened from (with) to (without).
///
/// # Errors
/// Those of the statement.
pub async fn begin(
    conn: &mut PgConnection,
    provider: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    by: Option<UserId>,
) -> Result<CheckId, sqlx::Error> {
    let id = CheckId::new();
    sqlx::query!(
        "insert into ledger_checks (id, provider, from_at, to_at, started_by) values ($1, $2, $3, $4, $5)",
        id.0,
        provider,
        from,
        to,
        by.map(|by| by.0),
    )
    .execute(conn)
    .await?;
    Ok(id)
}

/// Compares the movements of the provider with our postings of the period, and stores what differs.
///
/// # Errors
/// Those of the statements.
pub async fn compare(
    conn: &mut PgConnection,
    check: CheckId,
    movements: &[Movement],
) -> Result<Vec<Difference>, sqlx::Error> {
    let keys: Vec<String> = movements
        .iter()
        .map(|movement| movement.key.clone())
        .collect();
    // What the provider names is ours whenever we think that it happened; of the period is what it does not name.
    let rows = sqlx::query!(
        r#"select p.key, p.payment_id, p.currency, l.amount
             from ledger_checks c
             join ledger_postings p on p.key like c.provider || ':%'
                  and (p.key = any($2) or (p.occurred_at >= c.from_at and p.occurred_at < c.to_at))
             join ledger_lines l on l.posting_id = p.id and l.account = 'clearing'
            where c.id = $1"#,
        check.0,
        &keys,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut ours: HashMap<String, Difference> = rows
        .into_iter()
        .map(|row| {
            let posted = Difference {
                key: row.key.clone(),
                kind: "missing_there",
                payment: Some(PaymentId(row.payment_id)),
                ours: Some(row.amount),
                theirs: None,
                currency: row.currency,
            };
            (row.key, posted)
        })
        .collect();
    let mut differences = Vec::new();
    for movement in movements {
        let theirs = Some(movement.amount.amount);
        let currency = movement.amount.currency.code();
        match ours.remove(&movement.key) {
            Some(posted) if posted.ours == theirs && posted.currency == currency => {}
            Some(posted) => differences.push(Difference {
                kind: "amount",
                theirs,
                ..posted
            }),
            None => differences.push(Difference {
                key: movement.key.clone(),
                kind: "missing_here",
                payment: None,
                ours: None,
                theirs,
                currency: currency.to_owned(),
            }),
        }
    }
    differences.extend(ours.into_values());
    for difference in &differences {
        sqlx::query!(
            "insert into ledger_differences (check_id, key, kind, payment_id, ours, theirs, currency)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
            check.0,
            difference.key,
            difference.kind,
            difference.payment.map(|payment| payment.0),
            difference.ours,
            difference.theirs,
            difference.currency,
        )
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query!(
        "update ledger_checks set compared = $2 where id = $1",
        check.0,
        i64::try_from(movements.len()).unwrap_or(i64::MAX),
    )
    .execute(conn)
    .await?;
    Ok(differences)
}

/// Ends a comparison.
///
/// # Errors
/// Those of the statement.
pub async fn finish(conn: &mut PgConnection, check: CheckId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ledger_checks c set finished_at = now(),
                differences = (select count(*) from ledger_differences d where d.check_id = c.id)
          where id = $1",
        check.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
