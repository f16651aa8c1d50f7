//! Copies that are watched while the ladder is made: a file, and the copied picture's playlists.

use std::time::Duration;

use millrace_domain::{
    ids::VideoId,
    videos::{self, Video, Visibility},
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::stack::{Person, Stack};

/// A video that was probed: 20 s on a grid of 25 frames a second, of one rung and the sound, of which nothing is there.
async fn probed(stack: &Stack, owner: &Person, visibility: Visibility) -> VideoId {
    let id = stack.video(owner, visibility).await;
    let grid = json!({"fps": {"num": 25, "den": 1}, "frame_count": 500, "gop_frames": 50, "segment_frames": 100});
    sqlx::query(
        "update videos set probe = $2, fps_num = 25, fps_den = 1, has_video = true, has_audio = true where id = $1",
    )
    .bind(id.0)
    .bind(json!({"plan": {"grid": grid}}))
    .execute(&stack.db)
    .await
    .unwrap();
    for (rendition, kind, width, codecs) in [
        ("v240", "video", Some(426), "avc1.640015"),
        ("audio", "audio", None, "mp4a.40.2"),
    ] {
        sqlx::query(
            "insert into video_qualities (video_id, generation, rendition, kind, width, height, max_bitrate, codecs,
                                          bandwidth, average_bandwidth)
             values ($1, 1, $2, $3, $4, $4 * 9 / 16, 500000, $5, 400000, 300000)",
        )
        .bind(id.0)
        .bind(rendition)
        .bind(kind)
        .bind(width)
        .bind(codecs)
        .execute(&stack.db)
        .await
        .unwrap();
    }
    id
}

/// A segment of so many seconds, as a run of a job stores it.
fn new_segment(video: VideoId, rendition: &str, n: i32, seconds: i64) -> videos::NewSegment {
    let folder = format!("hls/{video}/1/{rendition}/c0-1");
    videos::NewSegment {
        video,
        generation: 1,
        rendition: rendition.to_owned(),
        n,
        chunk: 0,
        run_no: 1,
        key: format!("{folder}/seg_{n}.m4s"),
        init_key: format!("{folder}/init.mp4"),
        init_hash: vec![1],
        codecs: "avc1.64001f".to_owned(),
        start: 0,
        length: seconds,
        timescale: 1,
        bytes: 1_000,
        keyframe_bytes: Some(100),
    }
}

/// Stores a segment. Says whether there is another playlist to watch now.
async fn segment(stack: &Stack, video: VideoId, rendition: &str, n: i32, seconds: i64) -> bool {
    let new = new_segment(video, rendition, n, seconds);
    let mut conn = stack.db.acquire().await.unwrap();
    assert!(videos::insert_segment(&mut conn, &new).await.unwrap());
    videos::mark_playable(&mut *conn, video, 1).await.unwrap()
}

async fn begin_source(stack: &Stack, video: VideoId) {
    let new = videos::NewSource {
        video,
        generation: 1,
        width: 1280,
        height: 720,
        max_bitrate: 2_000_000,
        target_duration: 10,
    };
    videos::begin_source(&stack.db, &new).await.unwrap();
}

async fn make_ready(stack: &Stack, video: VideoId) {
    assert!(Video::publish(&stack.db, video, 1).await.unwrap());
}

async fn view(stack: &Stack, owner: &Person, video: VideoId) -> Value {
    let (status, body) = stack.get_as(owner, &format!("/api/videos/{video}")).await;
    assert_eq!(status, 200);
    body
}

async fn get(stack: &Stack, path: &str) -> Response {
    stack.request(Method::GET, path).send().await.unwrap()
}

async fn text(stack: &Stack, path: &str) -> String {
    let response = get(stack, path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn a_file_plays_before_anything_streams_and_for_whom_the_video_does() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = probed(&stack, &ann, Visibility::Private).await;
    let before = view(&stack, &ann, video).await;
    assert_eq!(before["playable"], false);
    assert_eq!(before["mp4_url"], Value::Null);

    let key = format!("hls/{video}/1/file/x-1.mp4");
    assert!(videos::set_file(&stack.db, video, 1, &key).await.unwrap());
    let now = view(&stack, &ann, video).await;
    assert_eq!(
        (&now["playable"], &now["hls_url"]),
        (&json!(true), &Value::Null)
    );
    let private = now["mp4_url"].as_str().unwrap().to_owned();
    let there = get(&stack, &private).await;
    assert_eq!(there.status(), 307);
    assert_eq!(there.headers()["cache-control"], "private, no-store");
    let location = there.headers()["location"].to_str().unwrap();
    assert!(location.contains(&format!("/{key}?")), "{location}");
    // A token is for its own video, and a forged one for nothing.
    let other = probed(&stack, &ann, Visibility::Public).await;
    assert_eq!(view(&stack, &ann, other).await["mp4_url"], Value::Null);
    let token = private.split('/').nth(3).unwrap();
    let forged = private.replace(token, &token.to_lowercase());
    assert_eq!(get(&stack, &forged).await.status(), 404);

    // The ladder begins: both are offered. It is ready: both still are. It was dropped: only the ladder is.
    assert!(!segment(&stack, video, "v240", 0, 4).await);
    assert!(segment(&stack, video, "audio", 0, 4).await);
    let now = view(&stack, &ann, video).await;
    let hls = now["hls_url"].as_str().unwrap();
    assert!(hls.ends_with("/event/master.m3u8"), "{hls}");
    assert!(now["mp4_url"].is_string());
    make_ready(&stack, video).await;
    assert!(
        !videos::set_file(&stack.db, video, 1, "hls/x")
            .await
            .unwrap()
    );
    let mut conn = stack.db.acquire().await.unwrap();
    let dropped = videos::drop_copies(&mut conn, video, 1).await.unwrap();
    assert_eq!(
        dropped,
        [
            format!("hls/{video}/1/file/"),
            format!("hls/{video}/1/source/")
        ]
    );
    drop(conn);
    let now = view(&stack, &ann, video).await;
    assert_eq!(now["mp4_url"], Value::Null);
    let hls = now["hls_url"].as_str().unwrap();
    assert!(hls.ends_with("/vod/master.m3u8"), "{hls}");
    stack.stop().await;
}

#[tokio::test]
async fn a_copied_picture_is_watched_with_the_sound_and_never_listed_beside_the_ladder() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = probed(&stack, &ann, Visibility::Public).await;
    begin_source(&stack, video).await;
    // Ten seconds of picture and no sound: nothing plays.
    assert!(!segment(&stack, video, "source", 0, 10).await);
    assert_eq!(view(&stack, &ann, video).await["hls_url"], Value::Null);
    assert!(segment(&stack, video, "audio", 0, 4).await);
    let now = view(&stack, &ann, video).await;
    assert_eq!(now["playable"], true);
    let names: Vec<&str> = now["qualities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|quality| quality["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["240p"]);
    let master = now["hls_url"].as_str().unwrap().to_owned();
    assert!(master.ends_with("/remux/master.m3u8"), "{master}");

    let list = text(&stack, &master).await;
    assert!(list.contains("RESOLUTION=1280x720"), "{list}");
    assert!(list.contains("BANDWIDTH=2500000"), "{list}");
    assert_eq!(list.matches("#EXT-X-STREAM-INF").count(), 1, "{list}");
    assert!(!list.contains("v240"), "{list}");
    let picture = master.replace("master", "source");
    let sound = master.replace("master", "audio");
    let response = get(&stack, &picture).await;
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let list = response.text().await.unwrap();
    assert!(list.contains("#EXT-X-TARGETDURATION:10\n"), "{list}");
    assert!(
        list.contains("#EXTINF:10.000000,\n../s/source/0.m4s\n"),
        "{list}"
    );
    let list = text(&stack, &sound).await;
    assert!(list.contains("#EXT-X-TARGETDURATION:10\n"), "{list}");
    for (file, status) in [
        ("/s/source/0.m4s", 307),
        ("/s/source/1.m4s", 404),
        ("/s/source/init.mp4?k=c0-1/init.mp4", 307),
        ("/remux/v240.m3u8", 404),
        ("/remux/source-iframes.m3u8", 404),
        ("/event/source.m3u8", 404),
        ("/event/source-iframes.m3u8", 404),
    ] {
        let path = master.replace("/remux/master.m3u8", file);
        assert_eq!(get(&stack, &path).await.status(), status, "{file}");
    }

    // The ladder begins, and its window does not know the copy; the copy has more, so it stays.
    assert!(!segment(&stack, video, "v240", 0, 4).await);
    assert_eq!(view(&stack, &ann, video).await["hls_url"], master.as_str());
    let mut conn = stack.db.acquire().await.unwrap();
    let window = videos::window(&mut *conn, video, 1).await.unwrap();
    assert_eq!((window.seconds, window.segments.len()), (4.0, 2));
    let done = videos::segments_of_chunk(&mut *conn, video, 1, 0, 2)
        .await
        .unwrap();
    assert_eq!(
        done.into_iter().collect::<Vec<_>>(),
        [("v240".to_owned(), 1)]
    );

    // All of the copy is there, and then all of the sound: only then do the lists end.
    assert!(!segment(&stack, video, "source", 1, 10).await);
    videos::set_measured(&mut *conn, video, 1, "source", 1_000, 900)
        .await
        .unwrap();
    for n in 1..5 {
        let list = grown(&stack, &picture, n).await;
        assert!(!list.contains("#EXT-X-ENDLIST"), "{list}");
        segment(&stack, video, "audio", n, 4).await;
    }
    let ended = async {
        while !text(&stack, &picture)
            .await
            .ends_with("1.m4s\n#EXT-X-ENDLIST\n")
        {}
        while !text(&stack, &sound)
            .await
            .ends_with("4.m4s\n#EXT-X-ENDLIST\n")
        {}
    };
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .unwrap();

    // Who comes when it is ready gets the ladder; who watches the copy goes on.
    make_ready(&stack, video).await;
    let vod = view(&stack, &ann, video).await["hls_url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(vod.ends_with("/vod/master.m3u8"), "{vod}");
    let list = text(&stack, &vod).await;
    assert!(
        list.contains("v240.m3u8") && !list.contains("source"),
        "{list}"
    );
    assert_eq!(
        get(&stack, &vod.replace("master", "source")).await.status(),
        404
    );
    assert_eq!(get(&stack, &master).await.status(), 200);

    // Copies of videos that have been ready for a while are found, and what is dropped is gone.
    let day = Duration::from_secs(86_400);
    assert_eq!(
        videos::with_old_copies(&mut *conn, day, 10).await.unwrap(),
        []
    );
    sqlx::query("update videos set published_at = now() - interval '25 hours' where id = $1")
        .bind(video.0)
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(
        videos::with_old_copies(&mut *conn, day, 10).await.unwrap(),
        [video]
    );
    videos::drop_copies(&mut conn, video, 1).await.unwrap();
    assert_eq!(
        videos::with_old_copies(&mut *conn, day, 10).await.unwrap(),
        []
    );
    let left = videos::segments(&mut *conn, video, 1, "source")
        .await
        .unwrap();
    assert_eq!(left, []);
    drop(conn);
    stack.stop().await;
}

#[tokio::test]
async fn half_a_copy_that_is_given_up_leaves_the_ladder() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    for ladder in [false, true] {
        let video = probed(&stack, &ann, Visibility::Public).await;
        begin_source(&stack, video).await;
        segment(&stack, video, "audio", 0, 4).await;
        assert!(segment(&stack, video, "source", 0, 10).await);
        if ladder {
            segment(&stack, video, "v240", 0, 4).await;
        }
        let mut conn = stack.db.acquire().await.unwrap();
        videos::drop_copies(&mut conn, video, 1).await.unwrap();
        let now = view(&stack, &ann, video).await;
        if ladder {
            let hls = now["hls_url"].as_str().unwrap();
            assert!(hls.ends_with("/event/master.m3u8"), "{hls}");
        } else {
            assert_eq!(now["hls_url"], Value::Null);
            assert_eq!(now["playable"], false);
            // And it plays once the ladder begins.
            drop(conn);
            assert!(segment(&stack, video, "v240", 0, 4).await);
            assert_eq!(view(&stack, &ann, video).await["playable"], true);
        }
    }
    stack.stop().await;
}

/// The playlist once the copy's second segment and `sound` segments of sound are known to it.
async fn grown(stack: &Stack, path: &str, sound: i32) -> String {
    // The second segment begins at ten seconds: three of sound reach that far.
    let expected = 1 + usize::from(sound >= 3);
    let grown = async {
        loop {
            let list = text(stack, path).await;
            if list.matches("#EXTINF").count() == expected {
                return list;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), grown)
        .await
        .unwrap()
}

#[tokio::test]
async fn first_segments_at_once_do_not_wait_for_each_other_forever() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = probed(&stack, &ann, Visibility::Public).await;
    let (mut picture, mut sound) = (
        stack.db.begin().await.unwrap(),
        stack.db.begin().await.unwrap(),
    );
    for (tx, rendition) in [(&mut picture, "v240"), (&mut sound, "audio")] {
        let new = new_segment(video, rendition, 0, 4);
        assert!(videos::insert_segment(tx, &new).await.unwrap());
    }
    // Both have a row that refers to the video, and now each looks at it alone.
    let marked = async |mut tx: sqlx::PgTransaction<'static>| {
        Video::lock(&mut tx, video).await.unwrap();
        let marked = videos::mark_playable(&mut *tx, video, 1).await.unwrap();
        tx.commit().await.unwrap();
        marked
    };
    let (one, other) = tokio::join!(marked(picture), marked(sound));
    assert!(one ^ other, "the second of them sees both");
}
