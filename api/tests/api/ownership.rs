//! What others' things look like: nothing.

use millrace_domain::videos::Visibility;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Person, Stack, answer};

async fn code(
    stack: &Stack,
    person: Option<&Person>,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> u16 {
    let mut request = stack.request(method, path);
    if let Some(person) = person {
        request = request.bearer_auth(&person.token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    answer(request).await.0.as_u16()
}

#[tokio::test]
async fn foreign_uploads_are_404_and_anonymous_ones_401() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let file = json!({"filename": "walk.mp4", "size": 1_000, "content_type": "video/mp4"});
    let (status, target) = stack.post_as(&ann, "/api/uploads", file).await;
    assert_eq!(
        (status.as_u16(), target["method"].as_str()),
        (201, Some("single")),
        "{target}"
    );
    assert_eq!(target["headers"]["if-none-match"], "*");
    let path = format!("/api/uploads/{}", target["upload_id"].as_str().unwrap());
    let (status, upload) = stack.get_as(&ann, &path).await;
    assert_eq!(
        (status.as_u16(), upload["status"].as_str()),
        (200, Some("pending"))
    );
    let calls = [
        (Method::GET, path.clone(), None),
        (Method::DELETE, path.clone(), None),
        (
            Method::POST,
            format!("{path}/parts"),
            Some(json!({"part_numbers": [1]})),
        ),
        (
            Method::POST,
            format!("{path}/complete"),
            Some(json!({"title": "x"})),
        ),
    ];
    for (method, path, body) in calls {
        assert_eq!(
            code(&stack, Some(&bob), method.clone(), &path, body.clone()).await,
            404,
            "{method} {path}"
        );
        assert_eq!(
            code(&stack, None, method.clone(), &path, body).await,
            401,
            "{method} {path}"
        );
    }
    // Its owner gives it up; it is over then.
    assert_eq!(
        code(&stack, Some(&ann), Method::DELETE, &path, None).await,
        204
    );
    assert_eq!(
        code(&stack, Some(&ann), Method::DELETE, &path, None).await,
        204
    );
    let complete = code(
        &stack,
        Some(&ann),
        Method::POST,
        &format!("{path}/complete"),
        Some(json!({"title": "x"})),
    )
    .await;
    assert_eq!(complete, 409);
    stack.stop().await;
}

#[tokio::test]
async fn a_private_video_is_its_owners_alone_and_nobody_else_changes_any() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    for (visibility, seen) in [
        (Visibility::Public, 200),
        (Visibility::Unlisted, 200),
        (Visibility::Private, 404),
    ] {
        let path = format!("/api/videos/{}", stack.video(&ann, visibility).await);
        assert_eq!(
            code(&stack, Some(&ann), Method::GET, &path, None).await,
            200
        );
        assert_eq!(
            code(&stack, Some(&bob), Method::GET, &path, None).await,
            seen
        );
        assert_eq!(code(&stack, None, Method::GET, &path, None).await, seen);
        let calls = [
            (Method::PATCH, path.clone(), Some(json!({"title": "mine"}))),
            (Method::DELETE, path.clone(), None),
            (Method::POST, format!("{path}/retry"), None),
            (Method::POST, format!("{path}/cancel"), None),
        ];
        for (method, path, body) in calls {
            assert_eq!(
                code(&stack, Some(&bob), method.clone(), &path, body.clone()).await,
                404,
                "{method} {path}"
            );
            assert_eq!(
                code(&stack, None, method.clone(), &path, body).await,
                401,
                "{method} {path}"
            );
        }
    }
    stack.stop().await;
}

#[tokio::test]
async fn the_owner_edits_cancels_and_deletes_and_lists_their_own() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Private).await;
    let path = format!("/api/videos/{id}");
    let request = stack.request(Method::PATCH, &path).bearer_auth(&ann.token);
    let (status, video) =
        answer(request.json(&json!({"title": " New ", "visibility": "public"}))).await;
    assert_eq!(
        (
            status.as_u16(),
            video["title"].as_str(),
            video["visibility"].as_str()
        ),
        (200, Some("New"), Some("public"))
    );
    assert_eq!(
        (video["stage"].as_str(), video["playable"].as_bool()),
        (Some("queued"), Some(false))
    );
    assert!(video["hls_url"].is_null());

    assert_eq!(
        stack
            .post_as(&ann, &format!("{path}/retry"), json!({}))
            .await
            .0,
        409
    );
    let (status, video) = stack
        .post_as(&ann, &format!("{path}/cancel"), json!({}))
        .await;
    assert_eq!(
        (status.as_u16(), video["error"]["code"].as_str()),
        (202, Some("cancelled")),
        "{video}"
    );
    assert_eq!(
        stack
            .post_as(&ann, &format!("{path}/cancel"), json!({}))
            .await
            .0,
        409
    );

    let (_, page) = stack
        .get_as(&ann, "/api/videos?owner=me&query=new&sort=title")
        .await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let (_, page) = answer(stack.request(Method::GET, "/api/videos")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 0);
    assert_eq!(
        code(&stack, None, Method::GET, "/api/videos?owner=me", None).await,
        401
    );

    assert_eq!(
        code(&stack, Some(&ann), Method::DELETE, &path, None).await,
        204
    );
    assert_eq!(
        code(&stack, Some(&ann), Method::GET, &path, None).await,
        404
    );
    stack.stop().await;
}
