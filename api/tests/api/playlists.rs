//! Playlists, and what to watch later.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Person, Stack, answer};

async fn list(stack: &Stack, person: &Person, visibility: &str) -> String {
    let body = json!({"title": " Walks ", "visibility": visibility});
    let (status, made) = stack.post_as(person, "/api/playlists", body).await;
    assert_eq!(
        (status.as_u16(), &made["title"]),
        (201, &json!("Walks")),
        "{made}"
    );
    format!("/api/playlists/{}", made["id"].as_str().unwrap())
}

async fn order(stack: &Stack, person: Option<&Person>, list: &str) -> Vec<String> {
    stack.ids_of(person, &format!("{list}/items")).await
}

#[tokio::test]
async fn items_are_added_once_moved_and_taken_out() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(stack.listed(&bob, 60.0).await.to_string());
    }
    let path = list(&stack, &ann, "public").await;
    for id in ids.iter().chain(&ids) {
        assert_eq!(
            stack
                .put_as(&ann, &format!("{path}/items/{id}"), json!({}))
                .await
                .0,
            204
        );
    }
    let at = |order: &[usize]| -> Vec<String> { order.iter().map(|n| ids[*n].clone()).collect() };
    assert_eq!(order(&stack, None, &path).await, at(&[0, 1, 2, 3]));
    for (moved, before, expected) in [
        (3, Some(0), [3, 0, 1, 2]),
        (3, Some(2), [0, 1, 3, 2]),
        (0, None, [1, 3, 2, 0]),
        (2, Some(2), [1, 3, 2, 0]),
        (0, Some(3), [1, 0, 3, 2]),
    ] {
        let body = json!({"before": before.map(|n: usize| &ids[n])});
        let moving = format!("{path}/items/{}/move", ids[moved]);
        assert_eq!(stack.post_as(&ann, &moving, body).await.0, 204);
        assert_eq!(
            order(&stack, None, &path).await,
            at(&expected),
            "{moved} {before:?}"
        );
    }
    // A video that is deleted leaves no gap that anybody notices.
    stack
        .delete_as(&bob, &format!("/api/videos/{}", ids[0]))
        .await;
    let body = json!({"before": ids[1]});
    stack
        .post_as(&ann, &format!("{path}/items/{}/move", ids[2]), body)
        .await;
    assert_eq!(order(&stack, None, &path).await, at(&[2, 1, 3]));
    for _ in 0..2 {
        assert_eq!(
            stack
                .delete_as(&ann, &format!("{path}/items/{}", ids[1]))
                .await
                .0,
            204
        );
    }
    assert_eq!(order(&stack, None, &path).await, at(&[2, 3]));
    let gone = json!({"before": ids[1]});
    assert_eq!(
        stack
            .post_as(&ann, &format!("{path}/items/{}/move", ids[2]), gone)
            .await
            .0,
        409
    );
    let (_, state) = stack.get_as(&ann, &path).await;
    assert_eq!(state["items"], 2, "{state}");
    stack.stop().await;
}

#[tokio::test]
async fn a_list_is_its_owners_to_change_and_shows_no_hidden_video() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let (seen, hidden) = (
        stack.listed(&bob, 60.0).await,
        stack.listed(&bob, 60.0).await,
    );
    let public = list(&stack, &ann, "public").await;
    let private = list(&stack, &ann, "private").await;
    for id in [seen, hidden] {
        stack
            .put_as(&ann, &format!("{public}/items/{id}"), json!({}))
            .await;
    }
    stack
        .patch_as(
            &bob,
            &format!("/api/videos/{hidden}"),
            json!({"visibility": "private"}),
        )
        .await;
    assert_eq!(order(&stack, None, &public).await, [seen.to_string()]);
    let (_, own) = stack.get_as(&ann, &format!("{public}/items")).await;
    assert_eq!(
        (
            own["items"].as_array().unwrap().len(),
            &own["items"][1]["video"]
        ),
        (2, &Value::Null)
    );
    assert_eq!(
        stack
            .put_as(&ann, &format!("{private}/items/{hidden}"), json!({}))
            .await
            .0,
        404
    );

    let (_, channel) = answer(stack.request(Method::GET, "/api/channels/ann/playlists")).await;
    assert_eq!(channel["items"].as_array().unwrap().len(), 1, "{channel}");
    assert_eq!(stack.get_as(&bob, &private).await.0, 404);
    assert_eq!(stack.get_as(&bob, &format!("{private}/items")).await.0, 404);
    for (method, path, body) in [
        (Method::PATCH, public.clone(), json!({"title": "Mine"})),
        (Method::DELETE, public.clone(), json!({})),
        (Method::PUT, format!("{public}/items/{seen}"), json!({})),
        (Method::DELETE, format!("{public}/items/{seen}"), json!({})),
        (
            Method::POST,
            format!("{public}/items/{seen}/move"),
            json!({}),
        ),
    ] {
        let request = stack.request(method.clone(), &path).json(&body);
        assert_eq!(
            answer(request.bearer_auth(&bob.token)).await.0,
            404,
            "{method} {path}"
        );
        let request = stack.request(method.clone(), &path).json(&body);
        assert_eq!(answer(request).await.0, 401, "{method} {path}");
    }
    let (_, renamed) = stack
        .patch_as(
            &ann,
            &public,
            json!({"title": "Best", "visibility": "unlisted"}),
        )
        .await;
    assert_eq!(
        (&renamed["title"], &renamed["visibility"]),
        (&json!("Best"), &json!("unlisted"))
    );
    assert_eq!(
        stack.patch_as(&ann, &public, json!({"title": ""})).await.0,
        422
    );
    assert_eq!(stack.delete_as(&ann, &public).await.0, 204);
    assert_eq!(stack.get_as(&ann, &public).await.0, 404);
    stack.stop().await;
}

#[tokio::test]
async fn what_to_watch_later_is_one_private_list_that_stays() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = stack.listed(&bob, 60.0).await;
    let path = format!("/api/me/watch-later/{id}");
    for _ in 0..2 {
        assert_eq!(stack.put_as(&ann, &path, json!({})).await.0, 204);
    }
    let (_, state) = stack
        .get_as(&ann, &format!("/api/videos/{id}/viewer"))
        .await;
    assert_eq!(state["watch_later"], true, "{state}");
    let (_, lists) = stack
        .get_as(&ann, &format!("/api/me/playlists?video={id}"))
        .await;
    let later = &lists["items"][0];
    assert_eq!(
        (
            &later["watch_later"],
            &later["items"],
            &later["has_video"],
            &later["visibility"]
        ),
        (&json!(true), &json!(1), &json!(true), &json!("private"))
    );
    let list = format!("/api/playlists/{}", later["id"].as_str().unwrap());
    assert_eq!(
        stack
            .patch_as(&ann, &list, json!({"visibility": "public"}))
            .await
            .0,
        404
    );
    assert_eq!(stack.delete_as(&ann, &list).await.0, 404);
    assert_eq!(stack.get_as(&bob, &list).await.0, 404);
    assert_eq!(order(&stack, Some(&ann), &list).await, [id.to_string()]);
    assert_eq!(stack.delete_as(&ann, &path).await.0, 204);
    assert_eq!(order(&stack, Some(&ann), &list).await, Vec::<String>::new());
    let hidden = stack
        .video(&bob, millrace_domain::videos::Visibility::Private)
        .await;
    assert_eq!(
        stack
            .put_as(&ann, &format!("/api/me/watch-later/{hidden}"), json!({}))
            .await
            .0,
        404
    );
    stack.stop().await;
}
