//! How decisions look from outside: to staff, and to whoever was judged.

use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{AppealId, DecisionId},
    moderation::{Action, Appeal, AppealState, Decision, LiftedFor},
    reports::{Reason, Target},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What was said against a decision.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Appeal)]
pub(super) struct AppealView {
    id: AppealId,
    state: AppealState,
    body: String,
    /// What staff answered.
    answer: String,
    created_at: DateTime<Utc>,
    #[schema(required)]
    decided_at: Option<DateTime<Utc>>,
}

/// What staff decided about something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
pub(super) struct DecisionView {
    id: DecisionId,
    target: Target,
    target_id: Uuid,
    /// Whose it is.
    #[schema(required)]
    owner: Option<String>,
    action: Action,
    /// None of what was dismissed.
    #[schema(required)]
    reason: Option<Reason>,
    /// What the person was told besides.
    note: String,
    /// The title, comment or name as it was.
    excerpt: String,
    /// The end of a suspension; none: until it is lifted.
    #[schema(required)]
    until: Option<DateTime<Utc>>,
    /// Who decided; told to staff alone.
    #[schema(required)]
    staff: Option<String>,
    created_at: DateTime<Utc>,
    #[schema(required)]
    lifted_at: Option<DateTime<Utc>>,
    #[schema(required)]
    lifted_for: Option<LiftedFor>,
    #[schema(required)]
    appeal: Option<AppealView>,
    /// Whether its owner can still say something against it.
    can_appeal: bool,
}

/// A page of decisions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DecisionPage {
    pub(super) items: Vec<DecisionView>,
    /// For the next page; none on the last.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

impl From<Appeal> for AppealView {
    fn from(appeal: Appeal) -> Self {
        Self {
            id: appeal.id,
            state: appeal.state,
            body: appeal.body,
            answer: appeal.answer,
            created_at: appeal.created_at,
            decided_at: appeal.decided_at,
        }
    }
}

impl DecisionView {
    /// For staff.
    pub(super) fn of(decision: Decision) -> Self {
        Self {
            can_appeal: decision.action.can_be_lifted()
                && decision.stands()
                && decision.appeal.is_none(),
            id: decision.id,
            target: decision.target,
            target_id: decision.target_id,
            owner: decision.owner,
            action: decision.action,
            reason: decision.reason,
            note: decision.note,
            excerpt: decision.excerpt,
            until: decision.until,
            staff: decision.staff,
            created_at: decision.created_at,
            lifted_at: decision.lifted_at,
            lifted_for: decision.lifted_for,
            appeal: decision.appeal.map(Into::into),
        }
    }

    /// For whoever was judged: without who judged.
    pub(super) fn for_owner(decision: Decision) -> Self {
        Self {
            staff: None,
            ..Self::of(decision)
        }
    }
}
