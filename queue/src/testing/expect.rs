//! Which jobs a test looks for, and in what others differ from them.

use std::{fmt, ops::RangeInclusive, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{JobRow, Kind, State};

/// A description of jobs: what is not said may be anything. Unless states are named, jobs that have not ended.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// The name of the kind first, and its aliases.
    kinds: Vec<String>,
    args: Option<Value>,
    queue: Option<String>,
    tags: Vec<String>,
    owner: Option<Uuid>,
    group: Option<Uuid>,
    pub(super) states: Vec<State>,
    run_at: Option<RangeInclusive<DateTime<Utc>>>,
    due_in: Option<RangeInclusive<Duration>>,
    pub(super) times: Option<usize>,
}

/// A job as a test finds it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Found {
    #[sqlx(flatten)]
    pub(super) job: JobRow,
    pub(super) labels: Vec<String>,
    /// The database's clock when it was looked at.
    pub(super) seen_at: DateTime<Utc>,
}

impl Expect {
    /// Any job.
    pub fn any() -> Self {
        Self::default()
    }

    /// Jobs of the kind `K`, under whatever name.
    pub fn job<K: Kind>() -> Self {
        let names = std::iter::once(&K::KIND).chain(K::ALIASES);
        Self {
            kinds: names.map(|&name| name.to_owned()).collect(),
            ..Self::default()
        }
    }

    /// Jobs of a kind with the arguments of `payload`.
    ///
    /// # Panics
    /// When the payload cannot be serialized.
    pub fn like<K: Kind>(payload: &K) -> Self {
        let args = serde_json::to_value(payload).expect("the payload can be serialized");
        let args = if args.is_null() {
            Value::Object(serde_json::Map::new())
        } else {
            args
        };
        Self::job::<K>().args(args)
    }

    /// Jobs of the kind with this name.
    pub fn kind(name: impl Into<String>) -> Self {
        Self {
            kinds: vec![name.into()],
            ..Self::default()
        }
    }

    /// With these fields among their arguments, at any depth; arrays have to be as long and alike in each element.
    #[must_use]
    pub fn args(self, args: Value) -> Self {
        Self {
            args: Some(args),
            ..self
        }
    }

    /// In this queue.
    #[must_use]
    pub fn queue(self, queue: impl Into<String>) -> Self {
        Self {
            queue: Some(queue.into()),
            ..self
        }
    }

    /// With this tag, and those of further calls.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Of this owner.
    #[must_use]
    pub fn owner(self, owner: Uuid) -> Self {
        Self {
            owner: Some(owner),
            ..self
        }
    }

    /// Of this group.
    #[must_use]
    pub fn group(self, group: Uuid) -> Self {
        Self {
            group: Some(group),
            ..self
        }
    }

    /// In this state or those of further calls, ended ones included.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.states.push(state);
        self
    }

    /// That may run within this time.
    #[must_use]
    pub fn run_at(self, window: RangeInclusive<DateTime<Utc>>) -> Self {
        Self {
            run_at: Some(window),
            ..self
        }
    }

    /// That may run as long after now, by the database's clock. What is due already is due in no time.
    #[must_use]
    pub fn due_in(self, window: RangeInclusive<Duration>) -> Self {
        Self {
            due_in: Some(window),
            ..self
        }
    }

    /// Just so many, where otherwise one is enough.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self {
            times: Some(count),
            ..self
        }
    }

    /// In what a job is not what is looked for. Empty: it is.
    pub(super) fn differences(&self, found: &Found) -> Vec<String> {
        let job = &found.job;
        let mut all = Vec::new();
        if !self.kinds.is_empty() && !self.kinds.contains(&job.kind) {
            all.push(format!("its kind is {}", job.kind));
        }
        if let Some(queue) = self.queue.as_ref().filter(|queue| **queue != job.queue) {
            all.push(format!("its queue is {}, not {queue}", job.queue));
        }
        for tag in self.tags.iter().filter(|tag| !found.labels.contains(tag)) {
            all.push(format!("it lacks the tag {tag}"));
        }
        if self.owner.is_some() && self.owner != job.owner {
            all.push("its owner is another".to_owned());
        }
        if self.group.is_some() && self.group != job.group_id {
            all.push("its group is another".to_owned());
        }
        let due = (job.run_at - found.seen_at).max(TimeDelta::zero());
        if let Some(window) = self.run_at.as_ref().filter(|w| !w.contains(&job.run_at)) {
            let (from, to) = (window.start(), window.end());
            all.push(format!(
                "it may run at {}, not from {from} to {to}",
                job.run_at
            ));
        }
        let due = due.to_std().unwrap_or_default();
        if let Some(window) = self.due_in.as_ref().filter(|w| !w.contains(&due)) {
            let (from, to) = (window.start(), window.end());
            all.push(format!("it is due in {due:.1?}, not in {from:?} to {to:?}"));
        }
        if let Some(args) = &self.args {
            compare("args", args, &job.args, &mut all);
        }
        all
    }
}

/// Notes where `found` lacks what is `wanted` of it.
fn compare(place: &str, wanted: &Value, found: &Value, all: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (name, wanted) in wanted {
                let place = format!("{place}.{name}");
                match found.get(name) {
                    Some(found) => compare(&place, wanted, found, all),
                    None => all.push(format!("{place} is not there")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (n, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{place}[{n}]"), wanted, found, all);
            }
        }
        (wanted, found) if wanted != found => {
            all.push(format!("{place} is {found}, not {wanted}"));
        }
        _ => {}
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kinds.first() {
            Some(kind) => write!(f, "{kind} job")?,
            None => f.write_str("job")?,
        }
        if let Some(args) = &self.args {
            write!(f, " with {args}")?;
        }
        if let Some(queue) = &self.queue {
            write!(f, " in the queue {queue}")?;
        }
        for tag in &self.tags {
            write!(f, " tagged {tag}")?;
        }
        if let Some(owner) = self.owner {
            write!(f, " of the owner {owner}")?;
        }
        if let Some(group) = self.group {
            write!(f, " of the group {group}")?;
        }
        if let Some(window) = &self.run_at {
            write!(
                f,
                " that may run from {} to {}",
                window.start(),
                window.end()
            )?;
        }
        if let Some(window) = &self.due_in {
            write!(f, " due in {:?} to {:?}", window.start(), window.end())?;
        }
        for (n, state) in self.states.iter().enumerate() {
            write!(f, "{}{state}", if n == 0 { ", " } else { " or " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn different(wanted: &Value, found: &Value) -> Vec<String> {
        let mut all = Vec::new();
        compare("args", wanted, found, &mut all);
        all
    }

    #[test]
    fn a_part_of_the_arguments_is_enough() {
        let found =
            json!({"to": {"name": "Ann", "age": 7}, "list": [1, {"a": 1, "b": 2}], "x": null});
        for wanted in [
            json!({}),
            json!({"to": {"name": "Ann"}}),
            json!({"list": [1, {"b": 2}], "x": null}),
            found.clone(),
        ] {
            assert_eq!(different(&wanted, &found), Vec::<String>::new());
        }
    }

    #[test]
    fn every_difference_is_named_with_its_place() {
        let found = json!({"to": {"name": "Ann"}, "list": [1, 2]});
        for (wanted, said) in [
            (
                json!({"to": {"name": "Bob"}}),
                "args.to.name is \"Ann\", not \"Bob\"",
            ),
            (json!({"to": {"age": null}}), "args.to.age is not there"),
            (json!({"list": [1, 3]}), "args.list[1] is 2, not 3"),
            (json!({"list": [1]}), "args.list is [1,2], not [1]"),
            (
                json!({"to": "Ann"}),
                "args.to is {\"name\":\"Ann\"}, not \"Ann\"",
            ),
        ] {
            assert_eq!(different(&wanted, &found), [said]);
        }
    }
}
