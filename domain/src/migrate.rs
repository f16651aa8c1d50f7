//! Brings the platform's tables up to date.

use sqlx::{PgPool, migrate::Migrator};

static APP: Migrator = sqlx::migrate!("../migrations/app");

/// Runs the platform's migrations that are missing; the engine's go first (`millrace_jobs::migrate` does both).
/// Any number of processes may call it at once: PostgreSQL's advisory lock lets one through, and the next finds
/// nothing to do.
///
/// # Errors
/// A migration that fails, or one that was changed after it ran.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    let mut set = Migrator::with_migrations(APP.migrations.to_vec());
    // A ledger of its own: version numbers of the engine's set are counted apart.
    set.dangerous_set_table_name("app_migrations");
    set.run(pool).await
}
