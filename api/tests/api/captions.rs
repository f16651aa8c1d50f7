//! Captions and chapters: uploaded, refused with the line, served to whom may watch.

use millrace_domain::{ids::VideoId, videos::Visibility};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    playback::{get, header, playable, show},
    stack::{Person, Stack, answer},
};

const VTT: &str = "WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n";

pub(crate) async fn call(
    stack: &Stack,
    person: &Person,
    method: Method,
    path: &str,
    body: Value,
) -> (StatusCode, Value) {
    answer(
        stack
            .request(method, path)
            .bearer_auth(&person.token)
            .json(&body),
    )
    .await
}

async fn put(
    stack: &Stack,
    person: &Person,
    video: VideoId,
    language: &str,
    text: &str,
) -> (StatusCode, Value) {
    let path = format!("/api/videos/{video}/captions/{language}");
    call(stack, person, Method::PUT, &path, json!({ "text": text })).await
}

#[tokio::test]
async fn captions_are_uploaded_renamed_and_deleted() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    let srt = "1\n00:00:01,000 --> 00:00:02,000\n你好\n";
    let (status, extras) = put(&stack, &ann, video, "zh-tw", srt).await;
    assert_eq!(status, 200, "{extras}");
    let (_, extras) = put(&stack, &ann, video, "en", VTT).await;
    let languages = |extras: &Value| -> Vec<(String, bool)> {
        let tracks = extras["captions"].as_array().unwrap().iter();
        tracks
            .map(|t| {
                (
                    t["language"].as_str().unwrap().to_owned(),
                    t["is_default"].as_bool().unwrap(),
                )
            })
            .collect()
    };
    assert_eq!(
        languages(&extras),
        [("zh-TW".to_owned(), true), ("en".to_owned(), false)]
    );

    let text = get(&stack, extras["captions"][0]["url"].as_str().unwrap()).await;
    assert_eq!(header(&text, "content-type"), "text/vtt; charset=utf-8");
    assert_eq!(header(&text, "cache-control"), "no-cache");
    let tag = header(&text, "etag").to_owned();
    let body = text.text().await.unwrap();
    assert_eq!(body, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n你好\n");
    let again = stack
        .request(Method::GET, extras["captions"][0]["url"].as_str().unwrap())
        .header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), 304);

    let path = format!("/api/videos/{video}/captions/en");
    let change = json!({"label": "English (signs)", "is_default": true});
    let (status, extras) = call(&stack, &ann, Method::PATCH, &path, change).await;
    assert_eq!(status, 200);
    assert_eq!(
        languages(&extras),
        [("en".to_owned(), true), ("zh-TW".to_owned(), false)]
    );
    assert_eq!(extras["captions"][0]["label"], "English (signs)");
    let (status, _) = call(&stack, &ann, Method::DELETE, &path, json!({})).await;
    assert_eq!(status, 204);
    let (status, _) = call(&stack, &ann, Method::DELETE, &path, json!({})).await;
    assert_eq!(status, 404);
    stack.stop().await;
}

#[tokio::test]
async fn a_wrong_file_is_refused_with_its_line() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    let bad = "WEBVTT\n\n00:05.000 --> 00:01.000\nx";
    let (status, problem) = put(&stack, &ann, video, "en", bad).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("captions_invalid"))
    );
    assert_eq!(
        problem["errors"][0]["message"],
        "line 3: it ends before it begins"
    );
    let (status, problem) = put(&stack, &ann, video, "english", VTT).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("validation"))
    );
    let (status, _) = put(&stack, &ann, video, "en", &"x".repeat(5 * 1024 * 1024)).await;
    assert_eq!(status, 413);
    for n in 0..50 {
        let language = format!("{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26));
        assert_eq!(put(&stack, &ann, video, &language, VTT).await.0, 200);
    }
    let (status, problem) = put(&stack, &ann, video, "zz", VTT).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("too_many_captions"))
    );
    assert_eq!(
        put(&stack, &ann, video, "aa", VTT).await.0,
        200,
        "one that is there may be replaced"
    );
    stack.stop().await;
}

#[tokio::test]
async fn captions_are_for_whom_the_video_is_for() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    assert_eq!(put(&stack, &bob, video, "en", VTT).await.0, 404);
    let (_, extras) = put(&stack, &ann, video, "en", VTT).await;
    let open = extras["captions"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(get(&stack, &open).await.status(), 200);
    show(&stack, &ann, video, "private").await;
    assert_eq!(get(&stack, &open).await.status(), 404);
    let path = format!("/api/videos/{video}/extras");
    assert_eq!(stack.get_as(&bob, &path).await.0, 404);
    let (_, extras) = stack.get_as(&ann, &path).await;
    let own = get(&stack, extras["captions"][0]["url"].as_str().unwrap()).await;
    assert_eq!(
        (own.status().as_u16(), header(&own, "cache-control")),
        (200, "private, no-store")
    );
    for (method, body) in [
        (Method::PATCH, json!({"label": "x"})),
        (Method::DELETE, json!({})),
    ] {
        let path = format!("/api/videos/{video}/captions/en");
        assert_eq!(call(&stack, &bob, method, &path, body).await.0, 404);
    }
    stack.stop().await;
}

#[tokio::test]
async fn chapters_are_told_by_the_description_until_they_are_listed() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = playable(&stack, &ann, Visibility::Public).await;
    sqlx::query("update videos set duration = 600, description = E'0:00 Start\n1:00 Middle\n5:00 End' where id = $1")
        .bind(video.0)
        .execute(&stack.db)
        .await
        .unwrap();
    let extras = format!("/api/videos/{video}/extras");
    let (_, told) = stack.get_as(&bob, &extras).await;
    assert_eq!(
        (&told["chapters_from"], &told["chapters"][1]),
        (
            &json!("description"),
            &json!({"start": 60, "title": "Middle"})
        )
    );

    let path = format!("/api/videos/{video}/chapters");
    let list = json!({"chapters": [{"start": 0, "title": "A"}, {"start": 30, "title": "B"}]});
    assert_eq!(
        call(&stack, &bob, Method::PUT, &path, list.clone()).await.0,
        404
    );
    let (status, listed) = call(&stack, &ann, Method::PUT, &path, list).await;
    assert_eq!(
        (status.as_u16(), &listed["chapters_from"]),
        (200, &json!("list"))
    );
    for (wrong, field) in [
        (json!([{"start": 5, "title": "A"}]), "chapters.0.start"),
        (
            json!([{"start": 0, "title": "A"}, {"start": 0, "title": "B"}]),
            "chapters.1.start",
        ),
        (json!([{"start": 0, "title": ""}]), "chapters.0.title"),
        (
            json!([{"start": 0, "title": "A"}, {"start": 600, "title": "B"}]),
            "chapters.1.start",
        ),
    ] {
        let (status, problem) =
            call(&stack, &ann, Method::PUT, &path, json!({"chapters": wrong})).await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["field"]),
            (422, &json!(field))
        );
    }
    let (_, again) = call(&stack, &ann, Method::PUT, &path, json!({"chapters": []})).await;
    assert_eq!(again["chapters_from"], "description");
    stack.stop().await;
}

#[tokio::test]
async fn tags_and_categories_are_made_alike_and_found() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = playable(&stack, &ann, Visibility::Public).await;
    let other = playable(&stack, &ann, Visibility::Public).await;
    let path = format!("/api/videos/{video}");
    let labels = json!({"tags": ["#Night  Market", "night market", "夜市"], "category": "travel"});
    let (status, changed) = call(&stack, &ann, Method::PATCH, &path, labels).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(changed["tags"], json!(["night market", "夜市"]));
    for (query, found) in [
        ("tag=%23Night%20market", 1),
        ("tag=nobody", 0),
        ("category=travel", 1),
        ("category=music", 0),
        ("tag=a,b", 0),
    ] {
        let list = get(&stack, &format!("/api/videos?{query}"))
            .await
            .json::<Value>()
            .await
            .unwrap();
        let ids: Vec<&str> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), found, "{query}");
        assert!(!ids.contains(&other.to_string().as_str()));
    }
    assert_eq!(
        get(&stack, "/api/videos?category=nonsense").await.status(),
        400
    );
    // What is left out stays, and null takes the category away.
    let (_, changed) = call(&stack, &ann, Method::PATCH, &path, json!({"title": "New"})).await;
    assert_eq!(
        (
            &changed["category"],
            changed["tags"].as_array().unwrap().len()
        ),
        (&json!("travel"), 2)
    );
    let (_, changed) = call(
        &stack,
        &ann,
        Method::PATCH,
        &path,
        json!({"category": null, "tags": []}),
    )
    .await;
    assert_eq!(
        (&changed["category"], &changed["tags"]),
        (&Value::Null, &json!([]))
    );
    let many: Vec<String> = (0..21).map(|n| format!("tag {n}")).collect();
    let (status, problem) = call(&stack, &ann, Method::PATCH, &path, json!({ "tags": many })).await;
    assert_eq!(
        (status.as_u16(), &problem["errors"][0]["field"]),
        (422, &json!("tags"))
    );
    stack.stop().await;
}
