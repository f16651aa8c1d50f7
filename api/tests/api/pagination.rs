//! Pages while rows come and go: nothing comes twice, and nothing that was there all the time is missing.

use std::collections::BTreeSet;

use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use uuid::Uuid;

use crate::stack::{Person, Stack, answer};

/// A list and how its rows are made: $1 is the row's id, $2 what the list belongs to, $3 a small number which many rows
/// share, so that ids decide between equals.
struct List {
    name: &'static str,
    paths: &'static [&'static str],
    insert: &'static str,
    delete: &'static str,
}

const LISTS: [List; 3] = [
    List {
        name: "videos",
        paths: &[
            "/api/videos?sort=new",
            "/api/videos?sort=old",
            "/api/videos?sort=title",
            "/api/videos?sort=views",
            "/api/videos?owner=me&sort=title",
        ],
        insert: "insert into videos (id, user_id, upload_id, title, original_key, original_etag, original_name, file_size,
                                     status, playable_at, created_at, views)
                 values ($1, $2, gen_random_uuid(), 'Walk ' || $3::int, 'raw/x/source', 'x', 'walk.mp4', 1, 'ready', now(),
                         timestamptz '2026-01-01' + $3::int * interval '1 day', $3::int)",
        delete: "delete from videos where id = $1",
    },
    List {
        name: "comments",
        paths: &[
            "/api/videos/{of}/comments?sort=new",
            "/api/videos/{of}/comments?sort=top",
        ],
        insert: "insert into comments (id, video_id, user_id, body, created_at, likes)
                 select $1, id, user_id, 'Well', timestamptz '2026-01-01' + $3::int * interval '1 day', $3::int
                   from videos where id = $2",
        delete: "delete from comments where id = $1",
    },
    List {
        name: "notifications",
        paths: &["/api/notifications"],
        insert: "insert into notifications (id, user_id, kind, key) values ($1::uuid, $2, 'follower', $1::text || $3::int)",
        delete: "delete from notifications where id = $1",
    },
];

#[tokio::test]
async fn no_item_is_on_two_pages_or_on_none_while_rows_come_and_go() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    for list in LISTS {
        for (n, path) in list.paths.iter().enumerate() {
            for seed in 0..4 {
                let of = match list.name {
                    "comments" => stack.listed(&ann, 60.0).await.0,
                    _ => ann.id.0,
                };
                let path = path.replace("{of}", &of.to_string());
                walk(&stack, &ann, &list, &path, of, seed * 10 + n as u64).await;
                sqlx::raw_sql("delete from videos; delete from notifications")
                    .execute(&stack.db)
                    .await
                    .unwrap();
            }
        }
    }
    stack.stop().await;
}

async fn walk(stack: &Stack, person: &Person, list: &List, path: &str, of: Uuid, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut there = Vec::new();
    for _ in 0..25 {
        there.push(insert(stack, list, of, &mut chance).await);
    }
    let mut always: BTreeSet<Uuid> = there.iter().copied().collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    let mark = if path.contains('?') { '&' } else { '?' };
    loop {
        let limit = chance.random_range(1..=6);
        let page = format!("{path}{mark}limit={limit}{cursor}");
        let request = stack.request(Method::GET, &page).bearer_auth(&person.token);
        let (status, page) = answer(request).await;
        assert_eq!(status, 200, "{path}: {page}");
        let items = page["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().unwrap().parse::<Uuid>().unwrap()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        // Also the very row at which the next page begins may go.
        for _ in 0..chance.random_range(0..3) {
            let gone = there.swap_remove(chance.random_range(0..there.len()));
            always.remove(&gone);
            sqlx::query(list.delete)
                .bind(gone)
                .execute(&stack.db)
                .await
                .unwrap();
        }
        for _ in 0..chance.random_range(0..3) {
            there.push(insert(stack, list, of, &mut chance).await);
        }
    }
    let once: BTreeSet<Uuid> = seen.iter().copied().collect();
    assert_eq!(
        once.len(),
        seen.len(),
        "{path}, seed {seed}: an item came twice"
    );
    let missing: Vec<_> = always.difference(&once).collect();
    assert!(
        missing.is_empty(),
        "{path}, seed {seed}: {missing:?} were there and did not come"
    );
}

async fn insert(stack: &Stack, list: &List, of: Uuid, chance: &mut StdRng) -> Uuid {
    let mut bytes = [0; 16];
    chance.fill_bytes(&mut bytes);
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    sqlx::query(list.insert)
        .bind(id)
        .bind(of)
        .bind(chance.random_range(0..6_i32))
        .execute(&stack.db)
        .await
        .unwrap();
    id
}
