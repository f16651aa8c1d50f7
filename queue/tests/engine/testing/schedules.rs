//! Schedules that come round when the test says so.

use millrace_queue::{
    CatchUp, Schedule, ScheduleError,
    testing::{Fired, fire_schedules, time_passes},
};

use super::{HOUR, calm};
use crate::harness::{Bench, Db, Log, Step, sql};

fn scheduled(catch_up: CatchUp, cron: &'static str) -> Bench {
    let mut bench = calm(&Log::default());
    let schedule = Schedule::new("rounds", cron, &Step { n: 1 });
    bench.schedules = vec![schedule.zone("Asia/Taipei").catch_up(catch_up)];
    bench
}

#[tokio::test]
async fn schedules_come_round_as_often_as_the_time_that_passed_has_ticks() {
    let db = Db::new().await;
    let runner = scheduled(CatchUp::All, "30 3 * * *").runner(&db).await;
    let mut conn = db.conn().await;
    // However the days are cut: it is half past three once a day.
    let mut jobs = 0;
    for _ in 0..40 {
        time_passes(&mut conn, HOUR * 6).await.expect("passed");
        let fired = fire_schedules(&mut conn).await.expect("fired");
        jobs += fired.iter().map(|fired| fired.jobs).sum::<usize>();
        assert!(fired.iter().all(|fired| fired.name == "rounds"));
    }
    assert_eq!(jobs, 10);
    // All at once, and no tick twice.
    time_passes(&mut conn, HOUR * 24 * 600)
        .await
        .expect("passed");
    let once = fire_schedules(&mut conn).await.expect("fired");
    assert_eq!(
        once,
        [Fired {
            name: "rounds".to_owned(),
            jobs: 600
        }]
    );
    assert_eq!(fire_schedules(&mut conn).await.expect("fired"), []);
    let drained = runner.drain().await.expect("drained");
    assert_eq!(drained.completed, 610);
}

#[tokio::test]
async fn a_missed_tick_follows_its_policy_and_a_kind_without_worker_is_said() {
    let db = Db::new().await;
    let runner = scheduled(CatchUp::Last, "0 * * * *").runner(&db).await;
    let mut conn = db.conn().await;
    for jobs in [1, 0] {
        time_passes(&mut conn, HOUR * 5).await.expect("passed");
        let fired = fire_schedules(&mut conn).await.expect("fired");
        assert_eq!(fired[0].jobs, jobs, "its last job is still to run");
    }
    assert_eq!(runner.drain().await.expect("drained").completed, 1);
    sql(&mut conn, "update queue.schedule set kind = 'nobody'").await;
    time_passes(&mut conn, HOUR * 5).await.expect("passed");
    let unknown = fire_schedules(&mut conn).await.expect_err("unknown");
    assert!(matches!(unknown, ScheduleError::UnknownKind(kind) if kind == "nobody"));
    sql(
        &mut conn,
        "update queue.schedule set kind = 'step', cron = 'often'",
    )
    .await;
    let unreadable = fire_schedules(&mut conn).await.expect_err("unreadable");
    assert!(matches!(unreadable, ScheduleError::Timetable(_)));
}
