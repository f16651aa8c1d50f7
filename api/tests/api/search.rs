//! Search and suggestions.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Person, Stack, answer};

/// Makes a listed video with these fields.
async fn video(stack: &Stack, owner: &Person, seconds: f64, fields: Value) -> String {
    let id = stack.listed(owner, seconds).await.to_string();
    let (status, body) = stack
        .patch_as(owner, &format!("/api/videos/{id}"), fields)
        .await;
    assert_eq!(status, 200, "{body}");
    id
}

async fn page(stack: &Stack, query: &[(&str, &str)]) -> Value {
    let request = stack.request(Method::GET, "/api/search").query(query);
    let (status, page) = answer(request).await;
    assert_eq!(status, 200, "{query:?}: {page}");
    page
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|video| video["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn found(stack: &Stack, words: &str) -> Vec<String> {
    ids(&page(stack, &[("q", words)]).await)
}

/// Has the job count the words of documents.
async fn count_words(stack: &Stack) {
    let mut conn = stack.db.acquire().await.unwrap();
    millrace_domain::search::count_words(&mut conn, 1_000)
        .await
        .unwrap();
}

#[tokio::test]
async fn words_are_found_in_titles_tags_owners_and_descriptions_in_this_order() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("lanterns").await);
    let told = video(
        &stack,
        &ann,
        60.0,
        json!({"title": "Evening", "description": "We lit lanterns."}),
    )
    .await;
    let tagged = video(
        &stack,
        &ann,
        60.0,
        json!({"title": "Morning", "tags": ["lanterns"]}),
    )
    .await;
    let owned = video(&stack, &bob, 60.0, json!({"title": "Noon"})).await;
    let titled = video(&stack, &ann, 60.0, json!({"title": "Lanterns"})).await;
    video(&stack, &ann, 60.0, json!({"title": "Something else"})).await;

    let order = found(&stack, "lantern").await;
    assert_eq!(order.first(), Some(&titled), "{order:?}");
    assert_eq!(order.last(), Some(&told), "{order:?}");
    assert!(
        order.contains(&tagged) && order.contains(&owned) && order.len() == 4,
        "{order:?}"
    );
    assert_eq!(found(&stack, "LANTERNS").await.first(), Some(&titled));
    assert_eq!(found(&stack, "lantern -evening").await.len(), 3);
    assert_eq!(found(&stack, "\"lit lanterns\"").await, [told]);

    let page = page(&stack, &[("q", "lanterns")]).await;
    assert_eq!(page["channels"][0]["username"], "lanterns", "{page}");
    assert_eq!(
        (&page["corrected"], &page["some"]),
        (&Value::Null, &json!(false))
    );
    stack.stop().await;
}

#[tokio::test]
async fn chinese_words_are_found_inside_longer_ones() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let market = video(
        &stack,
        &ann,
        60.0,
        json!({"title": "週末的台北夜市小吃iPhone開箱"}),
    )
    .await;
    let night = video(
        &stack,
        &ann,
        60.0,
        json!({"title": "夜景與城市", "tags": ["士林夜市"]}),
    )
    .await;
    for (words, expected) in [
        ("台北夜市", vec![&market]),
        ("夜市", vec![&market, &night]),
        ("小吃", vec![&market]),
        ("夜", vec![&market, &night]),
        ("市", vec![&market, &night]),
        ("iphone", vec![&market]),
        ("ＩＰＨＯＮＥ　開箱", vec![&market]),
        ("士林", vec![&night]),
        ("夜市 -士林", vec![&market]),
        ("北夜景", vec![]),
    ] {
        let mut found = found(&stack, words).await;
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        if words == "北夜景" {
            // Nobody has all of it; some have a part.
            assert_eq!(found.len(), 2);
            continue;
        }
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{words}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn what_is_misspelt_is_looked_for_as_it_is_spelt() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let tricks = video(&stack, &ann, 60.0, json!({"title": "Skateboard tricks"})).await;
    video(&stack, &ann, 60.0, json!({"title": "Skating in winter"})).await;
    count_words(&stack).await;
    let misspelt = page(&stack, &[("q", "Skatebord, triks!")]).await;
    assert_eq!(ids(&misspelt), std::slice::from_ref(&tricks));
    assert_eq!(misspelt["corrected"], "skateboard, tricks!");
    // Nobody has both words.
    let some = page(&stack, &[("q", "tricks volcano")]).await;
    assert_eq!((ids(&some), &some["some"]), (vec![tricks], &json!(true)));
    let none = page(&stack, &[("q", "volcano")]).await;
    assert_eq!((ids(&none).len(), &none["some"]), (0, &json!(false)));
    stack.stop().await;
}

#[tokio::test]
async fn only_what_everybody_may_find_is_found_and_edits_count_at_once() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = video(&stack, &ann, 60.0, json!({"title": "Heron"})).await;
    let path = format!("/api/videos/{id}");
    assert_eq!(found(&stack, "heron").await, std::slice::from_ref(&id));
    for visibility in ["unlisted", "private"] {
        stack
            .patch_as(&ann, &path, json!({"visibility": visibility}))
            .await;
        assert!(found(&stack, "heron").await.is_empty(), "{visibility}");
    }
    stack
        .patch_as(
            &ann,
            &path,
            json!({"visibility": "public", "title": "Egret"}),
        )
        .await;
    assert!(found(&stack, "heron").await.is_empty());
    assert_eq!(found(&stack, "egret").await, std::slice::from_ref(&id));
    for change in ["status = 'failed'", "playable_at = null, status = 'ready'"] {
        let statement = format!("update videos set {change} where id = '{id}'");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&stack.db)
            .await
            .unwrap();
        assert!(found(&stack, "egret").await.is_empty(), "{change}");
    }
    sqlx::query("update videos set playable_at = now()")
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(found(&stack, "egret").await.len(), 1);
    // Into the trash, and gone for good: no word of it is left, not even to be suggested.
    count_words(&stack).await;
    stack.delete_as(&ann, &path).await;
    assert!(found(&stack, "egret").await.is_empty());
    count_words(&stack).await;
    let left: i64 = sqlx::query_scalar("select count(*) from search_words")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
    stack.stop().await;
}

#[tokio::test]
async fn filters_narrow_and_sorts_order_page_by_page() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let mut all = Vec::new();
    for n in 0..7_i32 {
        let owner = if n % 2 == 0 { &ann } else { &bob };
        let tag = ["river", "lake"][(n % 2) as usize];
        let fields = json!({"title": format!("Kayak number {n}"), "tags": [tag],
                            "category": if n < 3 { Value::from("sport") } else { Value::Null }});
        let id = video(
            &stack,
            owner,
            [60.0, 600.0, 3_000.0][(n % 3) as usize],
            fields,
        )
        .await;
        let statement = "update videos set views = $2, width = $3, height = 2000, created_at = now() - $4 * interval '5 days' where id = $1::uuid";
        sqlx::query(statement)
            .bind(&id)
            .bind(i64::from(n * 7 % 5))
            .bind([480, 720, 1080][(n % 3) as usize])
            .bind(f64::from(n))
            .execute(&stack.db)
            .await
            .unwrap();
        all.push(id);
    }
    // Counts do not write the documents; this edit does.
    sqlx::query("update videos set description = 'x'")
        .execute(&stack.db)
        .await
        .unwrap();
    let of = |numbers: &[usize]| numbers.iter().map(|n| all[*n].clone()).collect::<Vec<_>>();
    let sorted = async |query: &str| {
        let mut found = stack
            .ids_of(None, &format!("/api/search?q=kayak&{query}"))
            .await;
        found.sort();
        found
    };
    let mut expected = of(&[0, 3, 6]);
    expected.sort();
    assert_eq!(sorted("duration=short").await, expected);
    for (query, numbers) in [
        ("duration=medium", &[1, 4][..]),
        ("duration=long", &[2, 5]),
        ("date=day", &[0]),
        ("date=week", &[0, 1]),
        ("date=month", &[0, 1, 2, 3, 4, 5, 6]),
        ("quality=hd", &[1, 2, 4, 5]),
        ("quality=full_hd", &[2, 5]),
        ("quality=uhd", &[]),
        ("owner=BOB", &[1, 3, 5]),
        ("owner=nobody", &[]),
        ("tag=%23River", &[0, 2, 4, 6]),
        ("category=sport", &[0, 1, 2]),
        ("category=sport&owner=ann&duration=long", &[2]),
    ] {
        let mut expected = of(numbers);
        expected.sort();
        assert_eq!(sorted(query).await, expected, "{query}");
    }
    let newest = stack.ids_of(None, "/api/search?q=kayak&sort=new").await;
    assert_eq!(newest, of(&[0, 1, 2, 3, 4, 5, 6]));
    // 0 2 4 1 3 0 2 views; alike, the later id first.
    let views = stack.ids_of(None, "/api/search?q=kayak&sort=views").await;
    assert_eq!(views, of(&[2, 4, 6, 1, 3, 5, 0]));
    let fitting = stack.ids_of(None, "/api/search?q=kayak").await;
    assert_eq!(fitting.len(), 7);
    // A cursor of another question begins anew.
    let first = page(&stack, &[("q", "kayak"), ("limit", "2")]).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let other = page(
        &stack,
        &[("q", "kayak number"), ("limit", "2"), ("cursor", cursor)],
    )
    .await;
    assert_eq!(
        ids(&other),
        ids(&page(&stack, &[("q", "kayak number"), ("limit", "2")]).await)
    );
    stack.stop().await;
}

#[tokio::test]
async fn suggestions_are_words_videos_and_channels() {
    let stack = Stack::start().await;
    let ann = stack.person("kayakers").await;
    for n in 0..3 {
        let title = format!("Kayak tour {n} 台北夜市");
        video(
            &stack,
            &ann,
            60.0,
            json!({"title": title, "tags": ["kayak camp", "夜市小吃"]}),
        )
        .await;
    }
    count_words(&stack).await;
    let suggested = async |text: &str| {
        let request = stack
            .request(Method::GET, "/api/search/suggest")
            .query(&[("q", text)]);
        let (status, body) = answer(request).await;
        assert_eq!(status, 200, "{body}");
        let items = body["items"].as_array().unwrap().clone();
        assert!(items.len() <= 10);
        let of = |kind: &str| -> Vec<String> {
            let items = items.iter().filter(|item| item["kind"] == kind);
            items
                .map(|item| item["text"].as_str().unwrap().to_owned())
                .collect()
        };
        (of("words"), of("video"), of("channel"))
    };
    for text in ["k", "ka", "KAY"] {
        let (words, _, channels) = suggested(text).await;
        assert_eq!(words, ["kayak", "kayak camp"], "{text}");
        assert_eq!(channels, ["kayakers"], "{text}");
    }
    assert_eq!(
        suggested("big kay").await.0,
        ["big kayak", "big kayak camp"]
    );
    assert_eq!(suggested("kayak t").await.1.len(), 3);
    let (words, videos, _) = suggested("夜市").await;
    assert_eq!((words, videos.len()), (vec!["夜市小吃".to_owned()], 3));
    assert_eq!(suggested("kaiak").await.0[0], "kayak");
    assert_eq!(suggested("100%_").await, (vec![], vec![], vec![]));
    stack.stop().await;
}

#[tokio::test]
async fn questions_that_are_none_are_refused_and_odd_ones_are_answered() {
    let stack = Stack::start().await;
    for path in ["/api/search", "/api/search/suggest"] {
        for query in [
            "",
            "?q=",
            "?q=%20",
            "?q=%00",
            &format!("?q={}", "x".repeat(201)),
        ] {
            let (status, body) =
                answer(stack.request(Method::GET, &format!("{path}{query}"))).await;
            assert_eq!(
                (status.as_u16(), &body["code"]),
                (400, &json!("validation")),
                "{path}{query}"
            );
        }
        for text in [
            "'",
            "\\",
            "& | ! ( ) :* <->",
            "\"",
            "-",
            "or",
            "%",
            "_",
            "''夜",
            "夜'",
            "-夜",
            "the",
            "🦀",
            "\"夜 市",
            "＂",
        ] {
            let request = stack.request(Method::GET, path).query(&[("q", text)]);
            let (status, body) = answer(request).await;
            assert_eq!(status, 200, "{path} {text}: {body}");
        }
    }
    for query in [
        "sort=best",
        "duration=1",
        "date=now",
        "quality=8k",
        "category=x",
        "limit=0",
        "limit=101",
    ] {
        let (status, _) =
            answer(stack.request(Method::GET, &format!("/api/search?q=x&{query}"))).await;
        assert_eq!(status, 400, "{query}");
    }
    let (status, _) =
        answer(stack.request(Method::GET, "/api/search?q=x&cursor=%00nonsense")).await;
    assert_eq!(status, 200);
    stack.stop().await;
}

#[tokio::test]
async fn who_asks_too_often_waits_and_others_do_not() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    for path in [
        "/api/search?q=kayak",
        "/api/search/suggest?q=kayak",
        "/api/videos?query=kayak",
    ] {
        sqlx::query("delete from throttles")
            .execute(&stack.db)
            .await
            .unwrap();
        let visit = || stack.request(Method::GET, path).send();
        assert_eq!(visit().await.unwrap().status(), 200, "{path}");
        // Not filled again before an hour has passed.
        let spent =
            "update throttles set tokens = 0, updated_at = clock_timestamp() + interval '1 hour'";
        let spent = sqlx::query(spent).execute(&stack.db).await.unwrap();
        assert_eq!(spent.rows_affected(), 1, "{path}");
        let refused = visit().await.unwrap();
        assert_eq!(refused.status(), 429, "{path}");
        let wait: u64 = refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(wait > 3_000, "{path}: {wait}");
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "throttled", "{path}");
        // Who is logged in is known by more than an address.
        assert_eq!(stack.get_as(&ann, path).await.0, 200, "{path}");
    }
    // Lists that nothing is looked for in, and one's own videos, are not counted.
    for path in ["/api/videos", "/api/videos?owner=me&query=kayak"] {
        assert_eq!(stack.get_as(&ann, path).await.0, 200, "{path}");
    }
    let left: f64 =
        sqlx::query_scalar("select tokens from throttles where key like 'search:user:%'")
            .fetch_one(&stack.db)
            .await
            .unwrap();
    assert!((left - 119.0).abs() < 1e-6, "{left}");
    stack.stop().await;
}
