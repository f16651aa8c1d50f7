//! Random graphs whose jobs meet random fates in random order: each ends exactly once, in the state that the rules of
//! dependencies give, and nothing is left over.

use millrace_queue::{JobId, NewJob, State, enqueue_all, rescue};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::harness::{Db, Step};

/// What happens to a job whenever it runs.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Completes,
    Fails,
    IsCancelled,
    /// Its first two runs take their workers with them.
    CrashesTwice,
    /// Every run takes its worker with it.
    CrashesAlways,
    SnoozesOnce,
    RetriesOnce,
}

impl Fate {
    fn ends_as(self) -> State {
        match self {
            Self::Completes | Self::CrashesTwice | Self::SnoozesOnce | Self::RetriesOnce => {
                State::Completed
            }
            Self::Fails => State::Discarded,
            Self::IsCancelled => State::Cancelled,
            Self::CrashesAlways => State::Quarantined,
        }
    }
}

#[derive(Debug, Clone)]
struct Plan {
    fate: Fate,
    /// Which of the jobs before it are its parents, and whether their outcome is ignored.
    parents: Vec<(prop::sample::Index, bool)>,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let fate = prop_oneof![
        4 => Just(Fate::Completes), 1 => Just(Fate::Fails), 1 => Just(Fate::IsCancelled), 1 => Just(Fate::CrashesTwice),
        1 => Just(Fate::CrashesAlways), 1 => Just(Fate::SnoozesOnce), 1 => Just(Fate::RetriesOnce),
    ];
    let parents = prop::collection::vec(
        (any::<prop::sample::Index>(), prop::bool::weighted(0.3)),
        0..4,
    );
    prop::collection::vec(
        (fate, parents).prop_map(|(fate, parents)| Plan { fate, parents }),
        1..14,
    )
}

#[test]
fn random_graphs_end_as_their_rules_say() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = runtime.block_on(Db::new());
    // Real statements, so fewer cases than pure logic would get.
    let mut runner = TestRunner::new(Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    });
    let picks = prop::collection::vec(any::<prop::sample::Index>(), 32);
    runner
        .run(&(plans(), picks), |(plans, picks)| {
            runtime.block_on(play(&db, &plans, &picks));
            Ok(())
        })
        .expect("every graph ends as its rules say");
}

async fn play(db: &Db, plans: &[Plan], picks: &[prop::sample::Index]) {
    let mut jobs: Vec<NewJob> = Vec::new();
    let mut parents: Vec<Vec<(usize, bool)>> = Vec::new();
    let mut expected: Vec<State> = Vec::new();
    for plan in plans {
        let mut job = Step::job(0).max_crashes(3).max_attempts(10);
        let mut mine: Vec<(usize, bool)> = Vec::new();
        for (index, ignore) in &plan.parents {
            if jobs.is_empty() {
                break;
            }
            let parent = index.index(jobs.len());
            if mine.iter().any(|(p, _)| *p == parent) {
                continue;
            }
            mine.push((parent, *ignore));
            let id = [jobs[parent].id()];
            job = if *ignore {
                job.after_any_outcome(&id)
            } else {
                job.after(&id)
            };
        }
        let orphaned = mine
            .iter()
            .any(|&(p, ignore)| !ignore && expected[p] != State::Completed);
        expected.push(if orphaned {
            State::Cancelled
        } else {
            plan.fate.ends_as()
        });
        parents.push(mine);
        jobs.push(job);
    }
    let ids: Vec<JobId> = jobs.iter().map(NewJob::id).collect();
    let mut conn = db.conn().await;
    drop(enqueue_all(&mut conn, jobs).await.expect("enqueued"));

    let mut rounds = 0;
    loop {
        let ready: Vec<Uuid> =
            sqlx::query_scalar("select id from queue.job where state = 'available' order by id")
                .fetch_all(&mut *conn)
                .await
                .expect("readable");
        if ready.is_empty() {
            break;
        }
        let id = JobId(*picks[rounds % picks.len()].get(&ready));
        let place = ids
            .iter()
            .position(|&other| other == id)
            .expect("one of ours");
        for &(parent, ignore) in &parents[place] {
            let state = db.job(ids[parent]).await.state;
            assert!(
                if ignore {
                    state.is_terminal()
                } else {
                    state == State::Completed
                },
                "it ran before its time"
            );
        }
        meet(db, &mut conn, id, plans[place].fate).await;
        rounds += 1;
        assert!(rounds < 200, "it never ends");
    }
    for (id, state) in ids.into_iter().zip(expected) {
        let row = db.job(id).await;
        assert_eq!(row.state, state);
        assert!(row.attempt <= row.max_attempts && row.attempt >= 0);
    }
    assert!(db.is_empty().await);
}

/// One run.
async fn meet(db: &Db, conn: &mut PgConnection, id: JobId, fate: Fate) {
    let crashes = |run_no: i32| match fate {
        Fate::CrashesTwice => run_no <= 2,
        Fate::CrashesAlways => true,
        _ => false,
    };
    let run_no = db.job(id).await.run_no + 1;
    if crashes(run_no) {
        db.claim_for_nobody(id, -1).await;
        let rescued = rescue(conn).await.expect("rescued");
        assert_eq!(rescued.jobs.len(), 1);
        drop(rescued.wake);
        return;
    }
    let token = db.claim_for_nobody(id, 60_000).await;
    let back = match fate {
        Fate::SnoozesOnce if run_no == 1 => Some(true),
        Fate::RetriesOnce if run_no == 1 => Some(false),
        _ => None,
    };
    let changed: i64 = if let Some(refund) = back {
        sqlx::query_scalar("select count(ended) from queue.put_back(array[$1::uuid], array[$2::uuid], array['available'::queue.state], array[null::bigint], array[$3], array[null::jsonb])")
            .bind(id).bind(token).bind(refund).fetch_one(conn).await.expect("answered")
    } else {
        sqlx::query_scalar("select count(ended) from queue.end_jobs(array[$1::uuid], array[$2::uuid], array[$3::text::queue.state], array[null::text], array[null::text], array[null::jsonb], array[null::jsonb])")
            .bind(id).bind(token).bind(fate.ends_as().as_str()).fetch_one(conn).await.expect("answered")
    };
    assert_eq!(changed, 1);
}
