//! The comparison of the ledger with what the provider says that it moved. No difference is tolerated.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Movement;
use crate::ids::{CheckId, PaymentId, UserId};

/// What is compared: everything that moved from (with) to (without).
#[derive(Debug, Clone)]
pub struct Compared<'a> {
    pub provider: &'a str,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Of the period, and of some time around it: the clocks of two books differ.
    pub movements: &'a [Movement],
    /// None: the schedule.
    pub by: Option<UserId>,
}

/// A comparison that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub id: CheckId,
    pub provider: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Movements that were compared.
    pub compared: i64,
    pub differences: i32,
    pub started_by: Option<UserId>,
    pub finished_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Something that one side has otherwise than the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub key: String,
    /// missing_here, missing_there or amount.
    pub kind: String,
    pub payment_id: Option<PaymentId>,
    pub ours: Option<i64>,
    pub theirs: Option<i64>,
    pub currency: String,
}

/// What was posted, as far as it is compared.
#[derive(Debug, Clone)]
struct Ours {
    key: String,
    payment_id: PaymentId,
    currency: String,
    amount: i64,
    occurred_at: DateTime<Utc>,
}

/// Compares, and writes down what differs.
///
/// # Errors
/// Those of the statements.
pub async fn compare(
    conn: &mut PgConnection,
    what: &Compared<'_>,
) -> Result<(CheckId, Vec<Difference>), sqlx::Error> {
    let keys: Vec<String> = what.movements.iter().map(|m| m.key.clone()).collect();
    let ours = sqlx::query_as!(
        Ours,
        r#"select p.key, p.payment_id as "payment_id: _", p.currency, p.occurred_at,
                  (select sum(l.amount)::bigint from ledger_lines l
                    where l.posting_id = p.id and l.account = 'clearing') as "amount!"
             from ledger_postings p
            where p.key = any($4) or (starts_with(p.key, $1 || ':') and p.occurred_at >= $2 and p.occurred_at < $3)"#,
        what.provider,
        what.from,
        what.to,
        &keys,
    )
    .fetch_all(&mut *conn)
    .await?;
    let (compared, differences) = differences(&ours, what);
    let id = CheckId::new();
    sqlx::query!(
        "insert into ledger_checks (id, provider, from_at, to_at, compared, differences, started_by, finished_at)
         values ($1, $2, $3, $4, $5, $6, $7, now())",
        id.0,
        what.provider,
        what.from,
        what.to,
        i64::try_from(compared).unwrap_or(i64::MAX),
        i32::try_from(differences.len()).unwrap_or(i32::MAX),
        what.by.map(|by| by.0),
    )
    .execute(&mut *conn)
    .await?;
    for difference in &differences {
        sqlx::query!(
            "insert into ledger_differences (check_id, key, kind, payment_id, ours, theirs, currency)
             values ($1, $2, $3, $4, $5, $6, $7)",
            id.0,
            difference.key,
            difference.kind,
            difference.payment_id.map(|id| id.0),
            difference.ours,
            difference.theirs,
            difference.currency,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok((id, differences))
}

/// The latest comparisons.
///
/// # Errors
/// Those of the statement.
pub async fn latest(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<Check>, sqlx::Error> {
    sqlx::query_as!(
        Check,
        r#"select id as "id: _", provider, from_at as "from", to_at as "to", compared, differences,
                  started_by as "started_by: _", finished_at, created_at
             from ledger_checks order by created_at desc limit $1"#,
        limit,
    )
    .fetch_all(db)
    .await
}

/// What differed; none if there was no such comparison.
///
/// # Errors
/// Those of the statements.
pub async fn found(
    conn: &mut PgConnection,
    id: CheckId,
) -> Result<Option<Vec<Difference>>, sqlx::Error> {
    let known = sqlx::query_scalar!(
        r#"select true as "known!" from ledger_checks where id = $1"#,
        id.0
    )
    .fetch_optional(&mut *conn)
    .await?;
    if known.is_none() {
        return Ok(None);
    }
    sqlx::query_as!(
        Difference,
        r#"select key, kind, payment_id as "payment_id: _", ours, theirs, currency
             from ledger_differences where check_id = $1 order by key limit 1000"#,
        id.0,
    )
    .fetch_all(conn)
    .await
    .map(Some)
}

/// How many were compared, and what differs. A movement of the period needs its posting, whenever it was written down, and
/// a posting of the period its movement.
fn differences(ours: &[Ours], what: &Compared<'_>) -> (usize, Vec<Difference>) {
    let of_period = |at: &DateTime<Utc>| *at >= what.from && *at < what.to;
    let posted: HashMap<&str, &Ours> = ours.iter().map(|o| (o.key.as_str(), o)).collect();
    let moved: HashMap<&str, &Movement> =
        what.movements.iter().map(|m| (m.key.as_str(), m)).collect();
    let mut compared = 0;
    let mut found = Vec::new();
    for theirs in moved.values().filter(|m| of_period(&m.at)) {
        compared += 1;
        let ours = posted.get(theirs.key.as_str());
        let same = ours.is_some_and(|ours| {
            ours.amount == theirs.amount.amount && ours.currency == theirs.amount.currency.code()
        });
        if !same {
            found.push(Difference {
                key: theirs.key.clone(),
                kind: if ours.is_some() {
                    "amount"
                } else {
                    "missing_here"
                }
                .to_owned(),
                payment_id: ours.map(|ours| ours.payment_id),
                ours: ours.map(|ours| ours.amount),
                theirs: Some(theirs.amount.amount),
                currency: theirs.amount.currency.code().to_owned(),
            });
        }
    }
    for ours in ours.iter().filter(|ours| of_period(&ours.occurred_at)) {
        if !moved.contains_key(ours.key.as_str()) {
            compared += 1;
            found.push(Difference {
                key: ours.key.clone(),
                kind: "missing_there".to_owned(),
                payment_id: Some(ours.payment_id),
                ours: Some(ours.amount),
                theirs: None,
                currency: ours.currency.clone(),
            });
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    (compared, found)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::{
        super::{Currency, Money},
        *,
    };

    #[test]
    fn every_difference_is_found_and_nothing_else() {
        let from = DateTime::<Utc>::UNIX_EPOCH;
        let to = from + TimeDelta::days(1);
        let at = |minutes| from + TimeDelta::minutes(minutes);
        let twd = Currency::parse("TWD").unwrap();
        let ours = |key: &str, amount, minutes| Ours {
            key: key.to_owned(),
            payment_id: PaymentId(Uuid::nil()),
            currency: "TWD".to_owned(),
            amount,
            occurred_at: at(minutes),
        };
        let theirs = |key: &str, amount, minutes| Movement {
            key: key.to_owned(),
            amount: Money::new(amount, twd),
            at: at(minutes),
        };
        let movements = [
            theirs("same", 5, 10),
            theirs("late", 5, 1),
            theirs("amount", 5, 10),
            theirs("theirs", 5, 10),
            theirs("edge", 5, -1),
            theirs("elsewhere", 5, -5),
        ];
        let posted = [
            ours("same", 5, 10),
            ours("late", 5, -2),
            ours("amount", 6, 10),
            ours("ours", 5, 10),
            ours("edge", 5, 1),
        ];
        let what = Compared {
            provider: "x",
            from,
            to,
            movements: &movements,
            by: None,
        };
        let (compared, found) = differences(&posted, &what);
        let kinds: Vec<_> = found
            .iter()
            .map(|d| (d.key.as_str(), d.kind.as_str()))
            .collect();
        assert_eq!(
            kinds,
            [
                ("amount", "amount"),
                ("ours", "missing_there"),
                ("theirs", "missing_here")
            ]
        );
        assert_eq!(compared, 5);
    }
}
