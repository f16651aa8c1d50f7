//! Videos that go with one, and the page that may be framed.

use reqwest::Method;
use serde_json::json;

use crate::stack::{Stack, answer};

async fn related(stack: &Stack, id: &str) -> Vec<String> {
    let request = stack.request(Method::GET, &format!("/api/videos/{id}/related"));
    let (status, videos) = answer(request).await;
    assert_eq!(status, 200, "{videos}");
    let videos = videos.as_array().unwrap().iter();
    videos
        .map(|video| video["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn related_videos_share_a_creator_or_words_and_hide_what_is_hidden() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let title = |words: &str| json!({ "title": words });
    let mut ids = Vec::new();
    for (owner, words) in [
        (&ann, "It's 50% \\ a water mill"),
        (&bob, "Building a water mill"),
        (&bob, "台北老街的水車"),
        (&bob, "Cats"),
        (&ann, "Dogs"),
        (&bob, "The old water mill, hidden"),
    ] {
        let id = stack.listed(owner, 60.0).await;
        stack
            .patch_as(owner, &format!("/api/videos/{id}"), title(words))
            .await;
        ids.push(id);
    }
    stack
        .patch_as(
            &bob,
            &format!("/api/videos/{}", ids[5]),
            json!({"visibility": "unlisted"}),
        )
        .await;
    let found = related(&stack, &ids[0].to_string()).await;
    assert_eq!(found.len(), 4, "{found:?}");
    // The same words and the same creator; the others fill up.
    let mut near = found[..2].to_vec();
    near.sort();
    assert_eq!(near, [ids[1].to_string(), ids[4].to_string()]);
    // Parts of a title without spaces.
    let eve = stack.person("eve").await;
    let alike = stack.listed(&eve, 60.0).await.to_string();
    stack
        .patch_as(&eve, &format!("/api/videos/{alike}"), title("老街的水車"))
        .await;
    assert_eq!(related(&stack, &alike).await[0], ids[2].to_string());
    stack
        .patch_as(
            &ann,
            &format!("/api/videos/{}", ids[0]),
            json!({"visibility": "private"}),
        )
        .await;
    let path = format!("/api/videos/{}/related", ids[0]);
    assert_eq!(stack.get_as(&bob, &path).await.0, 404);
    stack.stop().await;
}

#[tokio::test]
async fn the_embed_page_alone_may_be_framed() {
    let stack = Stack::start().await;
    let id = uuid::Uuid::now_v7();
    for (path, framed) in [
        (format!("/embed/{id}"), true),
        (format!("/embed/{id}?t=5"), true),
        (format!("/embed/{id}/"), false),
        ("/embed/..%2Flogin".to_owned(), false),
        ("/embed/".to_owned(), false),
        (format!("/videos/{id}"), false),
        ("/".to_owned(), false),
        (format!("/api/videos/{id}"), false),
    ] {
        let answer = stack.request(Method::GET, &path).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert_eq!(
            policy.contains("frame-ancestors *"),
            framed,
            "{path}: {policy}"
        );
        assert_eq!(policy.contains("frame-ancestors 'none'"), !framed, "{path}");
        assert_eq!(
            answer.headers().contains_key("x-frame-options"),
            !framed,
            "{path}"
        );
    }
    stack.stop().await;
}
