//! One moment of the database.

use sqlx::{PgPool, Postgres, Transaction};

/// A transaction whose statements all see the same moment. An answer that is put together from several statements reads
/// by one: otherwise what commits between two of them makes the answer contradict itself, such as a page of comments with
/// more of them than its total. It costs a round trip.
///
/// # Errors
/// Those of the connection.
pub(crate) async fn snapshot(db: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    millrace_bus::begin_as(db, "begin isolation level repeatable read read only").await
}
