//! Keys that keep a job from being enqueued twice.

use std::{fmt::Write as _, time::Duration};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{NewJob, State};

/// A key that at most one job holds. Put the kind and the thing in it: `probe:0198…`; or let [`Scope`] make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    pub(crate) key: String,
    pub(crate) ttl: Option<Duration>,
    pub(crate) states: Option<Vec<State>>,
    pub(crate) mode: Mode,
}

/// What becomes of a job whose key is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Keep,
    Replace,
    Debounce(Duration),
}

impl UniqueKey {
    /// Held until the job has ended, however it ends.
    pub fn until_done(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            ttl: None,
            states: None,
            mode: Mode::Keep,
        }
    }

    /// Held for `ttl` from the insert, whether or not the job has ended by then.
    pub fn for_period(key: impl Into<String>, ttl: Duration) -> Self {
        Self {
            ttl: Some(ttl),
            ..Self::until_done(key)
        }
    }

    /// Only a holder in one of these states counts; any other loses the key to whoever asks for it. States in which a
    /// job has ended count within the period only.
    #[must_use]
    pub fn while_in(self, states: impl IntoIterator<Item = State>) -> Self {
        Self {
            states: Some(states.into_iter().collect()),
            ..self
        }
    }

    /// While the holder has not started, it takes over the arguments, time, priority and policy of a job that wants
    /// its key. While it runs, the key passes to the new job, which is inserted.
    #[must_use]
    pub fn replacing(self) -> Self {
        Self {
            mode: Mode::Replace,
            ..self
        }
    }

    /// As [`UniqueKey::replacing`], for bursts: each new job puts the holder off by its own delay, but not beyond `most`
    /// after the holder was enqueued.
    #[must_use]
    pub fn debouncing(self, most: Duration) -> Self {
        Self {
            mode: Mode::Debounce(most),
            ..self
        }
    }

    /// Whether the plain insert will do: any holder keeps it.
    pub(crate) fn is_plain(&self) -> bool {
        self.mode == Mode::Keep && self.states.is_none()
    }
}

impl Mode {
    /// The word of the database, and the longest time to put off, if there is one.
    pub(crate) fn words(self) -> (&'static str, Option<Duration>) {
        match self {
            Self::Keep => ("keep", None),
            Self::Replace => ("replace", None),
            Self::Debounce(most) => ("debounce", Some(most).filter(|&most| most != Duration::MAX)),
        }
    }
}

/// What jobs must have in common to be the same: their kind, and what else is said.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    args: Args,
    owner: bool,
    queue: bool,
}

#[derive(Debug, Clone, Default)]
enum Args {
    #[default]
    None,
    All,
    Fields(&'static [&'static str]),
}

impl Scope {
    /// The kind alone.
    pub fn kind() -> Self {
        Self::default()
    }

    /// And all arguments.
    #[must_use]
    pub fn args(self) -> Self {
        Self {
            args: Args::All,
            ..self
        }
    }

    /// And these fields of the arguments.
    #[must_use]
    pub fn fields(self, fields: &'static [&'static str]) -> Self {
        Self {
            args: Args::Fields(fields),
            ..self
        }
    }

    /// And the owner.
    #[must_use]
    pub fn owner(self) -> Self {
        Self {
            owner: true,
            ..self
        }
    }

    /// And the queue.
    #[must_use]
    pub fn queue(self) -> Self {
        Self {
            queue: true,
            ..self
        }
    }

    /// The key of `job` as it stands: set owner and queue before.
    pub fn key_of(&self, job: &NewJob) -> String {
        let mut key = job.kind.to_string();
        if self.queue {
            let _ = write!(key, ":queue={}", job.queue);
        }
        if self.owner {
            let owner = job.owner.map(|owner| owner.to_string());
            let _ = write!(key, ":owner={}", owner.unwrap_or_default());
        }
        let null = Value::Null;
        let args = job.args.as_ref().unwrap_or(&null);
        let mut text = String::new();
        match self.args {
            Args::None => return key,
            Args::All => canonical(args, &mut text),
            Args::Fields(fields) => {
                for field in fields {
                    canonical(args.get(field).unwrap_or(&null), &mut text);
                    text.push('\n');
                }
            }
        }
        key.push_str(":args=");
        for byte in Sha256::digest(text.as_bytes()).iter().take(16) {
            let _ = write!(key, "{byte:02x}");
        }
        key
    }
}

/// JSON in which the order of fields makes no difference.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|field| field.0);
            text.push('{');
            for (name, value) in fields {
                let _ = write!(text, "{name:?}:");
                canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::Kind;

    #[derive(Serialize, Deserialize)]
    struct Mail {
        to: String,
        vars: Value,
    }

    impl Kind for Mail {
        const KIND: &'static str = "mail";
        const QUEUE: &'static str = "default";
    }

    fn mail(to: &str, vars: Value) -> NewJob {
        NewJob::new(&Mail {
            to: to.to_owned(),
            vars,
        })
    }

    #[test]
    fn keys_differ_where_jobs_do() {
        let ann = mail("ann", json!({"a": 1, "b": [1, 2]}));
        let all = Scope::kind().args();
        assert_eq!(
            all.key_of(&ann),
            all.key_of(&mail("ann", json!({"b": [1, 2], "a": 1})))
        );
        assert_ne!(
            all.key_of(&ann),
            all.key_of(&mail("ann", json!({"a": 1, "b": [2, 1]})))
        );
        let to = Scope::kind().fields(&["to"]);
        assert_eq!(to.key_of(&ann), to.key_of(&mail("ann", json!(null))));
        assert_ne!(to.key_of(&ann), to.key_of(&mail("bob", json!(null))));
        assert_eq!(Scope::kind().key_of(&ann), "mail");
        let owned = ann.clone().owner(Uuid::nil());
        let owner = Scope::kind().owner();
        assert_ne!(owner.key_of(&ann), owner.key_of(&owned));
        let queue = Scope::kind().queue();
        assert_ne!(
            queue.key_of(&ann),
            queue.key_of(&ann.clone().queue("other"))
        );
    }
}
