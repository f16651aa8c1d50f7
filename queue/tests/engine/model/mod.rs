//! Random operations on a real database beside a model of what they should do. After each of them every job is where the
//! model has it: none is lost, doubled or stranded, no limit is passed, keys and dependencies hold.

/// What may happen.
mod action;
/// Whether all is as it should be.
mod compare;
/// Enqueues, here and there.
mod enqueue;
/// Claims and answers, as workers make them.
mod worker;
/// What should come of it.
mod world;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use millrace_queue::{
    Done, Limit, Registry, State, discard, limit_kind, limit_queue, pause_kind, pause_queue,
    request_cancel, rescue, resume_kind, resume_queue, retry,
    testing::{Runner, time_passes},
};
use proptest::{
    sample::Index,
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};
use sqlx::PgConnection;

use self::{
    action::{Action, KINDS, PASSES, PERIOD, QUEUES},
    compare::compare,
    enqueue::{Blue, Red, enqueue},
    worker::{back, claim, end, put_back},
    world::World,
};
use crate::harness::Db;

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// `PROPTEST_CASES` and `PROPTEST_RNG_SEED` say how many and which; a failure tells its seed and the shortest way to it.
#[test]
fn whatever_happens_the_queue_is_as_its_model() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = runtime.block_on(Db::new());
    runtime.block_on(begin(&db));
    let mut config = Config {
        failure_persistence: None,
        max_shrink_time: 30_000,
        ..Config::default()
    };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => rand::random(),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let steps = proptest::collection::vec(action::action(), 20..40);
    let tried = TestRunner::new(config).run(&steps, |actions| {
        let played = runtime.block_on(play(&db, &actions));
        played.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    if let Err(error) = tried {
        panic!("PROPTEST_RNG_SEED={seed} repeats it: {error}");
    }
}

/// Kinds and limits, as a worker brings them.
async fn begin(db: &Db) {
    let registry = Registry::new()
        .register::<Red>(|_, _, ()| Box::pin(async { Ok(Done::Completed) }))
        .register::<Blue>(|_, _, ()| Box::pin(async { Ok(Done::Completed) }))
        .limit(Limit::new("duo").at_once(2))
        .limit(Limit::new("rate").rate(2, minutes(PERIOD)));
    Runner::new(db.pool.clone(), registry, ())
        .await
        .expect("registered");
}

async fn play(db: &Db, actions: &[Action]) -> Result<()> {
    let mut conn = db.pool.acquire().await?;
    for text in [
        "delete from queue.job",
        "delete from queue.history",
        "delete from queue.unique_key",
        "delete from queue.dependency",
        "delete from queue.rate_use",
        "delete from queue.tally",
        "delete from queue.queue where name <> '*'",
        "update queue.kind set paused_at = null, max_running = null, gates_as_of = null",
    ] {
        sqlx::query(text).execute(&mut *conn).await?;
    }
    let mut world = World::default();
    for (n, action) in actions.iter().enumerate() {
        let what = || format!("step {n}, {action:?}");
        act(&mut conn, &mut world, action, n)
            .await
            .with_context(what)?;
        compare(&mut conn, &world).await.with_context(what)?;
    }
    finish(&mut conn, &mut world).await.context("at the end")
}

/// Whatever may run does, by and by: what nothing keeps from running is claimed, however it came to wait.
async fn finish(conn: &mut PgConnection, world: &mut World) -> Result<()> {
    for round in 0..3 {
        for place in world.all(|job| job.state == State::Running) {
            // Some come back once more.
            if round == 0 && place % 2 == 0 {
                put_back(conn, world, place, State::Available, true).await?;
            } else {
                let job = &world.jobs[place];
                ensure!(end(conn, job.id, job.token, State::Completed).await? == 1);
                world.end(&[(place, State::Completed)]);
            }
        }
        time_passes(conn, minutes(PASSES[1])).await?;
        world.now += PASSES[1];
        sqlx::query("select queue.promote(1000)")
            .execute(&mut *conn)
            .await?;
        world.promote();
        for queue in 0..QUEUES.len() {
            claim(conn, world, queue, 100, true).await?;
        }
        compare(conn, world).await?;
    }
    Ok(())
}

/// Does it to both.
async fn act(conn: &mut PgConnection, world: &mut World, action: &Action, n: usize) -> Result<()> {
    let running = |job: &world::Job| job.state == State::Running;
    match action {
        Action::Enqueue(wishes) => enqueue(conn, world, wishes, n).await?,
        Action::Claim {
            queue,
            free,
            regate,
        } => {
            claim(conn, world, *queue, *free, *regate).await?;
        }
        Action::Complete(index) => {
            if let Some(place) = pick(world, index, running) {
                let token = world.jobs[place].token;
                ensure!(end(conn, world.jobs[place].id, token, State::Completed).await? == 1);
                world.end(&[(place, State::Completed)]);
            }
        }
        Action::Fail(index) => {
            if let Some(place) = pick(world, index, running) {
                let job = &world.jobs[place];
                if job.attempt >= job.max_attempts {
                    ensure!(end(conn, job.id, job.token, State::Discarded).await? == 1);
                    world.end(&[(place, State::Discarded)]);
                } else {
                    put_back(conn, world, place, State::Retryable, false).await?;
                }
            }
        }
        Action::Snooze(index) => {
            if let Some(place) = pick(world, index, running) {
                put_back(conn, world, place, State::Scheduled, true).await?;
            }
        }
        Action::Release(index) => {
            if let Some(place) = pick(world, index, running) {
                put_back(conn, world, place, State::Available, true).await?;
            }
        }
        Action::Late(index, ends) => {
            if let Some(place) = pick(world, index, |job| !job.lost.is_empty()) {
                let job = &world.jobs[place];
                let token = job.lost.last().copied();
                let changed = if *ends {
                    end(conn, job.id, token, State::Completed).await?
                } else {
                    back(conn, job.id, token, State::Available, true).await?
                };
                ensure!(changed == 0, "a late answer changed something");
            }
        }
        Action::Cancel(index) => {
            if let Some(place) = pick(world, index, |job| !job.state.is_terminal()) {
                let id = world.jobs[place].id.into();
                drop(request_cancel(conn, id, "unwanted").await?.wake);
                world.cancel(place);
            }
        }
        Action::Discard(index) => {
            if let Some(place) = pick(world, index, |job| !job.state.is_terminal()) {
                let steered = discard(conn, world.jobs[place].id.into(), "enough").await?;
                ensure!(steered.done);
                world.end(&[(place, State::Discarded)]);
            }
        }
        Action::Retry(index) => {
            if let Some(place) = pick(world, index, |_| true) {
                let steered = retry(conn, world.jobs[place].id.into()).await?;
                let expected = world.retry(place);
                ensure!(
                    steered.done == expected,
                    "retried: {}, not {expected}",
                    steered.done
                );
            }
        }
        Action::Rescue => {
            drop(rescue(conn).await?.wake);
            world.rescue();
        }
        Action::Promote => {
            sqlx::query("select queue.promote(1000)")
                .execute(conn)
                .await?;
            world.promote();
        }
        Action::Pass(which) => {
            time_passes(conn, minutes(PASSES[*which])).await?;
            world.now += PASSES[*which];
        }
        Action::PauseQueue(queue, on) => {
            if *on {
                pause_queue(conn, QUEUES[*queue], "ann", None).await?;
            } else {
                drop(resume_queue(conn, QUEUES[*queue]).await?.wake);
            }
            world.paused_queues[*queue] = *on;
        }
        Action::LimitQueue(queue, most, fair) => {
            drop(limit_queue(conn, QUEUES[*queue], *most, *fair).await?.wake);
            world.most_of_queue[*queue] = *most;
        }
        Action::PauseKind(kind, on) => {
            let switched = if *on {
                pause_kind(conn, KINDS[*kind], "ann", None).await?
            } else {
                resume_kind(conn, KINDS[*kind]).await?
            };
            ensure!(switched.done);
            world.paused_kinds[*kind] = *on;
        }
        Action::LimitKind(kind, most) => {
            ensure!(limit_kind(conn, KINDS[*kind], *most).await?.done);
            world.most_of_kind[*kind] = *most;
        }
    }
    Ok(())
}

fn pick(world: &World, index: &Index, is: impl Fn(&world::Job) -> bool) -> Option<usize> {
    let all = world.all(is);
    (!all.is_empty()).then(|| *index.get(&all))
}
