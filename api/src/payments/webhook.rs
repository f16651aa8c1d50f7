//! What providers call. A call is believed by its signature alone, stored once, and worked off by a job: the answer
//! takes milliseconds, and what is lost after it is in the database.

use axum::{
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Request, State},
    http::StatusCode,
};
use millrace_domain::payments::Source;
use millrace_jobs::flows;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    input::{Segments, is_json},
    problem::{Problem, ProblemBody},
};

/// The most bytes of a call.
const CAP: usize = 256 * 1024;
/// Where the signature is; the sandbox speaks as Stripe does.
const SIGNATURE: &str = "stripe-signature";

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(take_payment_event))
        .layer(DefaultBodyLimit::max(CAP))
}

/// Takes an event of a provider, once. Calls come late, again and in any order: what is true is asked of the provider
/// itself, by a job.
#[utoipa::path(
    post, path = "/api/payments/webhooks/{provider}", operation_id = "take_payment_event", tag = "payments",
    params(
        ("provider" = String, Path, description = "`stripe` or `sandbox`, whichever is set"),
        ("stripe-signature" = String, Header, description = "Time and signatures, as Stripe makes them"),
    ),
    request_body(content = String, content_type = "application/json", description = "The event as it was signed, at most 256 KiB"),
    responses(
        (status = 200, description = "Stored, now or before"),
        (status = 400, description = "`bad_signature`: missing, wrong, or older than five minutes; `malformed`: it is no event",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such provider here", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`payload_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn take_payment_event(
    State(app): State<App>,
    Segments(provider): Segments<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let known = app.provider.as_ref();
    let provider = known
        .filter(|known| known.name() == provider)
        .ok_or_else(Problem::not_found)?;
    if !is_json(&request) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "events are application/json",
        ));
    }
    let signature = signature(&request);
    let body = Bytes::from_request(request, &app)
        .await
        .map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = "events have at most 256 KiB";
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
            } else {
                Problem::bad_request("malformed", "the body could not be read")
            }
        })?;
    if let Err(error) = provider.verify(signature.as_deref(), &body) {
        metrics::counter!("millrace_payment_events_refused_total").increment(1);
        return Err(Problem::bad_request("bad_signature", error.to_string()));
    }
    let delivery = provider.read(&body).map_err(|error| {
        // Signed, and yet no event: somebody should look.
        tracing::error!(%error, "a provider signed what is no event");
        Problem::bad_request("malformed", "this is no event")
    })?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::receive_event(&mut tx, provider.name(), &delivery, Source::Delivered)
        .await
        .map_err(anyhow::Error::from)?;
    tx.commit().await?;
    if let Some(wake) = wake {
        wake.fire(&app.notifier);
    }
    Ok(StatusCode::OK)
}

/// The one signature of a request; of several nobody knows which is meant.
fn signature(request: &Request) -> Option<String> {
    let mut said = request.headers().get_all(SIGNATURE).iter();
    let header = said.next().filter(|_| said.next().is_none())?;
    header.to_str().ok().map(str::to_owned)
}
