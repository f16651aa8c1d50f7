//! Playlists and redirects: for whom, how fresh, and how long they may be kept.

use std::time::Duration;

use millrace_domain::{ids::VideoId, videos::Visibility};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::stack::{Person, Stack};

/// A playable video of one rendition on a grid of 25 frames a second, with its first segment.
pub(crate) async fn playable(stack: &Stack, owner: &Person, visibility: Visibility) -> VideoId {
    let id = stack.video(owner, visibility).await;
    let grid = json!({"fps": {"num": 25, "den": 1}, "frame_count": 1_000, "gop_frames": 50, "segment_frames": 100});
    sqlx::query("update videos set probe = $2, fps_num = 25, fps_den = 1, playable_at = now() where id = $1")
        .bind(id.0)
        .bind(json!({"plan": {"grid": grid}}))
        .execute(&stack.db)
        .await
        .unwrap();
    sqlx::query(
        "insert into video_qualities (video_id, generation, rendition, kind, width, height, max_bitrate, codecs, init_key)
         values ($1, 1, 'v240', 'video', 426, 240, 500000, 'avc1.640015', 'hls/' || $1 || '/1/v240/c0-1/init.mp4')",
    )
    .bind(id.0)
    .execute(&stack.db)
    .await
    .unwrap();
    segment(stack, id, 0).await;
    id
}

pub(crate) async fn segment(stack: &Stack, video: VideoId, n: i32) {
    sqlx::query(
        "insert into segments (video_id, generation, rendition, n, chunk, run_no, key, init_key, start, length,
                               timescale, bytes)
         values ($1, 1, 'v240', $2, 0, 1, 'hls/' || $1 || '/1/v240/c0-1/seg_' || $2 || '.m4s',
                 'hls/' || $1 || '/1/v240/c0-1/init.mp4', $2 * 100, 100, 25, 1000)",
    )
    .bind(video.0)
    .bind(n)
    .execute(&stack.db)
    .await
    .unwrap();
}

pub(crate) async fn set(stack: &Stack, video: VideoId, column: &str, value: &str) {
    let statement = format!("update videos set {column} = $2 where id = $1");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(video.0)
        .bind(value)
        .execute(&stack.db)
        .await
        .unwrap();
}

pub(crate) async fn master(stack: &Stack, owner: &Person, video: VideoId) -> String {
    let (status, body) = stack.get_as(owner, &format!("/api/videos/{video}")).await;
    assert_eq!(status, 200);
    body["hls_url"].as_str().unwrap().to_owned()
}

pub(crate) async fn get(stack: &Stack, path: &str) -> Response {
    stack.request(Method::GET, path).send().await.unwrap()
}

pub(crate) async fn status(stack: &Stack, path: &str) -> u16 {
    get(stack, path).await.status().as_u16()
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

pub(crate) async fn show(stack: &Stack, owner: &Person, video: VideoId, visibility: &str) {
    let request = stack
        .request(Method::PATCH, &format!("/api/videos/{video}"))
        .bearer_auth(&owner.token)
        .json(&json!({"visibility": visibility}));
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_growing_playlist_is_fresh_and_a_final_one_is_read_once() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    let event = master(&stack, &ann, video).await;
    assert!(event.ends_with("/event/master.m3u8"), "{event}");
    let media = event.replace("master", "v240");
    let first = get(&stack, &media).await;
    assert_eq!(header(&first, "cache-control"), "no-cache");
    let tag = header(&first, "etag").to_owned();
    let text = first.text().await.unwrap();
    assert!(text.ends_with("../s/v240/0.m4s\n"), "{text}");
    let same = stack
        .request(Method::GET, &media)
        .header("if-none-match", &tag);
    assert_eq!(same.send().await.unwrap().status(), 304);

    segment(&stack, video, 1).await;
    let grown = async {
        loop {
            let text = get(&stack, &media).await.text().await.unwrap();
            if text.ends_with("../s/v240/1.m4s\n") {
                break;
            }
        }
    };
    timeout(Duration::from_secs(3), grown).await.unwrap();

    let vod = event.replace("event", "vod");
    assert_eq!(status(&stack, &vod).await, 404);
    set(&stack, video, "status", "ready").await;
    let media = vod.replace("master", "v240");
    for path in [&vod, &media] {
        let list = get(&stack, path).await;
        assert_eq!(
            header(&list, "cache-control"),
            "public, max-age=3600, immutable"
        );
    }
    sqlx::query("delete from segments")
        .execute(&stack.db)
        .await
        .unwrap();
    let text = get(&stack, &media).await.text().await.unwrap();
    assert!(
        text.contains("1.m4s") && text.ends_with("#EXT-X-ENDLIST\n"),
        "{text}"
    );
    stack.stop().await;
}

#[tokio::test]
async fn segments_lead_to_the_store_for_as_long_as_they_may() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    for (visibility, kept, expires) in [
        (Visibility::Public, "public, max-age=3600", "25200"),
        (Visibility::Private, "private, no-store", "60"),
    ] {
        let video = playable(&stack, &ann, visibility).await;
        let base = master(&stack, &ann, video)
            .await
            .replace("/event/master.m3u8", "/s/v240/");
        for (file, key) in [
            ("0.m4s", "c0-1/seg_0.m4s"),
            ("init.mp4?k=c0-1/init.mp4", "c0-1/init.mp4"),
        ] {
            let there = get(&stack, &format!("{base}{file}")).await;
            assert_eq!(there.status(), 307);
            assert_eq!(header(&there, "cache-control"), kept);
            let location = header(&there, "location");
            assert!(
                location.contains(&format!("/hls/{video}/1/v240/{key}?")),
                "{location}"
            );
            assert!(
                location.contains(&format!("X-Amz-Expires={expires}&")),
                "{location}"
            );
        }
        let next = format!("{base}1.m4s");
        assert_eq!(status(&stack, &next).await, 404);
        segment(&stack, video, 1).await;
        assert_eq!(status(&stack, &next).await, 307);
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_token_is_good_for_what_its_holder_may_see_now() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    let public = master(&stack, &ann, video).await;
    assert_eq!(status(&stack, &public).await, 200);

    show(&stack, &ann, video, "private").await;
    assert_eq!(status(&stack, &public).await, 404);
    let private = master(&stack, &ann, video).await;
    assert_ne!(private, public);
    let list = get(&stack, &private).await;
    assert_eq!(header(&list, "cache-control"), "private, no-store");
    let segment = public.replace("/event/master.m3u8", "/s/v240/0.m4s");
    assert_eq!(status(&stack, &segment).await, 404);

    // Shown by another replica, of which nobody tells us: a no is not remembered.
    set(&stack, video, "visibility", "public").await;
    assert_eq!(status(&stack, &public).await, 200);

    let poster = format!(
        "/api/videos/{video}/poster?t={}",
        public.split('/').nth(3).unwrap()
    );
    assert_eq!(status(&stack, &poster).await, 404);
    set(&stack, video, "thumbnail_key", "images/x.jpg").await;
    assert_eq!(status(&stack, &poster).await, 307);
    let other = playable(&stack, &ann, Visibility::Public).await;
    let token = master(&stack, &ann, other).await;
    let crossed = format!(
        "/api/videos/{video}/poster?t={}",
        token.split('/').nth(3).unwrap()
    );
    assert_eq!(status(&stack, &crossed).await, 404);

    let gone = stack
        .request(Method::DELETE, &format!("/api/videos/{video}"))
        .bearer_auth(&ann.token);
    assert_eq!(gone.send().await.unwrap().status(), 204);
    let answer = get(&stack, &public).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["code"],
        Value::from("not_found")
    );
    stack.stop().await;
}
