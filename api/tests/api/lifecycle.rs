//! Into the trash and out of it, publishing at a time, another source, the original.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::{
    ids::{UploadId, VideoId},
    videos::{self, NewSourceFile, Video, Visibility},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    captions::call,
    playback::{get, master, playable, set},
    stack::{Person, Stack},
};

async fn listed(stack: &Stack, person: &Person, query: &str) -> Vec<String> {
    let (status, list) = stack.get_as(person, &format!("/api/videos?{query}")).await;
    assert_eq!(status, 200);
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|v| v["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn scheduled_jobs(stack: &Stack) -> i64 {
    sqlx::query_scalar("select count(*) from queue.job where kind = 'publish_scheduled'")
        .fetch_one(&stack.db)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_in_the_trash_is_nowhere_else_until_it_is_restored() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    set(&stack, video, "status", "ready").await;
    let (path, id) = (format!("/api/videos/{video}"), video.to_string());
    let playlist = master(&stack, &ann, video).await;
    assert_eq!(
        call(&stack, &bob, Method::DELETE, &path, json!({})).await.0,
        404
    );
    assert_eq!(
        call(&stack, &ann, Method::DELETE, &path, json!({})).await.0,
        204
    );
    assert_eq!(
        call(&stack, &ann, Method::DELETE, &path, json!({})).await.0,
        404
    );
    for person in [&ann, &bob] {
        assert_eq!(stack.get_as(person, &path).await.0, 404);
        assert_eq!(listed(&stack, person, "").await, Vec::<String>::new());
    }
    assert_eq!(get(&stack, &playlist).await.status(), 404);
    assert_eq!(listed(&stack, &ann, "owner=me").await, Vec::<String>::new());
    assert_eq!(
        listed(&stack, &ann, "owner=me&trash=true").await,
        std::slice::from_ref(&id)
    );
    assert_eq!(
        listed(&stack, &bob, "trash=true").await,
        Vec::<String>::new()
    );
    for (method, what) in [
        (Method::PATCH, ""),
        (Method::POST, "/retry"),
        (Method::GET, "/original"),
        (Method::GET, "/extras"),
    ] {
        let body = json!({"title": "x"});
        assert_eq!(
            call(&stack, &ann, method, &format!("{path}{what}"), body)
                .await
                .0,
            404,
            "{what}"
        );
    }

    let restore = format!("{path}/restore");
    assert_eq!(stack.post_as(&bob, &restore, json!({})).await.0, 404);
    let (status, body) = stack.post_as(&ann, &restore, json!({})).await;
    assert_eq!((status.as_u16(), &body["deleted_at"]), (200, &Value::Null));
    assert_eq!(listed(&stack, &bob, "").await, [id]);
    assert_eq!(stack.post_as(&ann, &restore, json!({})).await.0, 404);

    // For good, also from the trash.
    assert_eq!(
        call(&stack, &ann, Method::DELETE, &path, json!({})).await.0,
        204
    );
    let forever = format!("{path}?forever=true");
    assert_eq!(
        call(&stack, &bob, Method::DELETE, &forever, json!({}))
            .await
            .0,
        404
    );
    assert_eq!(
        call(&stack, &ann, Method::DELETE, &forever, json!({}))
            .await
            .0,
        204
    );
    assert!(Video::find(&stack.db, video).await.unwrap().is_none());
    stack.stop().await;
}

#[tokio::test]
async fn old_trash_is_past_its_time_and_new_is_not() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (old, new) = (
        playable(&stack, &ann, Visibility::Public).await,
        playable(&stack, &ann, Visibility::Public).await,
    );
    for video in [old, new] {
        assert!(videos::trash(&stack.db, video, ann.id).await.unwrap());
    }
    sqlx::query("update videos set deleted_at = now() - interval '30 days 1 minute' where id = $1")
        .bind(old.0)
        .execute(&stack.db)
        .await
        .unwrap();
    let past = videos::past_trash(&stack.db, videos::KEPT_IN_TRASH, 10)
        .await
        .unwrap();
    assert_eq!(past, [(old, ann.id)]);
    stack.stop().await;
}

#[tokio::test]
async fn a_video_is_published_at_its_time_and_at_no_other() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    let path = format!("/api/videos/{video}/schedule");
    let at = |hours| json!({"publish_at": Utc::now() + TimeDelta::hours(hours)});
    for wrong in [at(-1), at(24 * 800)] {
        let (status, problem) = call(&stack, &ann, Method::PUT, &path, wrong).await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["field"]),
            (422, &json!("publish_at"))
        );
    }
    assert_eq!(call(&stack, &bob, Method::PUT, &path, at(1)).await.0, 404);
    assert_eq!(scheduled_jobs(&stack).await, 0);
    let (status, first) = call(&stack, &ann, Method::PUT, &path, at(1)).await;
    assert_eq!(
        (status.as_u16(), &first["visibility"]),
        (200, &json!("private"))
    );
    let (_, second) = call(&stack, &ann, Method::PUT, &path, at(2)).await;
    assert_eq!(
        scheduled_jobs(&stack).await,
        1,
        "the job of the first time is cancelled"
    );
    let time =
        |view: &Value| -> DateTime<Utc> { view["publish_at"].as_str().unwrap().parse().unwrap() };
    assert_eq!(
        videos::publish_scheduled(&stack.db, video, time(&first))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        videos::publish_scheduled(&stack.db, video, time(&second))
            .await
            .unwrap(),
        Some(ann.id)
    );
    assert_eq!(
        videos::publish_scheduled(&stack.db, video, time(&second))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        stack.get_as(&bob, &format!("/api/videos/{video}")).await.0,
        200
    );

    // Whoever shows it before that shows it at once, and whoever forgets the time keeps it private.
    call(&stack, &ann, Method::PUT, &path, at(1)).await;
    let patch = format!("/api/videos/{video}");
    let (_, shown) = call(
        &stack,
        &ann,
        Method::PATCH,
        &patch,
        json!({"visibility": "unlisted"}),
    )
    .await;
    assert_eq!(shown["publish_at"], Value::Null);
    call(&stack, &ann, Method::PUT, &path, at(1)).await;
    let (_, kept) = call(&stack, &ann, Method::DELETE, &path, json!({})).await;
    assert_eq!(
        (&kept["publish_at"], &kept["visibility"]),
        (&Value::Null, &json!("private"))
    );
    assert_eq!(scheduled_jobs(&stack).await, 0);
    stack.stop().await;
}

async fn replaced(stack: &Stack, video: VideoId) {
    set(stack, video, "status", "ready").await;
    let new = NewSourceFile {
        video,
        upload: UploadId::new(),
        key: "raw/new/source".to_owned(),
        etag: "\"y\"".to_owned(),
        name: "new.mp4".to_owned(),
        size: 7,
    };
    let mut conn = stack.db.acquire().await.unwrap();
    assert!(videos::replace(&mut conn, &new).await.unwrap());
    assert!(
        !videos::replace(&mut conn, &new).await.unwrap(),
        "one at a time"
    );
}

#[tokio::test]
async fn what_was_ready_plays_while_another_source_is_processed() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    replaced(&stack, video).await;
    let (_, view) = stack.get_as(&bob, &format!("/api/videos/{video}")).await;
    assert_eq!(
        (&view["status"], &view["replacing"], &view["playable"]),
        (&json!("processing"), &json!(true), &json!(true))
    );
    assert_eq!(view["qualities"][0]["name"], "240p");
    let playlist = view["hls_url"].as_str().unwrap().to_owned();
    assert!(playlist.ends_with("/vod/master.m3u8"), "{playlist}");
    assert_eq!(get(&stack, &playlist).await.status(), 200);
    let segment = playlist.replace("vod/master.m3u8", "s/v240/0.m4s");
    assert_eq!(get(&stack, &segment).await.status(), 307);

    // It fails: the video is ready as before, and says why.
    assert!(
        Video::fail(&stack.db, video, 2, 1, "damaged", "The file is damaged.")
            .await
            .unwrap()
    );
    let row = Video::find(&stack.db, video).await.unwrap().unwrap();
    let mut conn = stack.db.acquire().await.unwrap();
    let gone = videos::drop_replacement(&mut conn, &row).await.unwrap();
    drop(conn); // The pool waits for it in the end.
    assert_eq!(gone, [format!("hls/{video}/2/"), "raw/new/".to_owned()]);
    let (_, view) = stack.get_as(&bob, &format!("/api/videos/{video}")).await;
    assert_eq!(
        (&view["status"], &view["error"]["code"], &view["hls_url"]),
        (&json!("ready"), &json!("damaged"), &json!(playlist))
    );
    assert_eq!(get(&stack, &segment).await.status(), 307);
    stack.stop().await;
}

#[tokio::test]
async fn the_new_source_plays_at_once_when_it_is_ready() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    let old = master(&stack, &ann, video)
        .await
        .replace("event/master.m3u8", "s/v240/0.m4s");
    replaced(&stack, video).await;
    let row = Video::find(&stack.db, video).await.unwrap().unwrap();
    let mut conn = stack.db.acquire().await.unwrap();
    assert!(Video::publish(&mut *conn, video, 2).await.unwrap());
    let gone = videos::switch(&mut conn, &row).await.unwrap();
    drop(conn); // The pool waits for it in the end.
    let source = row.played.unwrap().0.original_key.replace("source", "");
    assert_eq!(gone, [format!("hls/{video}/1/"), source]);
    assert_eq!(get(&stack, &old).await.status(), 404);
    let left: i64 = sqlx::query_scalar("select count(*) from segments")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
    let (_, view) = stack.get_as(&ann, &format!("/api/videos/{video}")).await;
    assert_eq!(
        (&view["replacing"], &view["file_size"]),
        (&json!(false), &json!(7))
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_source_is_taken_from_ones_own_upload_alone() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    let path = format!("/api/videos/{video}/source");
    let file = json!({"filename": "walk.mp4", "size": 1_000, "content_type": "video/mp4"});
    let (_, theirs) = stack.post_as(&bob, "/api/uploads", file).await;
    let wish = json!({"upload_id": theirs["upload_id"]});
    assert_eq!(stack.post_as(&ann, &path, wish.clone()).await.0, 404);
    assert_eq!(stack.post_as(&bob, &path, wish).await.0, 404);
    let (status, body) = stack
        .get_as(&ann, &format!("/api/videos/{video}/original"))
        .await;
    let url = body["url"].as_str().unwrap();
    assert_eq!(status, 200);
    assert!(
        url.contains("/source?") && url.contains("response-content-disposition=attachment"),
        "{url}"
    );
    assert_eq!(
        stack
            .get_as(&bob, &format!("/api/videos/{video}/original"))
            .await
            .0,
        404
    );
    stack.stop().await;
}
