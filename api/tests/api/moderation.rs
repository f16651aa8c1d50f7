//! What people report, what staff decide, and what people say against it.

use millrace_domain::{
    accounts::{Role, User},
    ids::VideoId,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    socket::Socket,
    stack::{PASSWORD, Person, Stack, answer},
};

async fn staff(stack: &Stack, name: &str, role: Role) -> Person {
    let person = stack.person(name).await;
    assert!(User::set_role(&stack.db, person.id, role).await.unwrap());
    person
}

async fn report(stack: &Stack, person: &Person, target: &str, id: &str, reason: &str) {
    let body = json!({"target": target, "target_id": id, "reason": reason, "body": "Look"});
    let (status, problem) = stack.post_as(person, "/api/reports", body).await;
    assert_eq!(status, 201, "{problem}");
}

/// Decides, as `staff`.
async fn decide(stack: &Stack, staff: &Person, target: &str, id: &str, action: &str) -> Value {
    let (status, decision) = try_to(stack, staff, target, id, action).await;
    assert_eq!(status, 201, "{decision}");
    decision
}

async fn try_to(
    stack: &Stack,
    staff: &Person,
    target: &str,
    id: &str,
    action: &str,
) -> (u16, Value) {
    let body = json!({
        "target": target, "target_id": id, "action": action, "reason": "copyright", "note": "The music."
    });
    let (status, answer) = stack.post_as(staff, "/api/admin/decisions", body).await;
    (status.as_u16(), answer)
}

async fn cases(stack: &Stack, staff: &Person, query: &str) -> Vec<Value> {
    let (status, page) = stack
        .get_as(staff, &format!("/api/admin/reports{query}"))
        .await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Messages and recipients of mails, in order.
async fn mails(stack: &Stack, message: &str) -> Vec<String> {
    sqlx::query_scalar("select recipient::text from emails where message = $1 order by id")
        .bind(message)
        .fetch_all(&stack.db)
        .await
        .unwrap()
}

/// Kinds of news that somebody has, newest first.
async fn news(stack: &Stack, person: &Person) -> Vec<String> {
    let (_, page) = stack.get_as(person, "/api/notifications").await;
    let items = page["items"].as_array().unwrap().iter();
    items.map(|news| text(&news["kind"])).collect()
}

#[tokio::test]
async fn reports_of_one_thing_are_one_case_until_it_is_settled() {
    let stack = Stack::start().await;
    let (ann, bob, eve) = (
        stack.person("ann").await,
        stack.person("bob").await,
        stack.person("eve").await,
    );
    let (auditor, operator) = (
        staff(&stack, "audra", Role::Auditor).await,
        staff(&stack, "olga", Role::Operator).await,
    );
    let (first, second) = (
        stack.listed(&ann, 60.0).await.to_string(),
        stack.listed(&ann, 60.0).await.to_string(),
    );
    report(&stack, &bob, "video", &first, "spam").await;
    report(&stack, &bob, "video", &second, "hate").await;
    report(&stack, &eve, "video", &first, "spam").await;
    report(&stack, &operator, "video", &first, "copyright").await;
    report(&stack, &eve, "channel", &ann.id.to_string(), "other").await;

    for person in [&ann, &bob] {
        let (status, _) = stack.get_as(person, "/api/admin/reports").await;
        assert_eq!(status, 403);
    }
    // The longest waiting first, whatever came since.
    let open = cases(&stack, &auditor, "").await;
    assert_eq!(open.len(), 3);
    assert_eq!(
        (&open[0]["target_id"], &open[0]["reports"]),
        (&json!(first), &json!(3))
    );
    assert_eq!(open[0]["reasons"], json!(["spam", "copyright"]));
    assert_eq!(
        (&open[0]["owner"], &open[0]["excerpt"]),
        (&json!("ann"), &json!("A walk"))
    );
    let paged = stack
        .ids_of(Some(&auditor), "/api/admin/reports?state=open")
        .await;
    assert_eq!(
        paged,
        open.iter()
            .map(|case| text(&case["id"]))
            .collect::<Vec<_>>()
    );
    assert_eq!(cases(&stack, &auditor, "?target=channel").await.len(), 1);

    // Who said so is told to those who decide.
    let path = format!("/api/admin/reports/{}", text(&open[0]["id"]));
    for (person, told) in [(&auditor, json!(null)), (&operator, json!("olga"))] {
        let (status, detail) = stack.get_as(person, &path).await;
        assert_eq!(status, 200, "{detail}");
        assert_eq!(detail["complaints"].as_array().unwrap().len(), 3);
        assert_eq!(detail["complaints"][0]["reporter"], told);
        assert_eq!(
            (&detail["video"]["id"], &detail["person"]["username"]),
            (&json!(first), &json!("ann"))
        );
    }

    // Auditors look on.
    let (status, _) = try_to(&stack, &auditor, "video", &first, "dismiss").await;
    assert_eq!(status, 403);
    decide(&stack, &operator, "video", &first, "dismiss").await;
    assert_eq!(cases(&stack, &auditor, "").await.len(), 2);
    let settled = cases(&stack, &auditor, "?state=settled").await;
    assert_eq!(
        (settled.len(), &settled[0]["action"]),
        (1, &json!("dismiss"))
    );
    let (status, _) = stack.get_as(&bob, &format!("/api/videos/{first}")).await;
    assert_eq!(status, 200, "nothing was wrong with it");
    assert!(news(&stack, &ann).await.is_empty());

    // The same person may report it again, which is another case.
    report(&stack, &bob, "video", &first, "violence").await;
    let open = cases(&stack, &operator, "?target=video").await;
    assert_eq!(open.len(), 2);
    assert_eq!(
        (&open[1]["target_id"], &open[1]["reports"]),
        (&json!(first), &json!(1))
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_hidden_video_is_its_owners_alone_until_an_appeal_is_accepted() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let operator = staff(&stack, "olga", Role::Operator).await;
    let id = stack.listed(&ann, 60.0).await;
    sqlx::query("update videos set file_key = 'hls/x/file.mp4' where id = $1")
        .bind(id.0)
        .execute(&stack.db)
        .await
        .unwrap();
    let path = format!("/api/videos/{id}");
    let (_, before) = stack.get_as(&bob, &path).await;
    let player = text(&before["mp4_url"]);
    assert_eq!(answer(stack.request(Method::GET, &player)).await.0, 307);
    report(&stack, &bob, "video", &id.to_string(), "copyright").await;

    let decision = decide(&stack, &operator, "video", &id.to_string(), "hide").await;
    let name = text(&decision["id"]);
    assert_eq!(
        (&decision["staff"], &decision["excerpt"], &decision["note"]),
        (&json!("olga"), &json!("A walk"), &json!("The music."))
    );
    assert!(cases(&stack, &operator, "").await.is_empty());
    let (status, _) = try_to(&stack, &operator, "video", &id.to_string(), "hide").await;
    assert_eq!(status, 409, "it is hidden already");

    // Others lose it, lists and players included.
    assert_eq!(stack.get_as(&bob, &path).await.0, 404);
    assert_eq!(answer(stack.request(Method::GET, &player)).await.0, 404);
    assert!(stack.ids_of(None, "/api/videos").await.is_empty());
    let comment = json!({"body": "Where is it?"});
    let (status, _) = stack
        .post_as(&bob, &format!("{path}/comments"), comment)
        .await;
    assert_eq!(status, 404);
    // Its owner sees why, and cannot publish it: not now, not at a time, not with many others.
    let (status, own) = stack.get_as(&ann, &path).await;
    assert_eq!(
        (status.as_u16(), &own["hidden_by"], &own["visibility"]),
        (200, &json!(name), &json!("private"))
    );
    let (status, problem) = stack
        .patch_as(&ann, &path, json!({"visibility": "public"}))
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("hidden")));
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let (status, problem) = stack
        .put_as(
            &ann,
            &format!("{path}/schedule"),
            json!({"publish_at": later}),
        )
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("hidden")));
    let title = json!({"title": "A quiet walk"});
    assert_eq!(stack.patch_as(&ann, &path, title).await.0, 200);

    // She is told, and not by whom; others are not.
    assert_eq!(news(&stack, &ann).await, ["moderation"]);
    assert_eq!(mails(&stack, "decision").await, ["ann@example.org"]);
    let own = format!("/api/decisions/{name}");
    let (_, told) = stack.get_as(&ann, &own).await;
    assert_eq!(
        (&told["staff"], &told["reason"], &told["can_appeal"]),
        (&Value::Null, &json!("copyright"), &json!(true))
    );
    assert_eq!(stack.get_as(&bob, &own).await.0, 404);
    assert_eq!(
        stack.ids_of(Some(&ann), "/api/decisions").await,
        [name.as_str()]
    );

    // Once, by herself.
    let appeal = format!("{own}/appeal");
    let words = json!({"body": "I wrote that music."});
    assert_eq!(stack.post_as(&bob, &appeal, words.clone()).await.0, 404);
    assert_eq!(
        stack.post_as(&ann, &appeal, json!({"body": " "})).await.0,
        422
    );
    let (status, told) = stack.post_as(&ann, &appeal, words.clone()).await;
    assert_eq!(
        (status.as_u16(), &told["appeal"]["state"]),
        (201, &json!("open"))
    );
    let (status, problem) = stack.post_as(&ann, &appeal, words).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("already_appealed"))
    );

    let (_, waiting) = stack.get_as(&operator, "/api/admin/appeals").await;
    assert_eq!(waiting["items"][0]["id"], json!(name));
    let answer_at = format!(
        "/api/admin/appeals/{}/answer",
        text(&waiting["items"][0]["appeal"]["id"])
    );
    let yes = json!({"accept": true, "answer": "You did."});
    assert_eq!(stack.post_as(&ann, &answer_at, yes.clone()).await.0, 403);
    let (status, lifted) = stack.post_as(&operator, &answer_at, yes.clone()).await;
    assert_eq!(
        (
            status.as_u16(),
            &lifted["lifted_for"],
            &lifted["appeal"]["state"]
        ),
        (200, &json!("appeal"), &json!("accepted"))
    );
    assert_eq!(stack.post_as(&operator, &answer_at, yes).await.0, 409);
    let (_, waiting) = stack.get_as(&operator, "/api/admin/appeals").await;
    assert_eq!(waiting["items"], json!([]));
    let answered = stack
        .get_as(&operator, "/api/admin/appeals?answered=true")
        .await;
    assert_eq!(answered.1["items"][0]["appeal"]["answer"], "You did.");

    // As public as it was, for the players of before, too.
    let (status, now) = stack.get_as(&bob, &path).await;
    assert_eq!(
        (status.as_u16(), &now["visibility"], &now["hidden_by"]),
        (200, &json!("public"), &Value::Null)
    );
    assert_eq!(answer(stack.request(Method::GET, &player)).await.0, 307);
    assert_eq!(news(&stack, &ann).await, ["moderation", "moderation"]);
    assert_eq!(mails(&stack, "decision_lifted").await.len(), 1);
    stack.stop().await;
}

#[tokio::test]
async fn a_rejected_appeal_leaves_the_decision_and_staff_can_still_lift_it() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let operator = staff(&stack, "olga", Role::Operator).await;
    let id = stack.listed(&ann, 60.0).await.to_string();
    let decision = decide(&stack, &operator, "video", &id, "hide").await;
    let name = text(&decision["id"]);
    let words = json!({"body": "Why?"});
    let (_, told) = stack
        .post_as(&ann, &format!("/api/decisions/{name}/appeal"), words)
        .await;
    let path = format!("/api/admin/appeals/{}/answer", text(&told["appeal"]["id"]));
    let no = json!({"accept": false, "answer": "It is not yours."});
    assert_eq!(stack.post_as(&operator, &path, no).await.0, 200);
    let (_, told) = stack.get_as(&ann, &format!("/api/decisions/{name}")).await;
    assert_eq!(
        (
            &told["appeal"]["state"],
            &told["lifted_at"],
            &told["can_appeal"]
        ),
        (&json!("rejected"), &Value::Null, &json!(false))
    );
    assert_eq!(news(&stack, &ann).await, ["appeal", "moderation"]);
    assert_eq!(mails(&stack, "appeal_rejected").await, ["ann@example.org"]);

    let lift = format!("/api/admin/decisions/{name}/lift");
    let (status, lifted) = stack
        .post_as(&operator, &lift, json!({"note": "After all"}))
        .await;
    assert_eq!(
        (status.as_u16(), &lifted["lifted_for"]),
        (200, &json!("staff"))
    );
    let (status, problem) = stack.post_as(&operator, &lift, json!({})).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("decided"))
    );
    let visible = answer(stack.request(Method::GET, &format!("/api/videos/{id}"))).await;
    assert_eq!(visible.0, 200);
    stack.stop().await;
}

#[tokio::test]
async fn a_takedown_is_final_and_keeps_what_it_was_about() {
    let stack = Stack::start().await;
    let (ann, operator) = (
        stack.person("ann").await,
        staff(&stack, "olga", Role::Operator).await,
    );
    let id = stack.listed(&ann, 60.0).await;
    report(&stack, &operator, "video", &id.to_string(), "copyright").await;
    let decision = decide(&stack, &operator, "video", &id.to_string(), "takedown").await;
    assert_eq!(
        stack.get_as(&ann, &format!("/api/videos/{id}")).await.0,
        404
    );
    let doomed: i64 = sqlx::query_scalar("select count(*) from doomed_objects where prefix = $1")
        .bind(format!("hls/{id}/"))
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(doomed, 1, "a job deletes its objects");
    assert!(cases(&stack, &operator, "").await.is_empty());
    let name = text(&decision["id"]);
    let (_, told) = stack.get_as(&ann, &format!("/api/decisions/{name}")).await;
    assert_eq!(
        (&told["excerpt"], &told["can_appeal"]),
        (&json!("A walk"), &json!(false))
    );
    let words = json!({"body": "Why?"});
    let (status, problem) = stack
        .post_as(&ann, &format!("/api/decisions/{name}/appeal"), words)
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("final")));
    let (status, problem) = stack
        .post_as(
            &operator,
            &format!("/api/admin/decisions/{name}/lift"),
            json!({}),
        )
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("final")));
    let (status, _) = try_to(&stack, &operator, "video", &id.to_string(), "takedown").await;
    assert_eq!(status, 404, "it is gone");
    stack.stop().await;
}

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
async fn who_is_suspended_is_out_at_once_and_can_still_appeal() {
    let stack = Stack::start().await;
    let (ann, admin) = (
        stack.person("ann").await,
        staff(&stack, "ada", Role::Admin).await,
    );
    let operator = staff(&stack, "olga", Role::Operator).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    let id = ann.id.to_string();
    let (status, _) = try_to(&stack, &operator, "channel", &id, "suspend").await;
    assert_eq!(status, 403);
    let (status, problem) = try_to(&stack, &admin, "channel", &id, "hide").await;
    assert_eq!((status, &problem["code"]), (422, &json!("not_for_target")));
    for (target, code) in [(&operator.id, 201), (&admin.id, 403)] {
        let (status, _) = try_to(&stack, &admin, "channel", &target.to_string(), "suspend").await;
        assert_eq!(status, code, "nobody judges themselves");
    }
    let decision = decide(&stack, &admin, "channel", &id, "suspend").await;
    assert_eq!(socket.closed().await, Some(4003));
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 401);
    let refresh = stack
        .request(Method::POST, "/api/auth/refresh")
        .header("cookie", &ann.cookie);
    assert_eq!(answer(refresh).await.0, 401);

    // The right password opens the reason, and nothing else.
    let log_in = async |password: &str| {
        let body = json!({"identifier": "ann", "password": password});
        stack.post("/api/auth/login", body).await
    };
    assert_eq!(log_in("wrong").await.1["code"], "bad_credentials");
    let (status, problem) = log_in(PASSWORD).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (403, &json!("account_suspended"))
    );
    let token = text(&problem["appeal_token"]);
    let (status, told) = stack
        .post("/api/suspension", json!({ "token": token }))
        .await;
    assert_eq!(
        (status.as_u16(), &told["id"], &told["staff"], &told["note"]),
        (200, &decision["id"], &Value::Null, &json!("The music."))
    );
    let reset = json!({"token": token, "password": "another-harbour-13-kettle"});
    assert_eq!(stack.post("/api/auth/reset", reset).await.0, 410);
    let over = json!({"token": "x".repeat(43)});
    assert_eq!(
        stack.post("/api/suspension", over).await.1["code"],
        "link_over"
    );

    let words = json!({"token": token, "body": "It was my brother."});
    let (status, _) = stack.post("/api/suspension/appeal", words.clone()).await;
    assert_eq!(status, 201);
    let (status, problem) = stack.post("/api/suspension/appeal", words).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("already_appealed"))
    );
    // A mail went to her, though she is locked out, and its job knows no secret.
    assert_eq!(
        mails(&stack, "decision").await,
        ["olga@example.org", "ann@example.org"]
    );

    let (_, waiting) = stack.get_as(&admin, "/api/admin/appeals").await;
    let appeal = text(&waiting["items"][0]["appeal"]["id"]);
    let yes = json!({"accept": true, "answer": "Fine."});
    let path = format!("/api/admin/appeals/{appeal}/answer");
    assert_eq!(stack.post_as(&admin, &path, yes).await.0, 200);
    assert_eq!(log_in(PASSWORD).await.0, 200);
    let (status, _) = stack
        .post("/api/suspension", json!({ "token": token }))
        .await;
    assert_eq!(status, 410, "it is over");
    stack.stop().await;
}

#[tokio::test]
async fn a_deactivation_takes_the_place_of_a_suspension() {
    let stack = Stack::start().await;
    let (ann, admin) = (
        stack.person("ann").await,
        staff(&stack, "ada", Role::Admin).await,
    );
    let decision = decide(&stack, &admin, "channel", &ann.id.to_string(), "suspend").await;
    assert!(User::set_active(&stack.db, ann.id, false).await.unwrap());
    let lift = format!("/api/admin/decisions/{}/lift", text(&decision["id"]));
    assert_eq!(stack.post_as(&admin, &lift, json!({})).await.0, 200);
    let body = json!({"identifier": "ann", "password": PASSWORD});
    let (status, problem) = stack.post("/api/auth/login", body).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (403, &json!("account_inactive"))
    );
    let (status, problem) = try_to(&stack, &admin, "channel", &ann.id.to_string(), "suspend").await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("account_inactive"))
    );
    stack.stop().await;
}

#[tokio::test]
async fn every_decision_is_in_a_log_that_nobody_changes() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (auditor, operator) = (
        staff(&stack, "audra", Role::Auditor).await,
        staff(&stack, "olga", Role::Operator).await,
    );
    let id = stack.listed(&ann, 60.0).await.to_string();
    let body = json!({"target": "video", "target_id": id, "action": "hide", "reason": "hate", "note": "No."});
    let request = stack
        .request(Method::POST, "/api/admin/decisions")
        .bearer_auth(&operator.token)
        .header("x-request-id", "the-request-of-olga")
        .json(&body);
    let (status, decision) = answer(request).await;
    assert_eq!(status, 201, "{decision}");
    let lift = format!("/api/admin/decisions/{}/lift", text(&decision["id"]));
    assert_eq!(
        stack
            .post_as(&operator, &lift, json!({"note": "Yes."}))
            .await
            .0,
        200
    );

    assert_eq!(stack.get_as(&ann, "/api/admin/audit").await.0, 403);
    let (status, log) = stack
        .get_as(&auditor, &format!("/api/admin/audit?target_id={id}"))
        .await;
    assert_eq!(status, 200, "{log}");
    let rows = log["items"].as_array().unwrap();
    let actions: Vec<&str> = rows
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["lift", "hide"]);
    assert_eq!(
        (
            &rows[1]["actor"],
            &rows[1]["reason"],
            &rows[1]["request_id"]
        ),
        (&json!("olga"), &json!("No."), &json!("the-request-of-olga"))
    );
    assert_eq!(
        (
            &rows[1]["before"]["visibility"],
            &rows[1]["after"]["reason"]
        ),
        (&json!("public"), &json!("hate"))
    );
    let by = format!("/api/admin/audit?actor_id={}", auditor.id);
    assert_eq!(stack.get_as(&auditor, &by).await.1["items"], json!([]));
    for statement in [
        "update audit_log set actor = 'nobody'",
        "delete from audit_log",
        "truncate audit_log",
    ] {
        let error = sqlx::query(statement).execute(&stack.db).await.unwrap_err();
        assert!(error.to_string().contains("never changed"), "{error}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn what_is_no_decision_is_refused_with_its_field() {
    let stack = Stack::start().await;
    let admin = staff(&stack, "ada", Role::Admin).await;
    let ann = stack.person("ann").await;
    let past = "2020-01-01T00:00:00Z";
    for (change, field) in [
        (json!({"reason": null}), "reason"),
        (json!({"note": "x".repeat(1_001)}), "note"),
        (json!({"until": past}), "until"),
        (json!({"until": "2199-01-01T00:00:00Z"}), "until"),
        (json!({"action": "forgive"}), "action"),
        (json!({"target": "planet"}), "target"),
    ] {
        let mut body = json!({"target": "channel", "target_id": ann.id, "action": "suspend", "reason": "spam"});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let (status, problem) = stack.post_as(&admin, "/api/admin/decisions", body).await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
    }
    for query in ["", "?target=video", "?limit=0"] {
        let (status, _) = stack
            .get_as(&admin, &format!("/api/admin/decisions{query}"))
            .await;
        assert_eq!(status, 400, "{query}");
    }
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
