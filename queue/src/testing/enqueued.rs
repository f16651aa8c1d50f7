//! What was enqueued.

use std::{fmt::Write as _, panic::Location};

use sqlx::PgConnection;

use super::expect::{Expect, Found};
use crate::{JobRow, State};

/// Jobs that a failed assertion shows.
const SHOWN: usize = 10;

/// The jobs that are as expected, by their ids. How often they are expected does not matter here.
///
/// # Errors
/// Those of the statements.
pub async fn enqueued(
    conn: &mut PgConnection,
    expect: &Expect,
) -> Result<Vec<JobRow>, sqlx::Error> {
    Ok(split(conn, expect).await?.0)
}

/// Fails the test unless a job is as expected (or as many as [`Expect::times`] says), and gives the first of them. The
/// failure shows what is there instead, the likeliest first, and in what each of them differs.
///
/// # Panics
/// When the assertion does not hold, or the database cannot be read.
#[track_caller]
pub fn assert_enqueued(
    conn: &mut PgConnection,
    expect: Expect,
) -> impl Future<Output = JobRow> + Send {
    let place = Location::caller();
    async move {
        let (as_expected, others) = split(conn, &expect).await.expect("the jobs can be read");
        let right = match expect.times {
            Some(times) => as_expected.len() == times,
            None => !as_expected.is_empty(),
        };
        if !right {
            let times = expect.times.unwrap_or(1);
            let found = match as_expected.len() {
                0 => format!("there is no {expect}"),
                n => format!(
                    "a {expect} is there {n} times, not {times}:{}",
                    lines(&as_expected)
                ),
            };
            panic!("{place}: {found}{}", show(&others));
        }
        let first = as_expected.into_iter().next();
        first.unwrap_or_else(|| {
            panic!("{place}: nothing can be given where none is expected; refute it")
        })
    }
}

/// Fails the test when a job is as expected, and shows it.
///
/// # Panics
/// When the assertion does not hold, or the database cannot be read.
#[track_caller]
pub fn refute_enqueued(conn: &mut PgConnection, expect: Expect) -> impl Future<Output = ()> + Send {
    let place = Location::caller();
    async move {
        let (as_expected, _) = split(conn, &expect).await.expect("the jobs can be read");
        assert!(
            as_expected.is_empty(),
            "{place}: there should be no {expect}, but there is:{}",
            lines(&as_expected)
        );
    }
}

/// The jobs that are as expected, and the others with their differences, the likeliest first.
async fn split(
    conn: &mut PgConnection,
    expect: &Expect,
) -> Result<(Vec<JobRow>, Vec<(JobRow, Vec<String>)>), sqlx::Error> {
    let states = match expect.states.as_slice() {
        [] => State::ALL
            .into_iter()
            .filter(|s| !s.is_terminal())
            .collect(),
        states => states.to_vec(),
    };
    let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let mut found: Vec<Found> = sqlx::query_as(
        "select *, tags as labels, null::text as code, null::text as reason, null::timestamptz as finished_at,
                clock_timestamp() as seen_at
           from queue.job where state = any($1::text[]::queue.state[])",
    )
    .bind(&words)
    .fetch_all(&mut *conn)
    .await?;
    if states.iter().any(|state| state.is_terminal()) {
        let ended: Vec<Found> = sqlx::query_as(
            "select *, tags as labels, clock_timestamp() as seen_at
               from queue.history where state = any($1::text[]::queue.state[])",
        )
        .bind(&words)
        .fetch_all(conn)
        .await?;
        // A job that ends between the two looks is there twice.
        found.retain(|job| ended.iter().all(|ended| ended.job.id != job.job.id));
        found.extend(ended);
    }
    found.sort_by_key(|found| found.job.id);
    let (mut as_expected, mut others) = (Vec::new(), Vec::new());
    for found in found {
        let differences = expect.differences(&found);
        if differences.is_empty() {
            as_expected.push(found.job);
        } else {
            others.push((found.job, differences));
        }
    }
    others.sort_by_key(|(_, differences)| differences.len());
    Ok((as_expected, others))
}

fn show(others: &[(JobRow, Vec<String>)]) -> String {
    if others.is_empty() {
        return "\nNo other job is there.".to_owned();
    }
    let mut text = format!(
        "\nThe others, the likeliest first ({} in all):",
        others.len()
    );
    for (job, differences) in others.iter().take(SHOWN) {
        text.push_str(&line(job));
        let _ = write!(text, "\n    {}", differences.join("; "));
    }
    if others.len() > SHOWN {
        let _ = write!(text, "\n  and {} more", others.len() - SHOWN);
    }
    text
}

fn lines(jobs: &[JobRow]) -> String {
    jobs.iter().take(SHOWN).map(line).collect()
}

fn line(job: &JobRow) -> String {
    format!(
        "\n  {} {}, {} in {}, to run at {}, {}",
        job.kind, job.id, job.state, job.queue, job.run_at, job.args
    )
}
