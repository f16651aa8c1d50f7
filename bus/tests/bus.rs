//! The bus over a real PostgreSQL: numbers without gaps, hints that arrive, listeners that come back.
//! DATABASE_URL names the cluster; each test makes a database of its own (`make test` provides the cluster).

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result};
use millrace_bus::{
    Event, Head, Heard, Listener, Notifier, Subscription, begin_as, events_after, events_since,
    heads, prune, publish,
};
use serde_json::json;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(10);

/// A database with the bus's tables, dropped at the end of a test that passes.
struct Database {
    name: String,
    cluster: PgConnectOptions,
    pool: PgPool,
}

impl Database {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
    async fn create() -> Result<Self> {
        let url = std::env::var("DATABASE_URL").context("DATABASE_URL must name a cluster")?;
        let cluster: PgConnectOptions = url.parse()?;
        let name = format!("bus_{}", uuid::Uuid::now_v7().simple());
        let mut admin = PgConnection::connect_with(&cluster).await?;
        admin
            .execute(AssertSqlSafe(format!("create database {name}")))
            .await?;
        let pool = PgPoolOptions::new()
            .max_connections(20)
            .connect_with(cluster.clone().database(&name))
            .await?;
        sqlx::raw_sql(include_str!("../../migrations/queue/0002_bus.sql"))
            .execute(&pool)
            .await?;
        Ok(Self {
            name,
            cluster,
            pool,
        })
    }

    fn options(&self) -> PgConnectOptions {
        self.cluster.clone().database(&self.name)
    }

    async fn drop(self) -> Result<()> {
        self.pool.close().await;
        let mut admin = PgConnection::connect_with(&self.cluster).await?;
        let sql = format!("drop database {} with (force)", self.name);
        admin.execute(AssertSqlSafe(sql)).await?;
        Ok(())
    }
}

fn event(topic: &str, n: i64) -> Event {
    Event {
        topic: topic.to_owned(),
        data: json!({ "n": n }),
    }
}

async fn heard(subscription: &mut Subscription) -> Result<Heard> {
    Ok(timeout(SOON, subscription.next()).await?)
}

#[tokio::test]
async fn numbers_are_contiguous_and_in_commit_order_whoever_publishes() -> Result<()> {
    let database = Database::create().await?;
    let mut publishers = Vec::new();
    for publisher in 0..8 {
        let pool = database.pool.clone();
        publishers.push(tokio::spawn(async move {
            for n in 0..25 {
                let mut tx = pool.begin().await?;
                // In either order: topics are locked by name, so that two publishers never wait for each other.
                let mut events = vec![event("a", n), event("b", n), event("a", -n)];
                if publisher % 2 == 0 {
                    events.reverse();
                }
                let _ = publish(&mut tx, &events).await?;
                if n % 5 == 4 {
                    tx.rollback().await?;
                } else {
                    tx.commit().await?;
                }
            }
            anyhow::Ok(())
        }));
    }
    // A reader that looks again and again never sees a number before those below it.
    let mut seen = 0;
    while !publishers.iter().all(tokio::task::JoinHandle::is_finished) {
        for e in events_since(&database.pool, "a", seen, 1_000).await? {
            assert_eq!(e.seq, seen + 1);
            seen = e.seq;
        }
        tokio::task::yield_now().await;
    }
    for publisher in publishers {
        publisher.await??;
    }
    let heads: HashMap<String, Head> = heads(
        &database.pool,
        &["a".to_owned(), "b".to_owned(), "c".to_owned()],
    )
    .await?
    .into_iter()
    .collect();
    assert_eq!((heads["a"].seq, heads["b"].seq), (8 * 20 * 2, 8 * 20));
    assert!(!heads.contains_key("c"), "nobody published to it");
    let all = events_since(&database.pool, "b", 0, 1_000).await?;
    assert!(all.iter().zip(1..).all(|(e, seq)| e.seq == seq) && all.len() == 160);
    database.drop().await
}

#[tokio::test]
async fn events_of_one_call_keep_their_order() -> Result<()> {
    let database = Database::create().await?;
    let mut conn = database.pool.acquire().await?;
    let events: Vec<Event> = (0..50)
        .map(|n| event(if n % 3 == 0 { "x" } else { "y" }, n))
        .collect();
    let _ = publish(&mut conn, &events).await?;
    drop(conn);
    let order: Vec<i64> = events_since(&database.pool, "y", 0, 100)
        .await?
        .iter()
        .filter_map(|e| e.data["n"].as_i64())
        .collect();
    assert!(order.is_sorted() && order.len() == 33, "{order:?}");
    database.drop().await
}

#[tokio::test]
async fn many_topics_are_read_at_once_each_from_its_own_place() -> Result<()> {
    let database = Database::create().await?;
    for n in 0..5 {
        let mut tx = database.pool.begin().await?;
        let _ = publish(&mut tx, &[event("a", n), event("b", 10 + n)]).await?;
        tx.commit().await?;
    }
    let places = [("a", 3), ("b", 0), ("c", 0)];
    let events = events_after(&database.pool, &places, 4).await?;
    let numbers = |topic: &str| -> Vec<(i64, i64)> {
        let events = events.get(topic).into_iter().flatten();
        events
            .map(|e| (e.seq, e.data["n"].as_i64().unwrap_or(-1)))
            .collect()
    };
    assert_eq!(numbers("a"), [(4, 3), (5, 4)]);
    assert_eq!(numbers("b"), [(1, 10), (2, 11), (3, 12), (4, 13)]);
    assert_eq!(events.len(), 2);
    database.drop().await
}

#[tokio::test]
async fn pruning_leaves_heads_so_that_a_late_client_is_told() -> Result<()> {
    let database = Database::create().await?;
    let mut conn = database.pool.acquire().await?;
    let _ = publish(&mut conn, &[event("t", 1), event("t", 2)]).await?;
    drop(conn);
    let later = chrono::Utc::now() + chrono::TimeDelta::minutes(1);
    assert_eq!(prune(&database.pool, later, 10).await?, 2);
    assert!(events_since(&database.pool, "t", 0, 10).await?.is_empty());
    assert_eq!(heads(&database.pool, &["t".to_owned()]).await?[0].1.seq, 2);
    database.drop().await
}

#[tokio::test]
async fn a_hint_arrives_once_however_often_it_is_given() -> Result<()> {
    let database = Database::create().await?;
    let shutdown = CancellationToken::new();
    let listener = Listener::start(database.options(), &["news"], shutdown.clone());
    let mut ear = listener.subscribe();
    assert_eq!(heard(&mut ear).await?, Heard::Gap, "the connection stands");
    let notifier = Notifier::start(database.options(), shutdown.clone());
    for _ in 0..1_000 {
        notifier.notify("news", "same");
    }
    notifier.notify("other", "nobody listens to this");
    notifier.notify("news", "last");
    let mut same = 0;
    loop {
        match heard(&mut ear).await? {
            Heard::Notice { payload, .. } if &*payload == "last" => break,
            Heard::Notice { channel, payload } => {
                assert_eq!((&*channel, &*payload), ("news", "same"));
                same += 1;
            }
            Heard::Gap => {}
        }
    }
    // One flush, or two if the first went out at once; PostgreSQL itself gives no order within a flush.
    assert!(same <= 2, "{same} notices");
    shutdown.cancel();
    database.drop().await
}

#[tokio::test]
async fn a_listener_whose_connection_is_killed_says_so_and_hears_again() -> Result<()> {
    let database = Database::create().await?;
    let shutdown = CancellationToken::new();
    let listener = Listener::start(database.options(), &["news"], shutdown.clone());
    let mut ear = listener.subscribe();
    let notifier = Notifier::start(database.options(), shutdown.clone());
    for round in 0..3 {
        assert_eq!(heard(&mut ear).await?, Heard::Gap);
        notifier.notify("news", &round.to_string());
        let Heard::Notice { payload, .. } = heard(&mut ear).await? else {
            anyhow::bail!("a gap without a reason");
        };
        assert_eq!(&*payload, round.to_string());
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and application_name in ('millrace-listen', 'millrace-notify')",
        )
        .execute(&database.pool)
        .await?;
    }
    shutdown.cancel();
    database.drop().await
}

/// Of whoever gives up while BEGIN is on its way, nothing is left on the connection that the next one gets.
#[tokio::test]
async fn a_beginning_that_is_given_up_leaves_no_transaction() -> Result<()> {
    let database = Database::create().await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(database.options())
        .await?;
    pool.execute("create table written (n integer)").await?;
    for n in 0..50 {
        tokio::select! {
            biased;
            begun = begin_as(&pool, "begin read only") => drop(begun?),
            // After so many looks at it: the connection is taken, BEGIN is sent, its answer is there.
            () = async { for _ in 0..n % 10 { tokio::task::yield_now().await } } => {}
        }
        sqlx::query("insert into written values ($1)")
            .bind(n)
            .execute(&pool)
            .await?;
        let seen: i64 = sqlx::query_scalar("select count(*) from written")
            .fetch_one(&database.pool)
            .await?;
        assert_eq!(seen, i64::from(n) + 1, "committed at once");
    }
    pool.close().await;
    database.drop().await
}
