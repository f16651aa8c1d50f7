//! Reports, what staff decide on them, and what people say against that.
//!
//! Auditors read, operators decide on things, administrators on people, as their roles say.

/// Appeals, as staff see and answer them.
mod appeals;
/// Who of staff did what.
mod audit;
/// What was reported.
mod cases;
/// What staff decide.
mod decisions;
/// What was decided about one's own things.
mod mine;
/// For those who are locked out.
mod suspended;
/// How decisions look from outside.
mod view;
/// The word list for comments.
mod words;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use millrace_domain::audit::Actor;
use millrace_jobs::flows::ModerationError;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use words::Words;

use crate::{app::App, auth::CurrentUser, problem::Problem, router::RequestId};

/// The routes of all of them.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(cases::router())
        .merge(decisions::router())
        .merge(appeals::router())
        .merge(audit::router())
        .merge(mine::router())
        .merge(suspended::router())
        .merge(words::router())
}

/// What this request is called in the log.
#[derive(Debug)]
pub(crate) struct OfRequest(Option<RequestId>);

impl<S: Send + Sync> FromRequestParts<S> for OfRequest {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}

impl OfRequest {
    /// Who acts, for the audit log.
    pub(crate) fn actor<'a>(&'a self, caller: &'a CurrentUser) -> Actor<'a> {
        Actor {
            id: Some(caller.user.id),
            name: &caller.user.username,
            request: self.0.as_ref().map(|id| id.0.as_str()),
        }
    }
}

/// What the refusal of a decision is to who wanted it.
fn refusal(error: ModerationError) -> Problem {
    match error {
        ModerationError::NotFound => Problem::not_found(),
        ModerationError::NotForTarget(_) => {
            Problem::refused("not_for_target", "that cannot be done to such a thing")
        }
        ModerationError::Decided => Problem::conflict("decided", "that was decided already"),
        ModerationError::Final => Problem::refused("final", "what was deleted cannot come back"),
        ModerationError::Protected => Problem::new(
            StatusCode::FORBIDDEN,
            "protected",
            "nobody judges themselves, or people of their own role or above it",
        ),
        ModerationError::Inactive => {
            Problem::conflict("account_inactive", "the account is not active")
        }
        ModerationError::Flow(error) => crate::videos::refusal(error),
        error => error.into(),
    }
}
