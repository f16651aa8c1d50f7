//! Answers that are put together from several statements are of one moment.

use millrace_domain::videos::Visibility;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::{
    playback::playable,
    stack::{Person, Stack},
};

/// Asks for `path`, and lets `changes` be committed after the answer was begun and before it reads `table`.
async fn asked_across(
    stack: &Stack,
    person: &Person,
    path: &str,
    table: &str,
    changes: &str,
) -> Value {
    let mut tx = stack.db.begin().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("lock table {table}")))
        .execute(&mut *tx)
        .await
        .unwrap();
    let waits = async {
        // Tables of other tests' databases may have the same number.
        let waiting =
            "select exists(select from pg_locks l join pg_database d on d.oid = l.database
                                     where not l.granted and d.datname = current_database()
                                       and l.relation = $1::text::regclass)";
        loop {
            let waits: bool = sqlx::query_scalar(waiting)
                .bind(table)
                .fetch_one(&stack.db)
                .await
                .unwrap();
            if waits {
                break;
            }
        }
        sqlx::raw_sql(AssertSqlSafe(changes.to_owned()))
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    let ((status, body), ()) = tokio::join!(stack.get_as(person, path), waits);
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn a_video_is_shown_with_the_qualities_of_its_own_generation() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    // What the end of a replacement does: another generation is there, and the one before is gone.
    let change = "delete from segments;
         update video_qualities set generation = 2, rendition = 'v480', width = 854, height = 480;
         update videos set generation = 2";
    let path = format!("/api/videos/{video}");
    let before = asked_across(&stack, &ann, &path, "video_qualities", change).await;
    let names = |video: &Value| -> Vec<Value> {
        let all = video["qualities"].as_array().unwrap().iter();
        all.map(|quality| quality["name"].clone()).collect()
    };
    assert_eq!(names(&before), [json!("240p")]);
    let (_, after) = stack.get_as(&ann, &path).await;
    assert_eq!(names(&after), [json!("480p")]);
    stack.stop().await;
}

#[tokio::test]
async fn figures_of_a_video_agree_with_each_other() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    let set = |views: i64, watched: i64| {
        format!(
            "update videos set duration = 100;
             delete from video_daily; delete from video_retention;
             insert into video_daily (video_id, day, views, watch_s) values ('{video}', current_date, {views}, {watched});
             insert into video_retention (video_id, part, watch_s)
             select '{video}', part, {watched} / 100.0 from generate_series(0, 99) part"
        )
    };
    sqlx::raw_sql(AssertSqlSafe(set(1, 100)))
        .execute(&stack.db)
        .await
        .unwrap();
    let path = format!("/api/videos/{video}/statistics");
    let figures = asked_across(&stack, &ann, &path, "video_retention", &set(5, 500)).await;
    assert_eq!(
        (&figures["views"], &figures["watch_seconds"]),
        (&json!(1), &json!(100.0))
    );
    // One person cannot have watched each part five times in a hundred seconds.
    let parts = figures["retention"].as_array().unwrap();
    assert!(
        parts.iter().all(|part| part.as_f64().unwrap() < 1.001),
        "{parts:?}"
    );
    let (_, after) = stack.get_as(&ann, &path).await;
    assert_eq!(after["views"], 5);
    stack.stop().await;
}
