//! Which jobs are meant: what lists show and what bulk actions touch.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Arguments as _, postgres::PgArguments};
use uuid::Uuid;

use crate::{State, state::words};

/// What jobs to look for; what is `None` or empty matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobFilter {
    #[serde(rename = "state", skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The stable word of why it ended, or of what its last run failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A part of the sentence that says so, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Only jobs that ended, at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_after: Option<DateTime<Utc>>,
    /// Only jobs that ended, before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<DateTime<Utc>>,
}

impl JobFilter {
    /// Whether it matches every job there is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `$1` to `$10` of [`live!`] and [`ended!`], with `states` instead of its own.
    pub(crate) fn arguments(&self, states: &[State]) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        let mut add = || {
            arguments.add(words(states))?;
            arguments.add(&self.kind)?;
            arguments.add(&self.queue)?;
            arguments.add(self.owner)?;
            arguments.add(self.group)?;
            arguments.add(&self.tag)?;
            arguments.add(&self.code)?;
            arguments.add(&self.error)?;
            arguments.add(self.ended_after)?;
            arguments.add(self.ended_before)
        };
        add().map_err(sqlx::Error::Encode)?;
        Ok(arguments)
    }
}

/// The condition on rows of `queue.job`.
macro_rules! live {
    () => {
        " (cardinality($1::text[]) = 0 or state = any($1::text[]::queue.state[]))
   and ($2::text is null or kind = $2) and ($3::text is null or queue = $3) and ($4::uuid is null or owner = $4)
   and ($5::uuid is null or group_id = $5) and ($6::text is null or $6 = any(tags))
   and ($7::text is null or errors -> -1 ->> 'code' = $7)
   and ($8::text is null or strpos(lower(errors -> -1 ->> 'error'), lower($8)) > 0)
   and $9::timestamptz is null and $10::timestamptz is null "
    };
}
pub(crate) use live;

/// The condition on rows of `queue.history`.
macro_rules! ended {
    () => {
        " (cardinality($1::text[]) = 0 or state = any($1::text[]::queue.state[]))
   and ($2::text is null or kind = $2) and ($3::text is null or queue = $3) and ($4::uuid is null or owner = $4)
   and ($5::uuid is null or group_id = $5) and ($6::text is null or $6 = any(tags))
   and ($7::text is null or coalesce(code, errors -> -1 ->> 'code') = $7)
   and ($8::text is null or strpos(lower(coalesce(reason, errors -> -1 ->> 'error')), lower($8)) > 0)
   and ($9::timestamptz is null or finished_at >= $9) and ($10::timestamptz is null or finished_at < $10) "
    };
}
pub(crate) use ended;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_strictly_and_written_shortly() {
        let filter: JobFilter =
            serde_json::from_str(r#"{"state": ["discarded"], "kind": "mail"}"#).expect("a filter");
        assert_eq!(filter.states, [State::Discarded]);
        assert!(!filter.is_empty());
        let text = serde_json::to_string(&filter).expect("JSON");
        assert_eq!(text, r#"{"state":["discarded"],"kind":"mail"}"#);
        // A slip of the pen must not mean everything.
        for wrong in [r#"{"kin": "mail"}"#, r#"{"state": ["nonsense"]}"#] {
            assert!(serde_json::from_str::<JobFilter>(wrong).is_err(), "{wrong}");
        }
        let empty: JobFilter = serde_json::from_str("{}").expect("a filter");
        assert!(empty.is_empty());
    }
}
