//! The course of an open order: its page, and its end.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};

use super::{Closing, OpenPage, Payment, Status, moment, order::orders};
use crate::ids::PaymentId;

/// Notes where an order can be paid. None if that was known, or it is not waiting for it any more: then nothing changed.
///
/// # Errors
/// Those of the statements.
pub async fn opened(
    conn: &mut PgConnection,
    id: PaymentId,
    page: &OpenPage,
) -> Result<Option<Payment>, sqlx::Error> {
    let row = orders!(
        "update payments set status = 'pending', provider_session = $2, checkout_url = $3
          where id = $1 and status = 'created' and provider_session is null returning",
        "",
        id.0,
        page.session,
        page.url,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    moment::note(conn, id, "opened", None, None, None).await?;
    row.read().map(Some)
}

/// Lets an open order end: its page has to be closed, and then the provider says whether it was paid. `false` if it is not
/// open, or ending already.
///
/// # Errors
/// Those of the statement.
pub async fn give_up(
    conn: &mut PgConnection,
    id: PaymentId,
    closing: Closing,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update payments set closing = $2 where id = $1 and status = any($3) and closing is null",
        id.0,
        closing.word(),
        &[
            Status::Created.word().to_owned(),
            Status::Pending.word().to_owned()
        ],
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Orders whose time is over and that nobody lets end yet, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn overdue(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<PaymentId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "select id from payments
          where status in ('created', 'pending') and closing is null and expires_at < now()
          order by expires_at limit $1",
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(PaymentId).collect())
}

/// Orders that have had a page for this long, or are ending, and of which nothing was heard since.
///
/// # Errors
/// Those of the statement.
pub async fn stuck(
    db: impl PgExecutor<'_>,
    for_long: Duration,
    limit: i64,
) -> Result<Vec<PaymentId>, sqlx::Error> {
    let seconds = i64::try_from(for_long.as_secs()).unwrap_or(i64::MAX);
    let ids = sqlx::query_scalar!(
        "select id from payments
          where status = 'pending' and provider_session is not null
            and created_at < now() - make_interval(secs => $1::bigint)
            and coalesce(checked_at, created_at) < now() - make_interval(secs => $1::bigint)
          order by checked_at nulls first limit $2",
        seconds,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(PaymentId).collect())
}
