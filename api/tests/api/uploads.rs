//! Uploads as far as they go without a store: quotas, fingerprints, names, and how they end.

use futures::future::join_all;
use millrace_domain::videos::Visibility;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Person, Stack, answer};

/// Small files, so that no store is asked.
const QUOTA: &str = "[uploads]\nquota = 10000";

async fn begin(stack: &Stack, person: &Person, size: u64) -> (u16, Value) {
    let file = json!({"filename": "walk.mp4", "size": size, "content_type": "video/mp4"});
    let (status, body) = stack.post_as(person, "/api/uploads", file).await;
    (status.as_u16(), body)
}

async fn storage(stack: &Stack, person: &Person) -> Value {
    stack.get_as(person, "/api/me/storage").await.1
}

async fn delete(stack: &Stack, person: &Person, path: String) -> u16 {
    let request = stack
        .request(Method::DELETE, &path)
        .bearer_auth(&person.token);
    answer(request).await.0.as_u16()
}

#[tokio::test]
async fn what_is_begun_is_reserved_and_what_ends_is_free_again() {
    let stack = Stack::start_with(QUOTA).await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let empty = json!({"used": 0, "reserved": 0, "quota": 10_000, "videos": 0, "uploads": 0});
    assert_eq!(storage(&stack, &ann).await, empty);

    let (_, first) = begin(&stack, &ann, 6_000).await;
    let (status, over) = begin(&stack, &ann, 4_001).await;
    assert_eq!((status, &over["code"]), (422, &json!("quota_exceeded")));
    let full = json!({"used": 0, "reserved": 6_000, "quota": 10_000, "videos": 0, "uploads": 1});
    assert_eq!(
        (&over["storage"], &storage(&stack, &ann).await),
        (&full, &full)
    );
    assert!(over["detail"].as_str().unwrap().contains("4001 bytes"));
    // To the last byte, and everybody for themselves.
    assert_eq!(begin(&stack, &ann, 4_000).await.0, 201);
    assert_eq!(begin(&stack, &ann, 1).await.0, 422);
    assert_eq!(begin(&stack, &bob, 10_000).await.0, 201);

    let first = format!("/api/uploads/{}", first["upload_id"].as_str().unwrap());
    assert_eq!(delete(&stack, &ann, first).await, 204);
    assert_eq!(storage(&stack, &ann).await["reserved"], 4_000);
    // A video of 1,000 bytes, and its end.
    let video = stack.video(&ann, Visibility::Private).await;
    let now = storage(&stack, &ann).await;
    assert_eq!((&now["used"], &now["videos"]), (&json!(1_000), &json!(1)));
    assert_eq!(begin(&stack, &ann, 5_001).await.0, 422);
    assert_eq!(
        delete(&stack, &ann, format!("/api/videos/{video}?forever=true")).await,
        204
    );
    assert_eq!(begin(&stack, &ann, 6_000).await.0, 201);
    assert_eq!(storage(&stack, &ann).await["reserved"], 10_000);
    stack.stop().await;
}

#[tokio::test]
async fn uploads_that_begin_at_the_same_moment_do_not_overshoot() {
    let stack = Stack::start_with(QUOTA).await;
    let ann = stack.person("ann").await;
    let begun = join_all((0..12).map(|_| begin(&stack, &ann, 3_000))).await;
    let statuses: Vec<u16> = begun.iter().map(|(status, _)| *status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(201), count(422)), (3, 9), "{statuses:?}");
    let now = storage(&stack, &ann).await;
    assert_eq!(
        (&now["reserved"], &now["uploads"]),
        (&json!(9_000), &json!(3))
    );
    stack.stop().await;
}

#[tokio::test]
async fn an_account_may_have_a_quota_of_its_own_or_none() {
    let stack = Stack::start_with(QUOTA).await;
    let ann = stack.person("ann").await;
    let own = async |quota: Option<i64>| {
        sqlx::query("update users set quota = $2 where id = $1")
            .bind(ann.id.0)
            .bind(quota)
            .execute(&stack.db)
            .await
            .unwrap();
    };
    own(Some(20_000)).await;
    assert_eq!(begin(&stack, &ann, 20_000).await.0, 201);
    own(Some(0)).await;
    assert_eq!(begin(&stack, &ann, 1).await.0, 422);
    own(None).await;
    assert_eq!(storage(&stack, &ann).await["quota"], 10_000);
    stack.stop().await;

    let stack = Stack::start_with("[uploads]\nquota = 0").await;
    let ann = stack.person("ann").await;
    assert_eq!(begin(&stack, &ann, 20_000).await.0, 201);
    assert_eq!(storage(&stack, &ann).await["quota"], Value::Null);
    stack.stop().await;
}

#[tokio::test]
async fn a_file_that_is_begun_again_after_a_reload_is_the_same_upload() {
    let stack = Stack::start_with(QUOTA).await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let again = async |person: &Person, fingerprint: &str, size: u64| {
        let file = json!({"filename": "walk.mp4", "size": size, "content_type": "video/mp4", "fingerprint": fingerprint});
        let (status, body) = stack.post_as(person, "/api/uploads", file).await;
        (status.as_u16(), body["upload_id"].clone())
    };
    // Twice at the same moment, too.
    let begun = join_all((0..6).map(|_| again(&ann, "walk-1", 3_000))).await;
    let ids: Vec<&Value> = begun.iter().map(|(_, id)| id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{begun:?}");
    let created = begun.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(created, 1, "{begun:?}");
    let (status, id) = again(&ann, "walk-1", 3_000).await;
    assert_eq!((status, &id), (200, ids[0]));
    assert_eq!(storage(&stack, &ann).await["reserved"], 3_000);
    // Another file, another size, another person: other uploads.
    assert_eq!(again(&ann, "walk-2", 3_000).await.0, 201);
    assert_eq!(again(&ann, "walk-1", 3_001).await.0, 201);
    assert_eq!(again(&bob, "walk-1", 3_000).await.0, 201);
    // One that is over is not found again.
    let path = format!("/api/uploads/{}", id.as_str().unwrap());
    assert_eq!(delete(&stack, &ann, path).await, 204);
    let (status, new) = again(&ann, "walk-1", 3_000).await;
    assert!(status == 201 && new != id);
    for bad in ["", "two words", "ü", &"x".repeat(201)] {
        assert_eq!(again(&ann, bad, 3_000).await.0, 422, "{bad:?}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_name_is_only_a_name() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let tricks = [
        ("../../../etc/passwd.mp4", "passwd.mp4"),
        ("..\\..\\boot.mp4", "boot.mp4"),
        ("C:\\fakepath\\walk.mp4", "walk.mp4"),
        ("/absolute/path/walk.mp4", "walk.mp4"),
        (
            "raw/00000000-0000-0000-0000-000000000000/source.mp4",
            "source.mp4",
        ),
        ("%2e%2e%2fwalk.mp4", "%2e%2e%2fwalk.mp4"),
        ("walk\u{202e}4pm.exe.mp4", "walk4pm.exe.mp4"),
        ("婚禮 🎉 \"quoted\" <b>.mp4", "婚禮 🎉 \"quoted\" <b>.mp4"),
    ];
    for (given, kept) in tricks {
        let file = json!({"filename": given, "size": 10, "content_type": ""});
        let (status, target) = stack.post_as(&ann, "/api/uploads", file).await;
        assert_eq!(status, 201, "{given}: {target}");
        let id = target["upload_id"].as_str().unwrap();
        // Its place at the store follows from the id alone.
        let url: url::Url = target["url"].as_str().unwrap().parse().unwrap();
        assert_eq!(url.path(), format!("/millrace/raw/{id}/source"), "{given}");
        let name: String = sqlx::query_scalar("select filename from uploads where id = $1")
            .bind(id.parse::<uuid::Uuid>().unwrap())
            .fetch_one(&stack.db)
            .await
            .unwrap();
        assert_eq!(name, kept);
    }
    for given in [
        "a\u{0}.mp4",
        "two\nlines.mp4",
        "folder.mp4/",
        "../.mp4",
        "..",
    ] {
        let file = json!({"filename": given, "size": 10, "content_type": "video/mp4"});
        let (status, body) = stack.post_as(&ann, "/api/uploads", file).await;
        assert_eq!(status, 422, "{given:?}: {body}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn an_upload_that_is_over_takes_nothing_more_and_says_so() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (_, target) = begin(&stack, &ann, 1_000).await;
    let path = format!("/api/uploads/{}", target["upload_id"].as_str().unwrap());
    // The same address again, for a PUT that was interrupted.
    let numbers = json!({"part_numbers": [1]});
    let (status, again) = stack
        .post_as(&ann, &format!("{path}/parts"), numbers.clone())
        .await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(
        (&again["headers"], &again["parts"]),
        (&target["headers"], &json!([]))
    );
    assert!(again["url"].as_str().unwrap().contains("/source?"));
    sqlx::query("update uploads set status = 'expired'")
        .execute(&stack.db)
        .await
        .unwrap();
    let calls = [("parts", numbers), ("complete", json!({"title": "x"}))];
    for (call, body) in calls {
        let (status, problem) = stack.post_as(&ann, &format!("{path}/{call}"), body).await;
        let said = (status.as_u16(), problem["code"].as_str());
        assert_eq!(said, (409, Some("upload_over")), "{call}");
    }
    let (_, list) = stack.get_as(&ann, "/api/uploads").await;
    assert_eq!(list, json!({"items": []}));
    assert_eq!(stack.get_as(&ann, &path).await.1["status"], "expired");
    stack.stop().await;
}
