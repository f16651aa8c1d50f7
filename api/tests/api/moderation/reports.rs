//! The queue of what was reported, and decisions that are none.

use millrace_domain::accounts::Role;
use serde_json::json;

use super::{cases, decide, news, report, staff, text, try_to};
use crate::stack::Stack;

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
