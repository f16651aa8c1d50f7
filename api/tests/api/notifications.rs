//! What people are told of: lists, the bell, what was seen, and what they want to hear.

use millrace_domain::{
    email::Message,
    ids::{UserId, VideoId},
    notifications::{Kind, Notice},
    videos::{Visibility, topic_of_user},
};
use millrace_jobs::flows;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    socket::Socket,
    stack::{Person, Stack, answer},
};

/// Tells `user` of a video, `n` making it another news each time.
async fn tell(stack: &Stack, user: UserId, video: VideoId, n: usize) {
    let mut tx = stack.db.begin().await.unwrap();
    let notice = Notice::of_video(Kind::VideoReady, format!("video_ready:{video}:{n}"), video);
    let message = Message::VideoReady { video };
    let _found_by_the_position_check = flows::notify(&mut tx, user, &notice, &message)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn unread(stack: &Stack, person: &Person) -> (i64, bool) {
    let (status, body) = stack.get_as(person, "/api/notifications/unread").await;
    assert_eq!(status, 200, "{body}");
    (
        body["unread"].as_i64().unwrap(),
        body["more"].as_bool().unwrap(),
    )
}

async fn patch(stack: &Stack, person: &Person, path: &str, body: Value) -> (u16, Value) {
    let request = stack
        .request(Method::PATCH, path)
        .bearer_auth(&person.token)
        .json(&body);
    let (status, body) = answer(request).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn news_is_told_once_listed_by_pages_and_seen() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let video = stack.video(&ann, Visibility::Private).await;
    for n in 0..7 {
        tell(&stack, ann.id, video, n).await;
        tell(&stack, ann.id, video, n).await;
    }
    assert_eq!(unread(&stack, &ann).await, (7, false));
    assert_eq!(unread(&stack, &bob).await, (0, false));
    // One mail each, too.
    let mails: i64 =
        sqlx::query_scalar("select count(*) from emails where key like 'video_ready:%'")
            .fetch_one(&stack.db)
            .await
            .unwrap();
    assert_eq!(mails, 7);

    // Pages meet without a gap, though more comes meanwhile.
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/api/notifications?limit=3".to_owned();
    loop {
        let (status, page) = stack.get_as(&ann, &path).await;
        assert_eq!(status, 200, "{page}");
        for news in page["items"].as_array().unwrap() {
            assert_eq!(news["kind"], "video_ready");
            assert_eq!(
                (&news["video"]["title"], &news["read"]),
                (&json!("A walk"), &json!(false))
            );
            seen.push(news["id"].as_str().unwrap().to_owned());
        }
        tell(&stack, ann.id, video, 100 + seen.len()).await;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/notifications?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    assert!(
        seen.windows(2).all(|pair| pair[0] > pair[1]),
        "newest first"
    );

    // One, then all up to what was on the page: what came since stays new.
    let one = format!("/api/notifications/{}/read", seen[3]);
    for _again in 0..2 {
        let (status, _) = stack.post_as(&ann, &one, json!({})).await;
        assert_eq!(status, 204);
    }
    let (status, _) = stack.post_as(&bob, &one, json!({})).await;
    assert_eq!(status, 404, "others' news is not there");
    assert_eq!(unread(&stack, &ann).await.0, 9);
    let (status, _) = stack
        .post_as(&ann, "/api/notifications/read", json!({"up_to": seen[0]}))
        .await;
    assert_eq!(status, 204);
    assert_eq!(unread(&stack, &ann).await.0, 3);
    let (_, page) = stack.get_as(&ann, "/api/notifications?unread=true").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    stack
        .post_as(&ann, "/api/notifications/read", json!({}))
        .await;
    assert_eq!(unread(&stack, &ann).await, (0, false));
    stack.stop().await;
}

#[tokio::test]
async fn what_is_gone_or_hidden_has_no_name() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let hidden = stack.video(&ann, Visibility::Private).await;
    let gone = stack.video(&ann, Visibility::Public).await;
    tell(&stack, bob.id, hidden, 1).await;
    tell(&stack, bob.id, gone, 1).await;
    sqlx::query("delete from videos where id = $1")
        .bind(gone.0)
        .execute(&stack.db)
        .await
        .unwrap();
    let (_, page) = stack.get_as(&bob, "/api/notifications").await;
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|news| news["video"].is_null()), "{page}");
    stack.stop().await;
}

#[tokio::test]
async fn preferences_decide_what_is_told_and_how() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = stack.video(&ann, Visibility::Private).await;
    let (status, body) = stack.get_as(&ann, "/api/notifications/preferences").await;
    assert_eq!(status, 200);
    let kinds: Vec<&str> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["kind"].as_str().unwrap())
        .collect();
    // Whoever was judged hears of it in any case.
    let optional = Kind::ALL.into_iter().filter(|kind| kind.optional());
    assert_eq!(kinds, optional.map(Kind::word).collect::<Vec<_>>());

    let path = "/api/notifications/preferences/video_ready";
    let (status, body) = patch(&stack, &ann, path, json!({"web": false})).await;
    assert_eq!(
        (status, body),
        (
            200,
            json!({"kind": "video_ready", "web": false, "email": true})
        )
    );
    tell(&stack, ann.id, video, 1).await;
    assert_eq!(unread(&stack, &ann).await.0, 0);
    let (status, body) = patch(&stack, &ann, path, json!({"web": true, "email": false})).await;
    assert_eq!(
        (status, body),
        (
            200,
            json!({"kind": "video_ready", "web": true, "email": false})
        )
    );
    tell(&stack, ann.id, video, 2).await;
    assert_eq!(unread(&stack, &ann).await.0, 1);
    let mails: Vec<String> =
        sqlx::query_scalar("select key from emails where key like 'video_ready:%'")
            .fetch_all(&stack.db)
            .await
            .unwrap();
    assert_eq!(mails, [format!("video_ready:{video}:1")]);

    for kind in ["gossip", "moderation"] {
        let path = format!("/api/notifications/preferences/{kind}");
        let (status, _) = patch(&stack, &ann, &path, json!({"email": false})).await;
        assert_eq!(status, 404, "{kind}");
    }
    let (status, body) = patch(&stack, &ann, path, json!({"web": "maybe"})).await;
    assert_eq!(
        (status, body["errors"][0]["field"].as_str()),
        (422, Some("web"))
    );
    stack.stop().await;
}

#[tokio::test]
async fn open_pages_hear_of_news_and_of_what_was_seen_elsewhere() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = stack.video(&ann, Visibility::Private).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    socket.subscribe(&topic_of_user(ann.id)).await;
    tell(&stack, ann.id, video, 1).await;
    let event = socket.event().await;
    assert_eq!(event["data"]["type"], "notification");
    let path = format!(
        "/api/notifications/{}/read",
        event["data"]["id"].as_str().unwrap()
    );
    stack.post_as(&ann, &path, json!({})).await;
    assert_eq!(socket.event().await["data"]["type"], "notifications_read");
    assert_eq!(unread(&stack, &ann).await.0, 0);
    stack.stop().await;
}

#[tokio::test]
async fn nobody_is_told_of_what_they_did_themselves() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let video = stack.video(&ann, Visibility::Public).await;
    let notice = Notice {
        actor: Some(ann.id),
        ..Notice::of_video(Kind::Comment, "comment:1", video)
    };
    let message = Message::Comment {
        video,
        actor: ann.id,
    };
    let mut tx = stack.db.begin().await.unwrap();
    let _nothing = flows::notify(&mut tx, ann.id, &notice, &message)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(unread(&stack, &ann).await.0, 0);
    stack.stop().await;
}
