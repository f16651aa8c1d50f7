//! Lines that runs write for people.

use millrace_queue::{Done, Failure, LogLine, State};

use crate::harness::{Bench, Db, Step};

#[tokio::test]
async fn runs_write_lines_that_stay_after_them() {
    let db = Db::new().await;
    let bench = Bench::new(|step, run| async move {
        for n in 1..=step.n {
            run.log(format!("line {n}\0"));
        }
        if run.run_no == 1 {
            return Err(Failure::from("once more"));
        }
        Ok(Done::Completed)
    });
    let worker = db.worker(&bench).await;
    let few = db.put(Step::job(3)).await;
    let many = db.put(Step::job(1_500)).await;
    for id in [few, many] {
        db.reaches(id, State::Completed).await;
    }
    worker.drain().await;
    let lines = LogLine::of_job(&db.pool, few, (0, 0), 100)
        .await
        .expect("readable");
    let texts: Vec<_> = lines
        .iter()
        .map(|l| (l.run_no, l.n, l.line.as_str()))
        .collect();
    assert_eq!(
        texts[..2],
        [(1, 1, "line 1\u{fffd}"), (1, 2, "line 2\u{fffd}")]
    );
    assert_eq!((texts.len(), texts[5]), (6, (2, 3, "line 3\u{fffd}")));
    let rest = LogLine::of_job(&db.pool, few, (1, 3), 100)
        .await
        .expect("readable");
    assert_eq!(rest, lines[3..]);
    let lines = LogLine::of_job(&db.pool, many, (1, 998), 2)
        .await
        .expect("readable");
    assert_eq!(lines[1].line, "further lines are left out");
}
