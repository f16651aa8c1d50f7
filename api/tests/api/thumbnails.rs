//! Pictures that may stand for a video, and the pictures of the seek bar.

use millrace_domain::{
    ids::{ThumbnailId, VideoId},
    media::Layout,
    videos::{self, StoredBoard, Thumbnail, Visibility},
};
use reqwest::Method;
use serde_json::json;

use crate::{
    captions::call,
    playback::{get, header, playable, show},
    stack::Stack,
};

async fn with_board(stack: &Stack, video: VideoId) {
    let board = StoredBoard {
        layout: Layout::new(1920, 1080, 40.0),
        sheets: (0..2)
            .map(|n| format!("images/{video}/1/board-1-{n}.jpg"))
            .collect(),
    };
    assert!(
        videos::save_board(&stack.db, video, 1, &board)
            .await
            .unwrap()
    );
    assert!(
        !videos::save_board(&stack.db, video, 1, &board)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_storyboard_is_for_whom_the_video_is_for() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    let extras = format!("/api/videos/{video}/extras");
    assert_eq!(
        stack.get_as(&ann, &extras).await.1["storyboard_url"],
        json!(null)
    );
    with_board(&stack, video).await;
    let url = stack.get_as(&ann, &extras).await.1["storyboard_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let list = get(&stack, &url).await;
    assert_eq!(header(&list, "content-type"), "text/vtt; charset=utf-8");
    let text = list.text().await.unwrap();
    assert!(
        text.contains("00:00:25.000 --> 00:00:26.000\nboard/1.jpg#xywh=0,0,160,90\n"),
        "{text}"
    );
    let base = url.strip_suffix("storyboard.vtt").unwrap();
    let sheet = get(&stack, &format!("{base}board/1.jpg")).await;
    assert_eq!(sheet.status(), 307);
    assert!(header(&sheet, "location").contains(&format!("/images/{video}/1/board-1-1.jpg?")));
    for file in ["2.jpg", "x.jpg", "1.png", "-1.jpg"] {
        assert_eq!(
            get(&stack, &format!("{base}board/{file}")).await.status(),
            404,
            "{file}"
        );
    }
    show(&stack, &ann, video, "private").await;
    assert_eq!(get(&stack, &url).await.status(), 404);
    assert_eq!(
        get(&stack, &format!("{base}board/1.jpg")).await.status(),
        404
    );
    stack.stop().await;
}

#[tokio::test]
async fn an_owner_chooses_the_poster() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    let (id, key) = (
        ThumbnailId::new(),
        format!("images/{video}/1/found-1-0.jpg"),
    );
    Thumbnail::found(&stack.db, id, video, 1, &key)
        .await
        .unwrap();
    let path = format!("/api/videos/{video}/thumbnails");
    assert_eq!(stack.get_as(&bob, &path).await.0, 404);
    let choose = format!("{path}/{id}/choose");
    assert_eq!(stack.post_as(&bob, &choose, json!({})).await.0, 404);
    let (status, list) = stack.post_as(&ann, &choose, json!({})).await;
    assert_eq!(
        (status.as_u16(), &list["items"][0]["chosen"]),
        (200, &json!(true))
    );
    // The pipeline does not take the choice back.
    videos::Video::set_poster(&stack.db, video, 1, "images/x.jpg")
        .await
        .unwrap();
    let (_, body) = stack.get_as(&ann, &format!("/api/videos/{video}")).await;
    let poster = get(&stack, body["poster_url"].as_str().unwrap()).await;
    assert!(header(&poster, "location").contains(&key));
    // What was found cannot be deleted.
    assert_eq!(
        call(
            &stack,
            &ann,
            Method::DELETE,
            &format!("{path}/{id}"),
            json!({})
        )
        .await
        .0,
        404
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_picture_of_ones_own_is_begun_once_and_taken_once() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    let path = format!("/api/videos/{video}/thumbnails");
    let wish = json!({"content_type": "image/png", "size": 1000});
    for wrong in [
        json!({"content_type": "image/svg+xml", "size": 1}),
        json!({"content_type": "image/png", "size": 9_000_000}),
    ] {
        let (status, problem) = stack.post_as(&ann, &path, wrong).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("validation"))
        );
    }
    assert_eq!(stack.post_as(&bob, &path, wish.clone()).await.0, 404);
    let (status, target) = stack.post_as(&ann, &path, wish.clone()).await;
    assert_eq!(status, 201, "{target}");
    assert_eq!(target["headers"]["content-type"], "image/png");
    let one = format!("{path}/{}", target["id"].as_str().unwrap());
    assert_eq!(
        stack
            .post_as(&bob, &format!("{one}/complete"), json!({}))
            .await
            .0,
        404
    );
    for _ in 0..2 {
        let (status, list) = stack
            .post_as(&ann, &format!("{one}/complete"), json!({}))
            .await;
        assert_eq!(
            (status.as_u16(), &list["items"][0]["status"]),
            (202, &json!("processing"))
        );
    }
    let jobs: i64 = sqlx::query_scalar("select count(*) from queue.job where kind = 'thumbnail'")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(jobs, 1);
    for _ in 0..9 {
        assert_eq!(stack.post_as(&ann, &path, wish.clone()).await.0, 201);
    }
    let (status, problem) = stack.post_as(&ann, &path, wish).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("too_many_thumbnails"))
    );
    assert_eq!(
        call(&stack, &bob, Method::DELETE, &one, json!({})).await.0,
        404
    );
    assert_eq!(
        call(&stack, &ann, Method::DELETE, &one, json!({})).await.0,
        204
    );
    let doomed: i64 = sqlx::query_scalar("select count(*) from doomed_objects")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(doomed, 1);
    stack.stop().await;
}
