//! Values that are computed once for all who ask at once, in all processes; and what happens when whoever computes dies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use millrace_domain::{
    cache::{self, Cache, CacheError},
    follows::COUNTED,
};
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::sync::{Notify, Semaphore};

use crate::stack::Stack;

const HOUR: Duration = Duration::from_secs(3_600);

/// Another pool of the same database, as another process has one.
async fn another(db: &PgPool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(5)
        .connect_with((*db.connect_options()).clone())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_callers_in_two_processes_one_computes() {
    let stack = Stack::start().await;
    let caches = [
        Cache::new(stack.db.clone()),
        Cache::new(another(&stack.db).await),
    ];
    let computed = Arc::new(AtomicU64::new(0));
    // Nobody is done before everybody has asked.
    let asked = Arc::new(Semaphore::new(0));
    let callers = (0..100).map(|n| {
        let (cache, computed, asked) = (caches[n % 2].clone(), computed.clone(), asked.clone());
        tokio::spawn(async move {
            asked.add_permits(1);
            cache
                .get_or_compute("list:new", HOUR, || async {
                    let _all = asked.acquire_many(100).await.unwrap();
                    Ok::<_, sqlx::Error>(computed.fetch_add(1, Ordering::SeqCst) + 1)
                })
                .await
        })
    });
    for answer in join_all(callers).await {
        assert_eq!(answer.unwrap().unwrap(), 1);
    }
    assert_eq!(computed.load(Ordering::SeqCst), 1);
    // It lies where a third process finds it.
    let third = Cache::new(stack.db.clone());
    assert_eq!(third.get::<u64>("list:new").await.unwrap(), Some(1));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_computer_that_dies_holds_others_up_no_longer_than_its_lease() {
    let stack = Stack::start().await;
    let lease = Duration::from_millis(400);
    let (first, second) = (
        Cache::patient(stack.db.clone(), lease, HOUR),
        Cache::patient(stack.db.clone(), lease, HOUR),
    );
    let begun = Arc::new(Notify::new());
    let dying = {
        let (first, begun) = (first.clone(), begun.clone());
        tokio::spawn(async move {
            let forever = || async {
                begun.notify_one();
                std::future::pending::<Result<u64, sqlx::Error>>().await
            };
            first.get_or_compute("slow", HOUR, forever).await
        })
    };
    begun.notified().await;
    dying.abort();
    // Another process waits for the lease to run out, and computes.
    let compute = || async { Ok::<_, sqlx::Error>(7_u64) };
    assert_eq!(
        second.get_or_compute("slow", HOUR, compute).await.unwrap(),
        7
    );

    // In the same process, whose caller merely went away, the next one goes on at once, though the lease is long.
    let patient = Cache::patient(stack.db.clone(), HOUR, HOUR);
    let left = {
        let (patient, begun) = (patient.clone(), begun.clone());
        tokio::spawn(async move {
            let forever = || async {
                begun.notify_one();
                std::future::pending::<Result<u64, sqlx::Error>>().await
            };
            patient.get_or_compute("left", HOUR, forever).await
        })
    };
    begun.notified().await;
    left.abort();
    assert_eq!(
        patient.get_or_compute("left", HOUR, compute).await.unwrap(),
        7
    );
    stack.stop().await;
}

#[tokio::test]
async fn who_has_waited_long_enough_computes_alone() {
    let stack = Stack::start().await;
    // Somebody who computes for hours.
    sqlx::query(
        "insert into cache_data (key, value, expires_at, lease_by, lease_until)
         values ('stuck', null, now(), gen_random_uuid(), now() + interval '1 day')",
    )
    .execute(&stack.db)
    .await
    .unwrap();
    let hasty = Cache::patient(stack.db.clone(), HOUR, Duration::from_millis(50));
    let compute = || async { Ok::<_, sqlx::Error>("mine".to_owned()) };
    assert_eq!(
        hasty.get_or_compute("stuck", HOUR, compute).await.unwrap(),
        "mine"
    );
    // And so does everybody when the database is away.
    let gone = another(&stack.db).await;
    gone.close().await;
    let alone = Cache::new(gone);
    assert_eq!(
        alone.get_or_compute("any", HOUR, compute).await.unwrap(),
        "mine"
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_failure_is_told_and_the_next_one_computes_anew() {
    let stack = Stack::start().await;
    let cache = Cache::patient(stack.db.clone(), HOUR, HOUR);
    let failing = || async { Err::<u64, _>(sqlx::Error::RowNotFound) };
    let told = cache.get_or_compute("odd", HOUR, failing).await;
    assert!(matches!(told, Err(CacheError::Compute(_))), "{told:?}");
    // Another process need not wait for the lease of one that failed.
    let other = Cache::patient(stack.db.clone(), HOUR, HOUR);
    let compute = || async { Ok::<_, sqlx::Error>(1_u64) };
    assert_eq!(other.get_or_compute("odd", HOUR, compute).await.unwrap(), 1);
    stack.stop().await;
}

#[tokio::test]
async fn values_are_put_got_deleted_by_prefix_and_swept_when_they_are_old() {
    let stack = Stack::start().await;
    let cache = Cache::new(stack.db.clone());
    let kept = json!({"videos": [1, 2]});
    for key in ["home:1", "home:2", "home%", "channel:1"] {
        cache.put(key, &kept, HOUR).await.unwrap();
    }
    assert_eq!(cache.get("home:1").await.unwrap(), Some(kept.clone()));
    assert_eq!(
        cache.get::<u64>("home:1").await.unwrap(),
        None,
        "of another kind"
    );
    assert_eq!(cache.delete_prefix("home:").await.unwrap(), 2);
    assert_eq!(
        cache.get::<serde_json::Value>("home:1").await.unwrap(),
        None
    );
    assert_eq!(cache.delete_prefix("home%").await.unwrap(), 1);
    let again = || async { Ok::<_, sqlx::Error>(json!("anew")) };
    let value = cache.get_or_compute("home:1", HOUR, again).await.unwrap();
    assert_eq!(value, json!("anew"));

    // Old ones are none, and go; what somebody computes just now stays.
    sqlx::query(
        "insert into cache_data (key, value, expires_at) select 'old:' || n, '1', now() - interval '1 s' from generate_series(1, 25) n",
    )
    .execute(&stack.db)
    .await
    .unwrap();
    sqlx::query(
        "insert into cache_data (key, value, expires_at, lease_by, lease_until)
         values ('busy', null, now(), gen_random_uuid(), now() + interval '1 hour')",
    )
    .execute(&stack.db)
    .await
    .unwrap();
    assert_eq!(cache.get::<u64>("old:1").await.unwrap(), None);
    let mut swept = Vec::new();
    loop {
        let batch = cache::sweep(&stack.db, 10).await.unwrap();
        swept.push(batch);
        if batch < 10 {
            break;
        }
    }
    assert_eq!(swept, [10, 10, 5]);
    let left: Vec<String> = sqlx::query_scalar("select key from cache_data order by key")
        .fetch_all(&stack.db)
        .await
        .unwrap();
    assert_eq!(left, ["busy", "channel:1", "home:1"]);
    stack.stop().await;
}

#[tokio::test]
async fn few_followers_are_exact_and_many_are_counted_once_a_while() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let path = "/api/channels/ann";
    let follow = "/api/channels/ann/follow";
    let (_, state) = stack.put_as(&bob, follow, json!({})).await;
    assert_eq!(state["followers"], 1);
    let (_, channel) = stack.get_as(&bob, path).await;
    assert_eq!(channel["followers"], 1);
    let more = i32::try_from(COUNTED).unwrap() + 500;
    sqlx::query(
        "with people as (
             insert into users (id, username, email, password)
             select gen_random_uuid(), 'fan-' || n, 'fan-' || n || '@example.org', '' from generate_series(1, $1::int) n returning id)
         insert into follows (follower_id, creator_id) select id, $2 from people",
    )
    .bind(more)
    .bind(ann.id.0)
    .execute(&stack.db)
    .await
    .unwrap();
    for _ in 0..2 {
        let (_, channel) = stack.get_as(&bob, path).await;
        assert_eq!(channel["followers"], more + 1);
    }
    let cached: serde_json::Value =
        sqlx::query_scalar("select value from cache_data where key = $1")
            .bind(format!("followers:{}", ann.id))
            .fetch_one(&stack.db)
            .await
            .unwrap();
    assert_eq!(cached, json!(more + 1));
    stack.stop().await;
}
