//! Pages: whoever turns them sees each thing once and misses none that was there all the time, while others come and go.

use std::collections::{HashMap, HashSet};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::stack::{Person, Stack, answer};

/// Things of a list, and how one more is made.
struct List {
    path: &'static str,
    table: &'static str,
    /// Which column names an item.
    key: &'static str,
    /// `$1`: its id, `$2`: the person, `$3`: what it hangs on, `$4` and `$5`: random numbers below a hundred.
    add: &'static str,
}

const VIDEO: &str = "insert into videos (id, user_id, title, original_key, original_etag, original_name, file_size, status, playable_at,
                                          views, created_at)
    select $1, $2, 'A walk ' || $4::int % 5, 'k', 'e', 'n', 1, 'ready', now(), $5::int % 7, now() - $4::int % 9 * interval '1 hour'
     where $3::uuid is not null";

const LISTS: &[List] = &[
    List { path: "/api/videos?sort=new&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/videos?sort=old&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/videos?sort=title&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/videos?owner=me&sort=title&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/videos?sort=views&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/search?q=walk&sort=new&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/search?q=walk&sort=views&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/search?q=walk&sort=relevance&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/channels/ann/videos?sort=popular&", table: "videos", key: "id", add: VIDEO },
    List { path: "/api/videos/recommended?", table: "videos", key: "id", add: VIDEO },
    List {
        path: "/api/videos/{thing}/comments?sort=new&",
        table: "comments",
        key: "id",
        add: "insert into comments (id, video_id, user_id, body, created_at)
              select $1, $3, $2, 'x', now() - $4::int % 9 * interval '1 hour' where $5::int is not null",
    },
    List {
        path: "/api/videos/{thing}/comments?sort=top&",
        table: "comments",
        key: "id",
        add: "insert into comments (id, video_id, user_id, body, likes) select $1, $3, $2, 'x', $4::int % 4 where $5::int is not null",
    },
    List {
        path: "/api/notifications?",
        table: "notifications",
        key: "id",
        add: "insert into notifications (id, user_id, kind, key, actor_id)
              select $1, $2, 'follower', $1::text, $2 where $3::uuid is not null and $4::int + $5::int >= 0",
    },
    List {
        path: "/api/me/history?",
        table: "watch_history",
        key: "video_id",
        add: "with video as (insert into videos (id, user_id, title, original_key, original_etag, original_name, file_size, status, playable_at)
                            values ($1, $2, 'x', 'k', 'e', 'n', 1, 'ready', now()) returning id)
             insert into watch_history (user_id, video_id, position, said_at, watched_at)
             select $2, id, 1, now(), now() - $4::int % 9 * interval '1 hour' from video where $3::uuid is not null and $5::int >= 0",
    },
];

/// What is in a list, as this test knows it.
struct Model<'a> {
    stack: &'a Stack,
    person: &'a Person,
    list: &'a List,
    thing: Uuid,
    there: HashSet<Uuid>,
}

impl Model<'_> {
    async fn add(&mut self, random: &mut StdRng) {
        let id = Uuid::now_v7();
        sqlx::query(self.list.add)
            .bind(id)
            .bind(self.person.id.0)
            .bind(self.thing)
            .bind(random.random_range(0..100_i32))
            .bind(random.random_range(0..100_i32))
            .execute(&self.stack.db)
            .await
            .unwrap();
        self.there.insert(id);
    }

    async fn remove(&mut self, random: &mut StdRng) {
        let mut all: Vec<Uuid> = self.there.iter().copied().collect();
        all.sort_unstable();
        let Some(id) = all.choose(random) else { return };
        let statement = format!(
            "delete from {} where {} = $1",
            self.list.table, self.list.key
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(id)
            .execute(&self.stack.db)
            .await
            .unwrap();
        self.there.remove(id);
    }

    /// Reads the list from its beginning to its end while things come and go.
    async fn read(&mut self, random: &mut StdRng) {
        let mut seen: HashMap<Uuid, usize> = HashMap::new();
        let mut always = self.there.clone();
        let mut cursor = String::new();
        loop {
            let path = self.list.path.replace("{thing}", &self.thing.to_string());
            let path = format!("{path}limit={}{cursor}", random.random_range(1..5));
            let request = self
                .stack
                .request(reqwest::Method::GET, &path)
                .bearer_auth(&self.person.token);
            let (status, page) = answer(request).await;
            assert_eq!(status, 200, "{path}: {page}");
            for item in page["items"].as_array().unwrap() {
                let item = item
                    .get("video")
                    .filter(|video| video.is_object() && self.list.table == "watch_history")
                    .unwrap_or(item);
                let id = item["id"].as_str().unwrap().parse().unwrap();
                *seen.entry(id).or_default() += 1;
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            for _ in 0..random.random_range(0..3) {
                if random.random_bool(0.5) {
                    self.add(random).await;
                } else {
                    self.remove(random).await;
                }
            }
            always.retain(|id| self.there.contains(id));
        }
        let path = self.list.path;
        assert!(
            seen.values().all(|times| *times == 1),
            "{path}: an item came twice: {seen:?}"
        );
        let missing: Vec<&Uuid> = always.iter().filter(|id| !seen.contains_key(*id)).collect();
        assert!(missing.is_empty(), "{path}: missing {missing:?}");
    }
}

#[tokio::test]
async fn no_item_comes_twice_or_is_missed_while_others_come_and_go() {
    let stack = Stack::start().await;
    let person = stack.person("ann").await;
    let maker = stack.person("maker").await;
    let thing = stack.listed(&maker, 60.0).await;
    sqlx::query("update videos set visibility = 'unlisted'")
        .execute(&stack.db)
        .await
        .unwrap();
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    for list in LISTS {
        let mut model = Model {
            stack: &stack,
            person: &person,
            list,
            thing: thing.0,
            there: HashSet::new(),
        };
        for _ in 0..14 {
            model.add(&mut random).await;
        }
        for _ in 0..4 {
            // The seed is told when an assertion fails.
            eprintln!("seed {seed}, {}", list.path);
            model.read(&mut random).await;
        }
        let rest = format!("delete from {}", list.table);
        let rest = if list.table == "videos" {
            format!("{rest} where visibility = 'public'")
        } else {
            rest
        };
        sqlx::query(AssertSqlSafe(rest))
            .execute(&stack.db)
            .await
            .unwrap();
        // Nobody turns so many pages.
        sqlx::query("delete from throttles")
            .execute(&stack.db)
            .await
            .unwrap();
        sqlx::query("delete from videos where visibility = 'public'")
            .execute(&stack.db)
            .await
            .unwrap();
    }
    stack.stop().await;
}
