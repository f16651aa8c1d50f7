//! Leaving, and taking one's data along: what happens at once, and what the jobs do.

use millrace_domain::{
    accounts::{Avatar, Export, Leftovers, User},
    videos::Visibility,
};
use serde_json::{Value, json};

use crate::{
    socket::Socket,
    stack::{PASSWORD, Person, Stack},
};

async fn leave(stack: &Stack, person: &Person, password: &str) -> u16 {
    let body = json!({"password": password});
    stack
        .post_as(person, "/api/me/delete", body)
        .await
        .0
        .as_u16()
}

async fn count(stack: &Stack, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement)
        .fetch_one(&stack.db)
        .await
        .unwrap()
}

#[tokio::test]
async fn who_leaves_is_out_at_once_and_a_job_does_the_rest() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let phone = stack.log_in("ann").await;
    let mut socket = Socket::signed_in(&stack, &phone).await;
    assert_eq!(leave(&stack, &ann, "wrong").await, 422);
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 200);
    assert_eq!(leave(&stack, &ann, PASSWORD).await, 202);
    assert_eq!(socket.closed().await, Some(4003));
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 401);
    let body = json!({"identifier": "ann", "password": PASSWORD});
    assert_eq!(stack.post("/api/auth/login", body).await.0, 403);
    let jobs = "select count(*) from queue.job where kind = 'delete_account'";
    assert_eq!(count(&stack, jobs).await, 1);
    // Asked again by whoever still could: nothing more.
    let mut tx = stack.db.begin().await.unwrap();
    let wake = millrace_jobs::flows::begin_farewell(&mut tx, ann.id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    drop(wake);
    assert_eq!(count(&stack, jobs).await, 1);
    stack.stop().await;
}

#[tokio::test]
async fn what_is_left_is_found_until_nothing_is() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    for _ in 0..60 {
        stack.video(&ann, Visibility::Public).await;
    }
    let others = stack.video(&bob, Visibility::Public).await;
    let file = json!({"filename": "walk.mp4", "size": 1_000, "content_type": "video/mp4"});
    assert_eq!(stack.post_as(&ann, "/api/uploads", file).await.0, 201);
    let mut conn = stack.db.acquire().await.unwrap();
    let mut rounds = 0;
    loop {
        let left = Leftovers::of(&mut conn, ann.id).await.unwrap();
        if left.is_empty() {
            break;
        }
        rounds += 1;
        assert!(!left.videos.contains(&others));
        for video in left.videos {
            let wake = millrace_jobs::flows::delete_video(&mut conn, video, ann.id)
                .await
                .unwrap();
            drop(wake);
        }
        for upload in left.uploads {
            let wake = millrace_jobs::flows::abort_upload(&mut conn, upload, ann.id, None)
                .await
                .unwrap();
            drop(wake);
        }
    }
    assert_eq!(rounds, 2);
    // Nobody who is not leaving is erased by this.
    assert!(
        User::lock_leaving(&mut conn, ann.id)
            .await
            .unwrap()
            .is_none()
    );
    User::begin_farewell(&mut *conn, ann.id).await.unwrap();
    let to = User::lock_leaving(&mut conn, ann.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((to.address.as_str(), to.user), ("ann@example.org", None));
    User::erase(&mut conn, ann.id).await.unwrap();
    drop(conn);
    assert!(User::find(&stack.db, ann.id).await.unwrap().is_none());
    for table in [
        "select count(*) from sessions s where not exists (select from users u where u.id = s.user_id)",
        "select count(*) from emails where recipient = 'ann@example.org'",
        "select count(*) from uploads u where u.filename = 'walk.mp4'",
    ] {
        assert_eq!(count(&stack, table).await, 0, "{table}");
    }
    assert_eq!(count(&stack, "select count(*) from videos").await, 1);
    assert_eq!(stack.get_as(&bob, "/api/me").await.0, 200);
    stack.stop().await;
}

#[tokio::test]
async fn who_paid_leaves_a_row_without_a_name() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    sqlx::query(
        "insert into payments (id, user_id, item_type, item_id, seller_id, title, amount, currency, share_bps, idempotency_key,
                provider, expires_at)
         values (gen_random_uuid(), $1, 'tip', gen_random_uuid(), gen_random_uuid(), 'bob', 100, 'TWD', 0, 'k', 'sandbox', now())",
    )
        .bind(ann.id.0)
        .execute(&stack.db)
        .await
        .unwrap();
    let mut conn = stack.db.acquire().await.unwrap();
    User::begin_farewell(&mut *conn, ann.id).await.unwrap();
    User::erase(&mut conn, ann.id).await.unwrap();
    drop(conn);
    let left = User::find(&stack.db, ann.id).await.unwrap().unwrap();
    assert!(left.username.starts_with("deleted-") && left.email.ends_with("@deleted.invalid"));
    assert!(!left.is_active);
    assert_eq!(count(&stack, "select count(*) from sessions").await, 0);
    // The name is free again.
    stack.person("ann").await;
    stack.stop().await;
}

#[tokio::test]
async fn a_copy_holds_what_is_theirs_and_no_secret() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    stack.video(&ann, Visibility::Private).await;
    stack.video(&bob, Visibility::Private).await;
    let (status, _) = stack.post_as(&ann, "/api/me/export", json!({})).await;
    assert_eq!(status, 202);
    let (status, problem) = stack.post_as(&ann, "/api/me/export", json!({})).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (409, Some("export_under_way"))
    );
    let mut tx = stack.db.begin().await.unwrap();
    let parts = Export::parts(&mut tx, ann.id).await.unwrap();
    tx.rollback().await.unwrap();
    let part = |name: &str| -> &Value { &parts.iter().find(|(part, _)| *part == name).unwrap().1 };
    assert_eq!(part("profile")[0]["username"], "ann");
    assert_eq!(part("videos").as_array().unwrap().len(), 1);
    assert_eq!(part("devices").as_array().unwrap().len(), 1);
    let text = format!("{parts:?}");
    assert!(!text.contains("argon2") && !text.contains("bob") && !text.contains("\"hash\""));
    stack.stop().await;
}

#[tokio::test]
async fn a_link_leads_to_the_newest_copy_as_long_as_it_is_kept() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let fetch = async |token: &str| {
        let path = format!("/api/export?token={token}");
        let response = stack
            .request(reqwest::Method::GET, &path)
            .send()
            .await
            .unwrap();
        let to = response
            .headers()
            .get("location")
            .map(|to| to.to_str().unwrap().to_owned());
        (response.status().as_u16(), to.unwrap_or_default())
    };
    let mut conn = stack.db.acquire().await.unwrap();
    let purpose = millrace_domain::accounts::Purpose::Export;
    let link = millrace_domain::accounts::Link::mint(&mut conn, ann.id, purpose, "ann@example.org");
    let token = link.await.unwrap();
    assert_eq!(fetch(&token).await.0, 404);
    let id = Export::begin(&mut *conn, ann.id).await.unwrap().unwrap();
    let key = format!("{}millrace-ann.zip", Export::folder(id));
    assert!(Export::finish(&mut *conn, id, &key, 10).await.unwrap());
    assert!(!Export::finish(&mut *conn, id, &key, 10).await.unwrap());
    for _ in 0..2 {
        let (status, to) = fetch(&token).await;
        assert!(
            status == 307 && to.contains("millrace-ann.zip"),
            "{status} {to}"
        );
    }
    for token in ["nonsense", ""] {
        assert_eq!(fetch(token).await.0, 404);
    }
    sqlx::query("update exports set expires_at = now()")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(fetch(&token).await.0, 404);
    drop(conn);
    stack.stop().await;
}

#[tokio::test]
async fn a_picture_that_was_overtaken_is_not_shown() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let mut conn = stack.db.acquire().await.unwrap();
    let first = Avatar::begin(&mut *conn, ann.id, "image/png", 10)
        .await
        .unwrap();
    let second = Avatar::begin(&mut *conn, ann.id, "image/png", 10)
        .await
        .unwrap();
    for id in [first, second] {
        assert!(Avatar::receive(&mut *conn, id).await.unwrap());
        assert!(!Avatar::receive(&mut *conn, id).await.unwrap());
    }
    // The one that was begun later is ready first.
    let gone = Avatar::show(&mut conn, ann.id, Some(second)).await.unwrap();
    assert_eq!(gone, [Avatar::folder(first)]);
    assert!(
        Avatar::show(&mut conn, ann.id, Some(first))
            .await
            .unwrap()
            .is_empty()
    );
    let (_, me) = stack.get_as(&ann, "/api/me").await;
    assert_eq!(me["avatar_url"], format!("/api/avatars/{second}/256"));
    drop(conn);
    stack.stop().await;
}
