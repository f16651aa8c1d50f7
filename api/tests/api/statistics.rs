//! What players say becomes figures, and many videos are changed at once.

use millrace_domain::{
    ids::VideoId,
    videos::{self, BulkEdit, Visibility},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    captions::call,
    playback::{playable, show},
    stack::{Stack, answer},
};

async fn say(stack: &Stack, video: VideoId, body: Value) -> u16 {
    let path = format!("/api/videos/{video}/beacons");
    answer(stack.request(Method::POST, &path).json(&body))
        .await
        .0
        .as_u16()
}

#[tokio::test]
async fn what_players_say_is_counted_once() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    sqlx::query("update videos set duration = 100 where id = $1")
        .bind(video.0)
        .execute(&stack.db)
        .await
        .unwrap();
    // Two people: one watches half, the other a quarter, and the first second again.
    assert_eq!(
        say(&stack, video, json!({"begins": true, "ranges": []})).await,
        204
    );
    assert_eq!(
        say(
            &stack,
            video,
            json!({"begins": false, "ranges": [{"from": 0, "to": 50}]})
        )
        .await,
        204
    );
    let second = json!({"begins": true, "ranges": [{"from": 0, "to": 25}, {"from": 0, "to": 1}]});
    assert_eq!(say(&stack, video, second).await, 204);
    // What reaches beyond the end is cut, and what belongs to nothing is dropped.
    assert_eq!(
        say(
            &stack,
            video,
            json!({"begins": false, "ranges": [{"from": 99, "to": 200}]})
        )
        .await,
        204
    );
    sqlx::query("insert into watch_beacons (video_id, begins, from_s, to_s) values (gen_random_uuid(), true, 0, 1)")
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(videos::sum_up(&stack.db, 4).await.unwrap(), 4);
    assert_eq!(videos::sum_up(&stack.db, 4).await.unwrap(), 2);
    assert_eq!(videos::sum_up(&stack.db, 4).await.unwrap(), 0);

    let path = format!("/api/videos/{video}/statistics");
    let (status, figures) = stack.get_as(&ann, &path).await;
    assert_eq!((status.as_u16(), &figures["views"]), (200, &json!(2)));
    assert_eq!(
        (&figures["watch_seconds"], &figures["average_seconds"]),
        (&json!(77.0), &json!(38.5))
    );
    let retention: Vec<f64> = figures["retention"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r.as_f64().unwrap())
        .collect();
    for (part, share) in [(0, 1.5), (10, 1.0), (30, 0.5), (60, 0.0), (99, 0.5)] {
        assert!(
            (retention[part] - share).abs() < 1e-6,
            "part {part} is {}",
            retention[part]
        );
    }
    assert_eq!(
        (
            figures["days"].as_array().unwrap().len(),
            &figures["days"][0]["views"]
        ),
        (1, &json!(2))
    );
    assert_eq!(stack.get_as(&bob, &path).await.0, 404);
    assert_eq!(stack.get_as(&ann, &format!("{path}?days=0")).await.0, 400);
    stack.stop().await;
}

#[tokio::test]
async fn nonsense_of_players_is_refused() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    for ranges in [
        json!([{"from": 5, "to": 4}]),
        json!([{"from": -1, "to": 4}]),
        json!([{"from": 0, "to": 601}]),
        Value::Array(vec![json!({"from": 0, "to": 1}); 51]),
    ] {
        assert_eq!(
            say(&stack, video, json!({"begins": false, "ranges": ranges})).await,
            422
        );
    }
    // Who may not watch has watched nothing, and last words about what is gone are no error.
    show(&stack, &ann, video, "private").await;
    for silent in [video, VideoId::new()] {
        let words = json!({"begins": true, "ranges": []});
        assert_eq!(say(&stack, silent, words).await, 204);
    }
    let noted: i64 = sqlx::query_scalar("select count(*) from watch_beacons")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(noted, 0);
    stack.stop().await;
}

#[tokio::test]
async fn a_change_of_many_is_written_down_for_a_job() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    let one = json!([video]);
    for wrong in [
        json!({"videos": [], "delete": true}),
        json!({"videos": one}),
        json!({"videos": one, "delete": true, "restore": true}),
        json!({"videos": one, "delete": true, "visibility": "private"}),
        json!({"videos": one, "add_tags": ["a,b"]}),
        json!({"videos": vec![video; 501], "delete": true}),
    ] {
        let (status, problem) = stack.post_as(&ann, "/api/bulk_edits", wrong).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("validation"))
        );
    }
    let wish = json!({"videos": [video, video], "visibility": "unlisted", "add_tags": ["#Night"]});
    let (status, edit) = stack.post_as(&ann, "/api/bulk_edits", wish).await;
    assert_eq!(
        (status.as_u16(), &edit["total"], &edit["done"]),
        (202, &json!(1), &json!(0))
    );
    let path = format!("/api/bulk_edits/{}", edit["id"].as_str().unwrap());
    assert_eq!(stack.get_as(&bob, &path).await.0, 404);
    assert_eq!(stack.get_as(&ann, &path).await.1["finished"], json!(false));
    let id = edit["id"].as_str().unwrap().parse().unwrap();
    let row = BulkEdit::find(&stack.db, id).await.unwrap().unwrap();
    assert_eq!(row.change.add_tags, ["night"]);
    stack.stop().await;
}

#[tokio::test]
async fn ones_own_videos_are_filtered_and_sorted_by_views() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let mut all = Vec::new();
    for views in [5, 50, 0] {
        let video = playable(&stack, &ann, Visibility::Public).await;
        sqlx::query("update videos set views = $2 where id = $1")
            .bind(video.0)
            .bind(views)
            .execute(&stack.db)
            .await
            .unwrap();
        all.push(video.to_string());
    }
    show(&stack, &ann, all[2].parse().unwrap(), "private").await;
    let ids = async |query: &str| -> (Vec<String>, Value) {
        let (_, list) = stack
            .get_as(&ann, &format!("/api/videos?owner=me&{query}"))
            .await;
        let items = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["id"].as_str().unwrap().to_owned());
        (items.collect(), list["next_cursor"].clone())
    };
    let (first, next) = ids("sort=views&limit=2").await;
    assert_eq!(first, [all[1].clone(), all[0].clone()]);
    let (rest, end) = ids(&format!(
        "sort=views&limit=2&cursor={}",
        next.as_str().unwrap()
    ))
    .await;
    assert_eq!((rest, end), (vec![all[2].clone()], Value::Null));
    assert_eq!(ids("visibility=private").await.0, [all[2].clone()]);
    assert_eq!(ids("status=ready").await.0, Vec::<String>::new());
    let bad = call(
        &stack,
        &ann,
        Method::GET,
        "/api/videos?owner=me&status=x",
        json!({}),
    )
    .await;
    assert_eq!(bad.0, 400);
    stack.stop().await;
}
