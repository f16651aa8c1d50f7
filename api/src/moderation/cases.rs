//! What was reported, as staff see it.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts::{Role, User},
    comments::{Comment, Withheld},
    ids::{CaseId, CommentId, UserId, VideoId},
    keyset::Wanted,
    moderation::{self, Action, Case, CaseFilter, Complaint},
    reports::Target,
    videos::Video,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::view::DecisionView;
use crate::{
    app::App,
    auth::Auditor,
    input::{Id, Params},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    social::wanted,
    videos::VideoView,
};

/// Reports that one case shows.
const COMPLAINTS: i64 = 50;
/// Earlier decisions that one case shows.
const HISTORY: i64 = 20;

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_reports))
        .routes(routes!(get_report))
}

/// What was reported of one thing since staff last decided on it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportCase)]
struct CaseView {
    id: CaseId,
    target: Target,
    target_id: Uuid,
    #[schema(required)]
    owner: Option<String>,
    /// The title, comment or name as it was when it was last reported.
    excerpt: String,
    /// How many people said so.
    reports: i64,
    /// Their reasons, the most frequent first; `word_list` if the word list held it back.
    reasons: Vec<String>,
    opened_at: DateTime<Utc>,
    last_reported_at: DateTime<Utc>,
    #[schema(required)]
    settled_at: Option<DateTime<Utc>>,
    /// What was decided.
    #[schema(required)]
    action: Option<Action>,
}

/// A page of cases.
#[derive(Debug, Serialize, ToSchema)]
struct ReportCasePage {
    items: Vec<CaseView>,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Whether staff have decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CaseState {
    #[default]
    Open,
    Settled,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CaseQuery {
    /// `open` unless said: the longest waiting first. `settled`: the last first.
    #[param(inline)]
    state: Option<CaseState>,
    /// Only what was reported of these.
    #[param(inline)]
    target: Option<Target>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// What one person said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Complaint)]
struct ComplaintView {
    id: Uuid,
    /// Told to those who decide, not to auditors; none also for the word list.
    #[schema(required)]
    reporter: Option<String>,
    reason: String,
    body: String,
    created_at: DateTime<Utc>,
}

/// A comment as it is now.
#[derive(Debug, Serialize, ToSchema)]
struct ReportedComment {
    id: CommentId,
    video_id: VideoId,
    body: String,
    #[schema(required)]
    withheld: Option<Withheld>,
    created_at: DateTime<Utc>,
}

/// A person as they are now.
#[derive(Debug, Serialize, ToSchema)]
struct ReportedPerson {
    id: UserId,
    username: String,
    bio: String,
    role: Role,
    is_active: bool,
    created_at: DateTime<Utc>,
}

/// Everything about a case.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportCaseDetail)]
struct CaseDetail {
    #[serde(flatten)]
    case: CaseView,
    /// The newest of them.
    complaints: Vec<ComplaintView>,
    /// The video as it is now; none if it is gone, or something else was reported.
    #[schema(required)]
    video: Option<VideoView>,
    #[schema(required)]
    comment: Option<ReportedComment>,
    /// Whose it is.
    #[schema(required)]
    person: Option<ReportedPerson>,
    /// What was decided on this before.
    history: Vec<DecisionView>,
    /// What was decided on anything of this person's.
    person_history: Vec<DecisionView>,
}

impl From<Case> for CaseView {
    fn from(case: Case) -> Self {
        Self {
            id: case.id,
            target: case.target,
            target_id: case.target_id,
            owner: case.owner,
            excerpt: case.excerpt,
            reports: case.reports,
            reasons: case.reasons,
            opened_at: case.opened_at,
            last_reported_at: case.last_reported_at,
            settled_at: case.settled_at,
            action: case.action,
        }
    }
}

/// The queue of what was reported, a case for each thing.
#[utoipa::path(
    get, path = "/api/admin/reports", operation_id = "list_report_cases", tag = "moderation", params(CaseQuery),
    responses(
        (status = 200, body = ReportCasePage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_reports(
    State(app): State<App>,
    _: Auditor,
    Params(query): Params<CaseQuery>,
) -> Result<Json<ReportCasePage>, Problem> {
    let wanted = wanted(query.cursor, query.limit)?;
    let filter = CaseFilter {
        settled: query.state.unwrap_or_default() == CaseState::Settled,
        target: query.target,
    };
    let page = moderation::cases(&app.db, filter, &wanted).await?;
    let page = page.map(CaseView::from);
    Ok(Json(ReportCasePage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// One case: what people said, the thing as it is now, and what was decided before.
#[utoipa::path(
    get, path = "/api/admin/reports/{id}", operation_id = "get_report_case", tag = "moderation", params(("id" = CaseId, Path)),
    responses(
        (status = 200, body = CaseDetail),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_report(
    State(app): State<App>,
    Auditor(caller): Auditor,
    Id(id): Id<CaseId>,
) -> Result<Json<CaseDetail>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let case = Case::find(&mut *conn, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let decides = caller.user.role >= Role::Operator;
    let complaints = moderation::complaints(&mut *conn, id, COMPLAINTS).await?;
    let complaints = complaints
        .into_iter()
        .map(|said| complaint(said, decides))
        .collect();
    let first = Wanted {
        cursor: None,
        limit: HISTORY,
    };
    let history = moderation::decisions_on(&mut *conn, case.target, case.target_id, &first).await?;
    let person_history = match case.owner_id {
        Some(owner) => {
            let page = moderation::decisions_of(&mut *conn, owner, &first).await?;
            page.map(DecisionView::of).items
        }
        None => Vec::new(),
    };
    let (video, comment) = thing(&app, &mut conn, &case).await?;
    let person = match case.owner_id {
        Some(owner) => User::find(&mut *conn, owner).await?.map(person),
        None => None,
    };
    Ok(Json(CaseDetail {
        case: case.into(),
        complaints,
        video,
        comment,
        person,
        history: history.map(DecisionView::of).items,
        person_history,
    }))
}

/// What was reported, as it is now.
async fn thing(
    app: &App,
    conn: &mut PgConnection,
    case: &Case,
) -> Result<(Option<VideoView>, Option<ReportedComment>), Problem> {
    match case.target {
        Target::Video => match Video::find(&mut *conn, VideoId(case.target_id)).await? {
            Some(video) => {
                let view = VideoView::of(conn, &video, &app.playback).await?;
                Ok((Some(view), None))
            }
            None => Ok((None, None)),
        },
        Target::Comment => {
            let comment = Comment::find(conn, CommentId(case.target_id), None).await?;
            Ok((None, comment.map(reported)))
        }
        Target::Channel => Ok((None, None)),
    }
}

fn reported(comment: Comment) -> ReportedComment {
    ReportedComment {
        id: comment.id,
        video_id: comment.video_id,
        body: comment.body,
        withheld: comment.withheld,
        created_at: comment.created_at,
    }
}

fn person(user: User) -> ReportedPerson {
    ReportedPerson {
        id: user.id,
        username: user.username,
        bio: user.bio,
        role: user.role,
        is_active: user.is_active,
        created_at: user.created_at,
    }
}

fn complaint(said: Complaint, decides: bool) -> ComplaintView {
    ComplaintView {
        id: said.id,
        reporter: said.reporter.filter(|_| decides),
        reason: said.reason,
        body: said.body,
        created_at: said.created_at,
    }
}
