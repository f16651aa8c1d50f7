//! What people are told of, over HTTP.

/// The list, the bell, and what was seen.
mod news;
/// What a person wants to be told of, and how.
mod preferences;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes below /api/notifications.
pub(crate) fn router() -> OpenApiRouter<App> {
    news::router().merge(preferences::router())
}
