//! Events of AWS Elemental MediaConvert, as an API destination of EventBridge brings them.

use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use millrace_config::Secret;
use millrace_domain::mediaconvert::Event;
use millrace_jobs::flows;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    input::Body,
    problem::{Problem, ProblemBody},
};

/// What the connection of the API destination sends along: its API key.
const HEADER: &str = "x-mediaconvert-secret";

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(take_event))
}

/// The secrets that events may carry: today's, and that of before the last rotation.
#[derive(Clone, Default)]
pub(crate) struct EventSecrets(Vec<[u8; 32]>);

impl EventSecrets {
    /// Those that are set.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let set = secrets.into_iter().filter(|secret| !secret.is_empty());
        Self(set.map(|secret| hash(secret.expose().as_bytes())).collect())
    }

    /// Whether it is one of them. Hashes are compared, all of them and whole, so the time tells nothing.
    fn know(&self, said: &[u8]) -> bool {
        let said = hash(said);
        self.0
            .iter()
            .fold(subtle::Choice::from(0), |known, secret| {
                known | secret.ct_eq(&said)
            })
            .into()
    }
}

fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// EventBridge, by its secret. Looked at before the body.
struct EventBridge;

impl FromRequestParts<App> for EventBridge {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let said = parts.headers.get(HEADER);
        let known = said.is_some_and(|said| app.event_secrets.know(said.as_bytes()));
        known.then_some(Self).ok_or_else(|| {
            Problem::unauthenticated("this is for EventBridge, which knows a secret")
        })
    }
}

/// Takes an event. It may come late, more than once, and in any order: it is a hint that raises the progress of a video, or
/// makes a worker ask MediaConvert itself, whose answer alone ends a conversion. Events that are about nothing of ours are
/// taken and forgotten, since EventBridge would repeat what is refused.
#[utoipa::path(
    post, path = "/api/mediaconvert/events", operation_id = "take_mediaconvert_event", tag = "operations",
    request_body = Event,
    params(("x-mediaconvert-secret" = String, Header, description = "One of the secrets of the settings")),
    responses(
        (status = 204, description = "Taken"),
        (status = 400, description = "`malformed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the secret is missing or wrong, or none is set", body = ProblemBody,
         content_type = "application/problem+json"),
        (status = 413, description = "`payload_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn take_event(
    State(app): State<App>,
    _: EventBridge,
    Body(event): Body<Event>,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::hear_event(&mut tx, &event)
        .await
        .map_err(anyhow::Error::from)?;
    tx.commit().await?;
    if let Some(wake) = wake {
        wake.fire(&app.notifier);
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_secrets_are_known_and_no_other() {
        let secret = |text: &str| Secret::from(text.to_owned());
        let set = [secret("today's"), secret(""), secret("yesterday's")];
        let known = EventSecrets::new(&set);
        assert!(known.know(b"today's") && known.know(b"yesterday's"));
        assert!(!known.know(b"") && !known.know(b"tomorrow's"));
        assert!(!EventSecrets::new(&[secret("")]).know(b""));
    }
}
