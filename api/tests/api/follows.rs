//! Channels, following, the feed.

use millrace_domain::videos::Visibility;
use reqwest::Method;
use serde_json::json;

use crate::stack::{Stack, answer};

#[tokio::test]
async fn a_channel_shows_what_everybody_may_find_and_who_follows() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("Bob").await);
    let mut public = Vec::new();
    for _ in 0..5 {
        public.push(stack.listed(&ann, 60.0).await.to_string());
    }
    stack.video(&ann, Visibility::Private).await;
    stack.video(&ann, Visibility::Public).await; // Not playable yet.

    let (_, channel) = answer(stack.request(Method::GET, "/api/channels/ANN")).await;
    assert_eq!(channel["username"], "ann", "{channel}");
    assert_eq!(
        (
            &channel["videos"],
            &channel["followers"],
            &channel["following"]
        ),
        (&json!(5), &json!(0), &json!(false))
    );
    let (status, state) = stack
        .put_as(&bob, "/api/channels/ann/follow", json!({}))
        .await;
    assert_eq!(
        (status.as_u16(), &state["followers"]),
        (200, &json!(1)),
        "{state}"
    );
    let (_, state) = stack
        .put_as(&bob, "/api/channels/ann/follow", json!({}))
        .await;
    assert_eq!(
        (&state["following"], &state["followers"]),
        (&json!(true), &json!(1))
    );
    let (_, channel) = stack.get_as(&bob, "/api/channels/ann").await;
    assert_eq!(
        (&channel["following"], &channel["followers"]),
        (&json!(true), &json!(1))
    );
    let (_, page) = stack.get_as(&bob, "/api/me/following").await;
    assert_eq!(page["items"][0]["username"], "ann", "{page}");

    let oldest = stack
        .ids_of(None, "/api/channels/ann/videos?sort=old")
        .await;
    assert_eq!(oldest, public);
    public.reverse();
    assert_eq!(stack.ids_of(None, "/api/channels/ann/videos").await, public);
    assert_eq!(stack.ids_of(Some(&bob), "/api/me/feed").await, public);
    sqlx::query("update videos set views = 7 where id = $1::uuid")
        .bind(&public[3])
        .execute(&stack.db)
        .await
        .unwrap();
    let popular = stack
        .ids_of(None, "/api/channels/ann/videos?sort=popular")
        .await;
    assert_eq!((popular.len(), &popular[0]), (5, &public[3]));

    let (_, state) = stack.delete_as(&bob, "/api/channels/ann/follow").await;
    assert_eq!(
        (&state["following"], &state["followers"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(
        stack.ids_of(Some(&bob), "/api/me/feed").await,
        Vec::<String>::new()
    );
    stack.stop().await;
}

#[tokio::test]
async fn the_feed_is_that_of_the_followed_while_videos_come() {
    let stack = Stack::start().await;
    let (ann, bob, eve, dan) = (
        stack.person("ann").await,
        stack.person("bob").await,
        stack.person("eve").await,
        stack.person("dan").await,
    );
    for name in ["ann", "bob"] {
        stack
            .put_as(&dan, &format!("/api/channels/{name}/follow"), json!({}))
            .await;
    }
    let mut expected = Vec::new();
    for round in 0..6 {
        let owner = [&ann, &eve, &bob][round % 3];
        let id = stack.listed(owner, 60.0).await.to_string();
        if owner.id != eve.id {
            expected.push(id);
        }
    }
    expected.reverse();
    let (_, first) = stack.get_as(&dan, "/api/me/feed?limit=2").await;
    // One that comes now belongs before the first page, and moves nothing of the second.
    stack.listed(&ann, 60.0).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = stack
        .get_as(&dan, &format!("/api/me/feed?limit=2&cursor={cursor}"))
        .await;
    let ids: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|video| video["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, expected);
    assert!(second["next_cursor"].is_null(), "{second}");
    stack.stop().await;
}

#[tokio::test]
async fn nobody_follows_themselves_a_stranger_or_without_an_account() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let (status, problem) = stack
        .put_as(&ann, "/api/channels/ann/follow", json!({}))
        .await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("own_channel"))
    );
    for name in ["nobody", "%00", &"x".repeat(51)] {
        let path = format!("/api/channels/{name}");
        assert_eq!(stack.get_as(&ann, &path).await.0, 404, "{path}");
        assert_eq!(
            stack
                .put_as(&ann, &format!("{path}/follow"), json!({}))
                .await
                .0,
            404
        );
    }
    let request = stack.request(Method::PUT, "/api/channels/ann/follow");
    assert_eq!(answer(request).await.0, 401);
    for path in ["/api/me/feed", "/api/me/following"] {
        assert_eq!(answer(stack.request(Method::GET, path)).await.0, 401);
        assert_eq!(stack.get_as(&ann, &format!("{path}?limit=0")).await.0, 400);
        assert_eq!(
            stack
                .get_as(&ann, &format!("{path}?cursor=nonsense"))
                .await
                .0,
            200
        );
    }
    // Who was shut out has no channel any more, and cannot be followed.
    sqlx::query("update users set is_active = false where id = $1")
        .bind(bob.id.0)
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(stack.get_as(&ann, "/api/channels/bob").await.0, 404);
    assert_eq!(
        stack
            .put_as(&ann, "/api/channels/bob/follow", json!({}))
            .await
            .0,
        404
    );
    stack.stop().await;
}
