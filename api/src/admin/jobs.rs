//! Jobs: list them, look at one, retry, cancel, discard.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::accounts::Role;
use millrace_queue::{
    CancelState, JobFilter, JobId, LogLine, Progress, State as JobState, Wake, children, explain,
    find, parents,
};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    detail::{Around, JobDetail},
    view::{Acted, JobPage},
};
use crate::{
    app::App,
    auth::{Auditor, Operator},
    input::{Id, Params},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
};

/// Jobs on a page unless more or fewer are asked for.
const PAGE: i64 = 50;
/// A filter that matches hardly any of millions is given up after this.
pub(super) const SEARCH_WITHIN: &str = "set local statement_timeout = '3s'";
/// Lines of the log that come with a job.
const LOG_LINES: i64 = 500;
/// Parents, and children, that come with a job.
const RELATIVES: i64 = 100;

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs))
        .routes(routes!(get_job))
        .routes(routes!(retry_job))
        .routes(routes!(cancel_job))
        .routes(routes!(discard_job))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct JobQuery {
    /// Only this state, or several, separated by commas.
    state: Option<String>,
    kind: Option<String>,
    queue: Option<String>,
    tag: Option<String>,
    /// Jobs of this user.
    owner: Option<Uuid>,
    /// Jobs of this group.
    group: Option<Uuid>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<Uuid>,
    /// How many; 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// Jobs, live and finished.
#[utoipa::path(
    get, path = "/api/admin/jobs", operation_id = "list_jobs", tag = "admin", params(JobQuery),
    responses(
        (status = 200, body = JobPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for auditors and above", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`search_too_broad`: the filter matches too few of too many", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_jobs(
    State(app): State<App>,
    _caller: Auditor,
    Params(query): Params<JobQuery>,
) -> Result<Json<JobPage>, Problem> {
    let bad = |field: &'static str, message: String| {
        Problem::bad_request("validation", "the query is not as it must be").at(field, message)
    };
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=200).contains(&limit) {
        return Err(bad("limit", "must be from 1 to 200".to_owned()));
    }
    for (field, text) in [
        ("kind", &query.kind),
        ("queue", &query.queue),
        ("tag", &query.tag),
    ] {
        let text = text.as_deref().unwrap_or_default();
        if text.len() > 200 || text.chars().any(char::is_control) {
            return Err(bad(field, "must be a short word".to_owned()));
        }
    }
    let states = query.state.as_deref().unwrap_or_default();
    let states = states
        .split(',')
        .filter(|word| !word.is_empty())
        .map(|word| word.parse::<JobState>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad("state", error.to_string()))?;
    let filter = JobFilter {
        states,
        kind: query.kind,
        queue: query.queue,
        owner: query.owner,
        group: query.group,
        tag: query.tag,
        ..JobFilter::default()
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    sqlx::query(SEARCH_WITHIN).execute(&mut *tx).await?;
    let before = query.cursor.map(JobId);
    let found = millrace_queue::jobs(&mut tx, &filter, before, limit)
        .await
        .map_err(too_broad)?;
    tx.commit().await?;
    let full = i64::try_from(found.len()).is_ok_and(|n| n == limit);
    Ok(Json(JobPage {
        next_cursor: found.last().filter(|_| full).map(|job| job.id.0),
        items: found.into_iter().map(Into::into).collect(),
    }))
}

/// 57014: the statement was given up.
pub(super) fn too_broad(error: sqlx::Error) -> Problem {
    let given_up = error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("57014"));
    if given_up {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "search_too_broad",
            "too many jobs would have to be looked over; add a state, or a narrower filter",
        )
    } else {
        error.into()
    }
}

/// One job.
#[utoipa::path(
    get, path = "/api/admin/jobs/{id}", operation_id = "get_job", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = JobDetail),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for auditors and above", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_job(
    State(app): State<App>,
    caller: Auditor,
    Id(id): Id<Uuid>,
) -> Result<Json<JobDetail>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let job = find(&mut conn, JobId(id))
        .await?
        .ok_or_else(Problem::not_found)?;
    let around = Around {
        why: explain(&mut *conn, job.id).await?,
        log: LogLine::last_of_job(&mut *conn, job.id, LOG_LINES).await?,
        parents: parents(&mut *conn, job.id, RELATIVES).await?,
        children: children(&mut *conn, job.id, RELATIVES).await?,
        progress: Progress::of_job(&mut *conn, job.id).await?,
    };
    let whole = caller.0.user.role >= Role::Operator;
    Ok(Json(JobDetail::new(job, whole, around)))
}

/// Runs a job again that has ended unhappily, or now one that waits for its time.
#[utoipa::path(
    post, path = "/api/admin/jobs/{id}/retry", operation_id = "retry_job", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Acted),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for operators and above", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`wrong_state`: it runs, is about to, or has completed", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn retry_job(
    State(app): State<App>,
    _caller: Operator,
    Id(id): Id<Uuid>,
) -> Result<Json<Acted>, Problem> {
    act(&app, id, async |tx| {
        millrace_queue::retry(tx, JobId(id)).await.map(|steered| {
            let refusal = "a job that runs, is about to, or has completed is not run again";
            (steered.done.then_some("done").ok_or(refusal), steered.wake)
        })
    })
    .await
}

/// Cancels a job: at once when it does not run, else its worker is asked.
#[utoipa::path(
    post, path = "/api/admin/jobs/{id}/cancel", operation_id = "cancel_job", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Acted),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for operators and above", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`wrong_state`: it has ended", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn cancel_job(
    State(app): State<App>,
    caller: Operator,
    Id(id): Id<Uuid>,
) -> Result<Json<Acted>, Problem> {
    let reason = format!("cancelled by {}", caller.0.user.username);
    act(&app, id, async |tx| {
        let answer = millrace_queue::request_cancel(tx, JobId(id), &reason).await?;
        let outcome = match answer.state {
            CancelState::Cancelled => Ok("done"),
            CancelState::Requested => Ok("requested"),
            CancelState::NotLive => Err("the job has ended already"),
        };
        Ok((outcome, answer.wake))
    })
    .await
}

/// Ends a job by force, without waiting for its worker.
#[utoipa::path(
    post, path = "/api/admin/jobs/{id}/discard", operation_id = "discard_job", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Acted),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for operators and above", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`wrong_state`: it has ended", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn discard_job(
    State(app): State<App>,
    caller: Operator,
    Id(id): Id<Uuid>,
) -> Result<Json<Acted>, Problem> {
    let reason = format!("discarded by {}", caller.0.user.username);
    act(&app, id, async |tx| {
        let steered = millrace_queue::discard(tx, JobId(id), &reason).await?;
        let outcome = steered.done.then_some("done");
        Ok((outcome.ok_or("the job has ended already"), steered.wake))
    })
    .await
}

/// Does something to a job in a transaction of its own: `deed` answers with the outcome, or why it is not to be done.
async fn act(
    app: &App,
    id: Uuid,
    deed: impl AsyncFnOnce(
        &mut PgConnection,
    ) -> Result<(Result<&'static str, &'static str>, Wake), sqlx::Error>,
) -> Result<Json<Acted>, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let (outcome, wake) = deed(&mut tx).await?;
    match outcome {
        Ok(outcome) => {
            tx.commit().await?;
            wake.fire(&app.notifier);
            Ok(Json(Acted { id, outcome }))
        }
        Err(why) => match find(&mut tx, JobId(id)).await? {
            Some(_) => Err(Problem::conflict("wrong_state", why)),
            None => Err(Problem::not_found()),
        },
    }
}
