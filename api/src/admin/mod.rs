//! The admin screens: jobs and queues.

/// One action on all jobs of a filter.
mod bulk;
/// One job as it is shown.
mod detail;
/// Invitations to register.
mod invites;
/// Jobs: list, look, act.
mod jobs;
/// Queues: look, pause, resume.
mod queues;
/// Jobs in a list as they are shown.
mod view;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes below /api/admin.
pub(crate) fn router() -> OpenApiRouter<App> {
    jobs::router()
        .merge(bulk::router())
        .merge(queues::router())
        .merge(invites::router())
}
