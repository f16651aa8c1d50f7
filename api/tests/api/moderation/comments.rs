//! Comments that are hidden, or held for words of a list.

use millrace_domain::{accounts::Role, ids::VideoId};
use serde_json::{Value, json};

use super::{cases, decide, news, staff, text, try_to};
use crate::stack::{Person, Stack};

async fn comment(stack: &Stack, who: &Person, video: VideoId, parent: Option<&str>) -> String {
    let body = json!({"body": "Hm", "parent_id": parent});
    let (status, written) = stack
        .post_as(who, &format!("/api/videos/{video}/comments"), body)
        .await;
    assert_eq!(status, 201, "{written}");
    text(&written["id"])
}

#[tokio::test]
async fn a_hidden_comment_is_its_authors_alone_and_is_not_counted() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let operator = staff(&stack, "olga", Role::Operator).await;
    let video = stack.listed(&ann, 60.0).await;
    let thread = comment(&stack, &bob, video, None).await;
    let reply = comment(&stack, &bob, video, Some(&thread)).await;
    let other = comment(&stack, &ann, video, Some(&thread)).await;
    let list = format!("/api/videos/{video}/comments");

    decide(&stack, &operator, "comment", &reply, "hide").await;
    let (_, page) = stack.get_as(&ann, &list).await;
    assert_eq!(
        (&page["total"], &page["items"][0]["replies"]),
        (&json!(2), &json!(1))
    );
    let replies = format!("/api/comments/{thread}/replies");
    assert_eq!(stack.ids_of(Some(&ann), &replies).await, [other.as_str()]);
    assert_eq!(
        stack.ids_of(Some(&bob), &replies).await,
        [reply.as_str(), other.as_str()]
    );
    assert_eq!(
        stack
            .get_as(&ann, &format!("/api/comments/{reply}"))
            .await
            .0,
        404
    );
    let (_, own) = stack.get_as(&bob, &format!("/api/comments/{reply}")).await;
    assert_eq!(own["withheld"], "hidden");
    assert!(own["hidden_by"].is_string());

    // A thread takes the replies to it along, and brings them back.
    let decision = decide(&stack, &operator, "comment", &thread, "hide").await;
    let (_, page) = stack.get_as(&ann, &list).await;
    assert_eq!((&page["total"], &page["items"]), (&json!(0), &json!([])));
    assert_eq!(
        stack
            .get_as(&ann, &format!("/api/comments/{other}"))
            .await
            .0,
        404
    );
    assert_eq!(stack.get_as(&ann, &replies).await.0, 404);
    let lift = format!("/api/admin/decisions/{}/lift", text(&decision["id"]));
    assert_eq!(stack.post_as(&operator, &lift, json!({})).await.0, 200);
    let (_, page) = stack.get_as(&ann, &list).await;
    assert_eq!(page["total"], 2);
    // What is deleted while it is hidden is not counted twice.
    assert_eq!(
        stack
            .delete_as(&bob, &format!("/api/comments/{reply}"))
            .await
            .0,
        204
    );
    let (_, page) = stack.get_as(&ann, &list).await;
    assert_eq!(
        (&page["total"], &page["items"][0]["replies"]),
        (&json!(2), &json!(1))
    );

    decide(&stack, &operator, "comment", &other, "takedown").await;
    let (_, page) = stack.get_as(&ann, &list).await;
    assert_eq!(
        (&page["total"], &page["items"][0]["replies"]),
        (&json!(1), &json!(0))
    );
    let (status, problem) = try_to(&stack, &operator, "comment", &thread, "suspend").await;
    assert_eq!(
        (status, &problem["code"]),
        (403, &json!("forbidden")),
        "people are for administrators"
    );
    stack.stop().await;
}

#[tokio::test]
async fn comments_are_refused_or_held_for_words_of_a_list_that_changes_at_run_time() {
    let stack = Stack::start().await;
    let (ann, bob, eve) = (
        stack.person("ann").await,
        stack.person("bob").await,
        stack.person("eve").await,
    );
    let (operator, admin) = (
        staff(&stack, "olga", Role::Operator).await,
        staff(&stack, "ada", Role::Admin).await,
    );
    let video = stack.listed(&ann, 60.0).await;
    let list = format!("/api/videos/{video}/comments");
    let write =
        async |who: &Person, body: &str| stack.post_as(who, &list, json!({ "body": body })).await;
    assert_eq!(write(&bob, "賭博 is fine so far").await.0, 201);

    let word = |text: &str, mode: &str| json!({"text": text, "mode": mode});
    let words = "/api/admin/words";
    for (person, status) in [(&bob, 403), (&operator, 403), (&admin, 201)] {
        let (answered, _) = stack.post_as(person, words, word("賭博", "refuse")).await;
        assert_eq!(answered, status);
    }
    let (_, held) = stack.post_as(&admin, words, word("Spam", "hold")).await;
    for (body, status) in [
        (word("ＳＰＡＭ", "refuse"), 409),
        (word("\u{200b}", "hold"), 422),
        (word("", "hold"), 422),
        (word("x", "burn"), 422),
    ] {
        assert_eq!(
            stack.post_as(&admin, words, body.clone()).await.0,
            status,
            "{body}"
        );
    }
    assert_eq!(
        stack.get_as(&operator, words).await.1["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let tried = json!({"body": "no spam!"});
    let (_, result) = stack
        .post_as(&operator, "/api/admin/words/try", tried)
        .await;
    assert_eq!(result["mode"], "hold");

    let (status, problem) = write(&bob, "線上賭博網站").await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("comment_refused"))
    );
    // Held: its author alone sees it, nobody is told, and it is in the queue.
    let before = news(&stack, &ann).await.len();
    let (status, spam) = write(&bob, "S P A M? No: SPAM.").await;
    assert_eq!(
        (status.as_u16(), &spam["withheld"], &spam["hidden_by"]),
        (201, &json!("held"), &Value::Null)
    );
    let id = text(&spam["id"]);
    assert_eq!(news(&stack, &ann).await.len(), before);
    assert_eq!(stack.get_as(&eve, &list).await.1["total"], 1);
    assert_eq!(
        stack.get_as(&ann, &format!("/api/comments/{id}")).await.0,
        404
    );
    let queue = cases(&stack, &operator, "?target=comment").await;
    assert_eq!(
        (queue.len(), &queue[0]["reasons"], &queue[0]["target_id"]),
        (1, &json!(["word_list"]), &json!(id))
    );
    // Nothing is wrong with it: it is shown, and its video's owner hears of it.
    decide(&stack, &operator, "comment", &id, "dismiss").await;
    assert_eq!(stack.get_as(&eve, &list).await.1["total"], 2);
    assert_eq!(news(&stack, &ann).await.len(), before + 1);

    // What is edited is read again.
    let edit = json!({"body": "spam spam"});
    let (_, edited) = stack
        .patch_as(&bob, &format!("/api/comments/{id}"), edit)
        .await;
    assert_eq!(edited["withheld"], "held");
    assert_eq!(stack.get_as(&eve, &list).await.1["total"], 1);
    decide(&stack, &operator, "comment", &id, "hide").await;
    let (_, own) = stack.get_as(&bob, &format!("/api/comments/{id}")).await;
    assert_eq!(own["withheld"], "hidden");

    let path = format!("{words}/{}", text(&held["id"]));
    assert_eq!(stack.delete_as(&operator, &path).await.0, 403);
    assert_eq!(stack.delete_as(&admin, &path).await.0, 204);
    assert_eq!(stack.delete_as(&admin, &path).await.0, 404);
    let (_, free) = write(&eve, "spam again").await;
    assert_eq!(free["withheld"], Value::Null);
    let (_, log) = stack.get_as(&operator, "/api/admin/audit").await;
    let actions: Vec<&str> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        ["remove_word", "hide", "dismiss", "add_word", "add_word"]
    );
    stack.stop().await;
}
