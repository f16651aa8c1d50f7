//! Transactions whose beginning may be given up.

use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction, as [`sqlx::Pool::begin`] does, and may be dropped at any time: a request whose client has left, a
/// job whose time is up.
///
/// Dropping sqlx's own while BEGIN is on its way gives the pool a connection that is within a transaction and does not
/// know it (0.9.0 counts a transaction once it has begun, and rolls back only what it has counted). Whatever is written
/// next over that connection is not committed, or refused if the transaction only reads. So BEGIN is a task of its own,
/// which nobody interrupts; a transaction that nobody waits for any more is rolled back.
///
/// # Errors
/// Those of the connection.
pub async fn begin(db: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_as(db, "begin").await
}

/// [`begin`] by a statement of one's own, such as `begin isolation level repeatable read`.
///
/// # Errors
/// Those of the connection.
pub async fn begin_as(
    db: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let db = db.clone();
    let begun = tokio::spawn(async move { db.begin_with(statement).await });
    // It neither panics nor is it aborted, unless the runtime ends.
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
