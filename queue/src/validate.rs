//! What can be stored: refused in words before the database refuses it in codes.

use std::time::Duration;

use chrono::Datelike as _;
use serde_json::Value;

use crate::{
    NewJob,
    job::Start,
    unique::{Mode, UniqueKey},
};

/// The longest arguments, in bytes: what is larger belongs in a store, with its key in the arguments.
pub const MAX_ARGS: usize = 1024 * 1024;
/// The longest unique or limit key, in bytes: indexes hold them.
const MAX_KEY: usize = 512;
/// The longest name of a queue, in bytes.
const MAX_NAME: usize = 100;
/// The longest delay or period: what the database can add to a time, and more than anybody means.
const MAX_DELAY: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// Whether `args` can be those of a job: an object of at most [`MAX_ARGS`] bytes, without `\u0000`, which PostgreSQL
/// cannot store.
///
/// # Errors
/// Why not, as the end of a sentence about them.
pub fn check_args(args: &Value) -> Result<(), String> {
    if !args.is_object() {
        return Err("the arguments must be a JSON object".to_owned());
    }
    let bytes = weigh(args)?;
    if bytes > MAX_ARGS {
        return Err(format!("the arguments have more than {MAX_ARGS} bytes"));
    }
    Ok(())
}

/// About the bytes of a value as JSON.
fn weigh(value: &Value) -> Result<usize, String> {
    let text = |text: &str| {
        if text.contains('\0') {
            Err("the arguments hold \\u0000, which cannot be stored".to_owned())
        } else {
            Ok(text.len() + 3)
        }
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(8),
        Value::String(string) => text(string),
        Value::Array(items) => items
            .iter()
            .try_fold(2, |sum: usize, item| Ok(sum + weigh(item)?)),
        Value::Object(fields) => fields.iter().try_fold(2, |sum: usize, (name, value)| {
            Ok(sum + text(name)? + weigh(value)?)
        }),
    }
}

/// Whether a job can be inserted.
pub(crate) fn check(job: &NewJob) -> Result<(), String> {
    let args = job.args.as_ref().map_err(Clone::clone)?;
    check_args(args)?;
    check_name(&job.queue)?;
    let unique = job.unique.as_ref().map(|unique| unique.key.as_str());
    for (what, key) in [
        ("unique key", unique),
        ("limit key", job.limit_key.as_deref()),
    ] {
        let Some(key) = key else { continue };
        if key.is_empty() || key.len() > MAX_KEY || key.contains('\0') {
            return Err(format!(
                "the {what} must have 1 to {MAX_KEY} bytes, none of them NUL"
            ));
        }
    }
    let trace = job.traceparent.as_deref().unwrap_or_default();
    if trace.len() > MAX_KEY || trace.contains('\0') {
        return Err(format!(
            "the trace context must have at most {MAX_KEY} bytes, none of them NUL"
        ));
    }
    let nul = |text: &String| text.contains('\0');
    if job.tags.iter().any(nul) || weigh(&job.meta).is_err() {
        return Err("tags and metadata must not hold \\u0000".to_owned());
    }
    if job
        .backoff
        .is_some_and(|own| !own.factor.is_finite() || !own.jitter.is_finite())
    {
        return Err("the numbers of the backoff must be finite".to_owned());
    }
    check_times(job)?;
    match &job.on_failure {
        Some(other) => check(other).map_err(|why| format!("its on_failure job: {why}")),
        None => Ok(()),
    }
}

fn check_times(job: &NewJob) -> Result<(), String> {
    let delay = match job.start {
        Start::At(at) if !(1..=9999).contains(&at.year()) => {
            return Err("it must run in one of the years 1 to 9999".to_owned());
        }
        Start::After(delay) => Some(delay),
        Start::Now | Start::At(_) => None,
    };
    let period = job.unique.as_ref().and_then(|unique| unique.ttl);
    let most = match job.unique {
        // Not at all is said by the longest time there is.
        Some(UniqueKey {
            mode: Mode::Debounce(most),
            ..
        }) if most != Duration::MAX => Some(most),
        _ => None,
    };
    if [delay, period, most]
        .into_iter()
        .flatten()
        .any(|time| time > MAX_DELAY)
    {
        return Err("a delay or period must not be longer than 1000 years".to_owned());
    }
    Ok(())
}

/// A star marks news of gates, and the star alone is the row of policies for all.
pub(crate) fn check_name(queue: &str) -> Result<(), String> {
    let fine = !queue.is_empty()
        && queue.len() <= MAX_NAME
        && !queue.contains('*')
        && !queue.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(format!(
            "the name of the queue must have 1 to {MAX_NAME} bytes, no star and no control character"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_stored_is_said() {
        assert_eq!(check_args(&json!({"a": [1, "b", null]})), Ok(()));
        for (args, said) in [
            (json!([]), "object"),
            (json!({"a": ["\0"]}), "\\u0000"),
            (json!({"\0": 1}), "\\u0000"),
            (json!({"a": "x".repeat(MAX_ARGS)}), "bytes"),
        ] {
            let why = check_args(&args).expect_err(said);
            assert!(why.contains(said), "{why}");
        }
        for name in ["", "a*", "a\nb", &"x".repeat(101)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
