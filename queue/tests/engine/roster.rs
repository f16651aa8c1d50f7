//! Schedules at run time.

use millrace_queue::{
    CatchUp, Done, Schedule, ScheduleChange, ScheduleError, State, change_schedule, run_schedule,
    schedules,
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::harness::{Bench, Db, Step, next};

#[tokio::test]
async fn schedules_are_changed_switched_and_run_by_hand() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let mut bench = Bench::new(move |step, _| {
        said.send(step.n).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    bench.schedules = vec![Schedule::new("rare", "0 0 1 1 *", &Step { n: 1 })];
    let mut conn = db.conn().await;
    let worker = db.worker(&bench).await;
    let (job, wake) = run_schedule(&mut conn, "rare").await.expect("enqueued");
    wake.fire(&worker.notifier);
    assert_eq!(next(&mut heard).await, 1);
    db.reaches(job, State::Completed).await;

    let change = ScheduleChange {
        cron: Some("* * * * * *".to_owned()),
        zone: Some("Asia/Taipei".to_owned()),
        args: Some(json!({"n": 2})),
        catch_up: Some(CatchUp::None),
        enabled: None,
    };
    change_schedule(&mut conn, "rare", &change)
        .await
        .expect("changed");
    assert_eq!(next(&mut heard).await, 2);
    // What was changed outlives the worker.
    worker.drain().await;
    let worker = db.worker(&bench).await;
    while heard.try_recv().is_ok() {}
    assert_eq!(next(&mut heard).await, 2);
    let off = ScheduleChange {
        enabled: Some(false),
        ..ScheduleChange::default()
    };
    change_schedule(&mut conn, "rare", &off)
        .await
        .expect("changed");
    let row = schedules(&db.pool).await.expect("readable").remove(0);
    assert_eq!(
        (
            row.cron.as_str(),
            row.zone.as_str(),
            row.enabled,
            row.changed
        ),
        ("* * * * * *", "Asia/Taipei", false, true)
    );
    assert!(row.last_at.is_some() && row.last_job.is_some());
    worker.drain().await;

    let bad = |change: ScheduleChange| change;
    for (name, change, said) in [
        ("none", off.clone(), "no schedule none"),
        (
            "rare",
            bad(ScheduleChange {
                cron: Some("often".to_owned()),
                ..ScheduleChange::default()
            }),
            "often",
        ),
        (
            "rare",
            bad(ScheduleChange {
                zone: Some("Mars/Olympus".to_owned()),
                ..ScheduleChange::default()
            }),
            "Mars",
        ),
        (
            "rare",
            bad(ScheduleChange {
                args: Some(json!([1])),
                ..ScheduleChange::default()
            }),
            "JSON object",
        ),
    ] {
        let error = change_schedule(&mut conn, name, &change)
            .await
            .expect_err(said);
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(matches!(
        run_schedule(&mut conn, "none").await,
        Err(ScheduleError::Unknown(_))
    ));
}
