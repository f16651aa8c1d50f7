//! Whether the process lives, whether it can serve, and what clients may know of its settings.

use axum::{Json, extract::State, http::StatusCode};
use millrace_config::Registration;
use millrace_domain::uploads::EXTENSIONS;
use serde::Serialize;
use tokio::time::{Duration, timeout};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

/// How long a dependency may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_health))
        .routes(routes!(get_readiness))
        .routes(routes!(get_config))
}

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
}

/// Whether the process can serve.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// `ok`, or `unavailable` if a check failed.
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
    checks: Checks,
}

/// `ok` or `failed`, each.
#[derive(Debug, Serialize, ToSchema)]
struct Checks {
    #[schema(value_type = String, example = "ok")]
    database: &'static str,
    #[schema(value_type = String, example = "ok")]
    storage: &'static str,
    #[schema(value_type = String, example = "ok")]
    migrations: &'static str,
}

/// What clients may know of the settings.
#[derive(Debug, Serialize, ToSchema)]
struct PublicConfig {
    /// Bytes.
    max_upload_size: u64,
    /// Bytes; larger files travel in parts.
    single_put_limit: u64,
    /// Lower case, without dots.
    #[schema(value_type = Vec<String>)]
    allowed_extensions: Vec<&'static str>,
    /// `open` or `closed`.
    #[schema(value_type = String, example = "open")]
    registration: &'static str,
    #[schema(value_type = String)]
    version: &'static str,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "operations",
    responses((status = 200, body = Health)), security(()))]
async fn get_health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the process can serve: its database, its store, and their schema.
#[utoipa::path(get, path = "/ready", operation_id = "get_readiness", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)), security(()))]
async fn get_readiness(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let database = async { sqlx::query("select 1").execute(&app.db).await.is_ok() };
    let storage = async { app.storage.check().await.is_ok() };
    let migrations = async { is_migrated(&app).await };
    let (database, storage, migrations) = tokio::join!(
        timeout(PATIENCE, database),
        timeout(PATIENCE, storage),
        timeout(PATIENCE, migrations)
    );
    let word = |passed: Result<bool, _>| {
        if passed.unwrap_or(false) {
            "ok"
        } else {
            "failed"
        }
    };
    let checks = Checks {
        database: word(database),
        storage: word(storage),
        migrations: word(migrations),
    };
    let ready = [checks.database, checks.storage, checks.migrations]
        .iter()
        .all(|check| *check == "ok");
    let (code, status) = if ready {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    (code, Json(Readiness { status, checks }))
}

/// What clients may know of the settings.
#[utoipa::path(get, path = "/api/config", operation_id = "get_config", tag = "operations",
    responses((status = 200, body = PublicConfig)), security(()))]
async fn get_config(State(app): State<App>) -> Json<PublicConfig> {
    Json(PublicConfig {
        max_upload_size: app.settings.max_upload_size,
        single_put_limit: app.settings.single_put_limit,
        allowed_extensions: EXTENSIONS.to_vec(),
        registration: match app.settings.registration {
            Registration::Open => "open",
            Registration::Invite => "invite",
            Registration::Closed => "closed",
        },
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Whether the newest table of this version is there. The full comparison is the migrator's, at start.
async fn is_migrated(app: &App) -> bool {
    millrace_domain::videos::Entitlement::of(&app.db, millrace_domain::ids::VideoId::new())
        .await
        .is_ok()
}
