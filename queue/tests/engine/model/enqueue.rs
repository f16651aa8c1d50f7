//! Enqueues, here and there.

use anyhow::{Result, ensure};
use millrace_queue::{Backoff, Kind, NewJob, State, UniqueKey, enqueue_all};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    action::{Ask, DELAY, KEYS, KINDS, MOST, PERIOD, QUEUES, UNIQUE, Wish},
    minutes,
    world::{Placed, World},
};

#[derive(Serialize, Deserialize)]
pub(super) struct Red {
    n: i64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Blue {
    n: i64,
}

impl Kind for Red {
    const KIND: &'static str = KINDS[0];
    const QUEUE: &'static str = QUEUES[0];
}

impl Kind for Blue {
    const KIND: &'static str = KINDS[1];
    const QUEUE: &'static str = QUEUES[0];
}

pub(super) async fn enqueue(
    conn: &mut PgConnection,
    world: &mut World,
    wishes: &[Wish],
    step: usize,
) -> Result<()> {
    let n = i64::try_from(step * 100)?;
    let before = world.jobs.len();
    let mut jobs: Vec<NewJob> = Vec::new();
    for (i, wish) in wishes.iter().enumerate() {
        let n = n + i64::try_from(i)?;
        let mut job = match wish.kind {
            0 => NewJob::new(&Red { n }),
            _ => NewJob::new(&Blue { n }),
        };
        job = job.queue(QUEUES[wish.queue]).priority(wish.priority);
        job = job
            .max_attempts(wish.max_attempts)
            .max_crashes(wish.max_crashes);
        job = job.backoff(Backoff::NONE);
        if wish.delayed {
            job = job.delay(minutes(DELAY));
        }
        if let Some(key) = wish.key {
            job = job.limit_key(KEYS[key]);
        }
        if let Some(owner) = wish.owner {
            job = job.owner(Uuid::from_u128(owner.into()));
        }
        if let Some((key, ask)) = wish.unique {
            let until_done = UniqueKey::until_done(UNIQUE[key]);
            job = job.unique(match ask {
                Ask::Keep => until_done,
                Ask::Period => UniqueKey::for_period(UNIQUE[key], minutes(PERIOD)),
                Ask::Replace => until_done.replacing(),
                Ask::Debounce => until_done.debouncing(minutes(MOST)),
                Ask::WhileAvailable => until_done.while_in([State::Available]),
            });
        }
        if let Some((index, ignore)) = wish.parent.filter(|_| before > 0) {
            let parent = [world.jobs[index.index(before)].id.into()];
            job = if ignore {
                job.after_any_outcome(&parent)
            } else {
                job.after(&parent)
            };
        }
        if let Some(last) = jobs.last().filter(|_| wish.chained) {
            job = job.after(&[last.id()]);
        }
        jobs.push(job);
    }
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id().0).collect();
    let answer = enqueue_all(conn, jobs).await?;
    drop(answer.wake);
    let expected = world.enqueue(wishes, &ids, n);
    let placed: Vec<Placed> = answer
        .ids
        .iter()
        .map(|placed| Placed {
            id: placed.id.0,
            new: placed.new,
            replaced: placed.replaced,
        })
        .collect();
    ensure!(placed == expected, "placed {placed:?}, not {expected:?}");
    Ok(())
}
