//! The schema of the engine and the bus.

use sqlx::{
    PgPool,
    migrate::{MigrateError, Migrator},
};

static MIGRATOR: Migrator = sqlx::migrate!("../migrations/queue");

/// Brings the schemas `queue` and `bus` up to date, once whoever calls: under a lock, before the application's own.
///
/// # Errors
/// When the database does not answer, or holds migrations that differ from ours.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    migrator().run(pool).await
}

/// Our migrations, kept apart from the application's by a table of their own.
pub fn migrator() -> Migrator {
    let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
    migrator.dangerous_set_table_name("_migrations_queue");
    migrator
}
