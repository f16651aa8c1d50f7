//! A cache in the database, shared by all processes (SPEC 7): `get`, `put`, [`Cache::get_or_compute`], delete by prefix.
//!
//! Of many who miss a value at once, one computes it. Within a process that is moka's single flight, which also answers
//! from memory for [`NEAR`]; across processes it is a lease in the row, taken by one statement. The others wait for the value.
//! A computer that dies holds nobody up for longer than its lease; and whoever has waited for [`PATIENCE`] computes by
//! themselves: a cache may be slow or away, but it never fails what it serves.
//!
//! Values are small JSON documents. Keys are `kind:id`; a prefix deletes all of a kind, or all of one thing.

use std::{future::Future, sync::Arc, time::Duration};

use moka::future::Cache as Near;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How long a process answers from its own memory: a hot key costs the database four reads a second and process.
const NEAR: Duration = Duration::from_millis(250);
/// Values that a process remembers.
const NEAR_VALUES: u64 = 10_000;
/// How long a computation is believed to be under way. What takes longer should be a job.
const LEASE: Duration = Duration::from_secs(5);
/// How long others wait for it before they compute by themselves: longer than a lease, so that after a death one more is
/// tried before everybody is.
const PATIENCE: Duration = Duration::from_secs(8);
/// The first pause between two looks; it doubles up to ten times as long.
const LOOK: Duration = Duration::from_millis(10);

/// The cache as one process has it; clones share what it remembers.
#[derive(Debug, Clone)]
pub struct Cache {
    db: PgPool,
    near: Near<String, Arc<Value>>,
    /// Names this process in leases. Within it there is one flight per key, so it may take its own lease over: that of a
    /// flight whose caller went away.
    me: Uuid,
    lease: Duration,
    patience: Duration,
}

/// Why there is no value.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CacheError {
    /// The computation failed: nobody else's fault, and nothing is stored.
    #[error("the value could not be computed")]
    Compute(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The stored value is another version's, or the computed one cannot be written as JSON.
    #[error("the value is not of the wanted kind")]
    Json(#[source] Arc<serde_json::Error>),
}

/// What a look at a key finds.
enum Look {
    /// It is there.
    Found(Value),
    /// It is ours to compute.
    Ours,
    /// Somebody computes it.
    Theirs,
}

impl Cache {
    /// The cache of this process.
    pub fn new(db: PgPool) -> Self {
        Self::patient(db, LEASE, PATIENCE)
    }

    /// The same with another lease and patience.
    pub fn patient(db: PgPool, lease: Duration, patience: Duration) -> Self {
        Self {
            db,
            near: Near::builder()
                .max_capacity(NEAR_VALUES)
                .time_to_live(NEAR)
                .support_invalidation_closures()
                .build(),
            me: Uuid::now_v7(),
            lease,
            patience,
        }
    }

    /// The value of a key, if there is one that is not too old.
    ///
    /// # Errors
    /// Those of the statement; a value of another kind is none.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, sqlx::Error> {
        let value = sqlx::query_scalar!(
            r#"select value as "value!" from cache_data where key = $1 and expires_at > now() and value is not null"#,
            key
        )
        .fetch_optional(&self.db)
        .await?;
        Ok(value.and_then(|value| serde_json::from_value(value).ok()))
    }

    /// Stores a value for `ttl`.
    ///
    /// # Errors
    /// Those of the statement, and of a value that is no JSON.
    pub async fn put<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<(), sqlx::Error> {
        let value =
            serde_json::to_value(value).map_err(|error| sqlx::Error::Encode(error.into()))?;
        store(&self.db, key, &value, ttl).await?;
        self.near.invalidate(key).await;
        Ok(())
    }

    /// Forgets all keys that begin with `prefix`, and says how many those were. Other processes' memories follow within
    /// a quarter of a second. What is being computed meanwhile is stored all the same: it may be as old as its beginning.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<u64, sqlx::Error> {
        let done = sqlx::query!(
            "delete from cache_data where starts_with(key, $1) and (lease_until is null or lease_until < now())",
            prefix
        )
        .execute(&self.db)
        .await?;
        // Under a lease: the row stays for whoever computes, its value does not.
        let emptied = sqlx::query!(
            "update cache_data set value = null, expires_at = now()
              where starts_with(key, $1) and value is not null",
            prefix
        )
        .execute(&self.db)
        .await?;
        let own = prefix.to_owned();
        // It fails only for a cache without support for it, which ours has.
        let _ = self
            .near
            .invalidate_entries_if(move |key, _| key.starts_with(&own));
        Ok(done.rows_affected() + emptied.rows_affected())
    }

    /// The value of a key; computed, and kept for `ttl`, if there is none. Of all who ask at once, in all processes, one
    /// computes. When the database cannot say, everybody does.
    ///
    /// # Errors
    /// [`CacheError::Compute`]: those who waited in the same process get it, too; the next one tries anew.
    pub async fn get_or_compute<T, E, F>(
        &self,
        key: &str,
        ttl: Duration,
        compute: impl FnOnce() -> F + Send,
    ) -> Result<T, CacheError>
    where
        T: Serialize + DeserializeOwned,
        E: std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send,
    {
        let flight = async {
            let compute = async {
                let value = compute()
                    .await
                    .map_err(|error| CacheError::Compute(Arc::new(error)))?;
                serde_json::to_value(value).map_err(|error| CacheError::Json(Arc::new(error)))
            };
            self.fly(key, ttl, compute).await.map(Arc::new)
        };
        let value = self.near.try_get_with_by_ref(key, flight).await;
        let value = value.map_err(|error| CacheError::clone(&error))?;
        T::deserialize(&*value).map_err(|error| CacheError::Json(Arc::new(error)))
    }

    /// The one flight of a key in this process.
    async fn fly(
        &self,
        key: &str,
        ttl: Duration,
        compute: impl Future<Output = Result<Value, CacheError>>,
    ) -> Result<Value, CacheError> {
        let end = Instant::now() + self.patience;
        let mut pause = LOOK;
        loop {
            match self.look(key).await {
                Ok(Look::Found(value)) => return Ok(value),
                Ok(Look::Ours) => return self.compute(key, ttl, compute).await,
                Ok(Look::Theirs) if Instant::now() < end => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LOOK * 10);
                }
                Ok(Look::Theirs) => {
                    tracing::warn!(cache.key = key, "waited too long for a cached value");
                    return compute.await;
                }
                Err(error) => {
                    tracing::warn!(cache.key = key, %error, "the cache is away");
                    return compute.await;
                }
            }
        }
    }

    async fn compute(
        &self,
        key: &str,
        ttl: Duration,
        compute: impl Future<Output = Result<Value, CacheError>>,
    ) -> Result<Value, CacheError> {
        metrics::counter!("millrace_cache_computed_total").increment(1);
        match compute.await {
            Ok(value) => {
                // Also when the lease was lost meanwhile: of two values, the later is not worse.
                if let Err(error) = store(&self.db, key, &value, ttl).await {
                    tracing::warn!(cache.key = key, %error, "a value could not be cached");
                }
                Ok(value)
            }
            Err(error) => {
                let given_back = sqlx::query!(
                    "update cache_data set lease_until = null where key = $1 and lease_by = $2",
                    key,
                    self.me
                );
                // Or it runs out by itself.
                let _ = given_back.execute(&self.db).await;
                Err(error)
            }
        }
    }

    /// Reads a key; if it has no value, takes the lease of its computation unless somebody has it. One statement each: most
    /// looks find something, and reading locks nothing.
    async fn look(&self, key: &str) -> Result<Look, sqlx::Error> {
        let found = sqlx::query!(
            r#"select value, expires_at > now() as "fresh!", coalesce(lease_until > now() and lease_by <> $2, false) as "leased!"
                 from cache_data where key = $1"#,
            key,
            self.me,
        )
        .fetch_optional(&self.db)
        .await?;
        if let Some(row) = found {
            match row.value {
                Some(value) if row.fresh => return Ok(Look::Found(value)),
                _ if row.leased => return Ok(Look::Theirs),
                _ => {}
            }
        }
        let taken = sqlx::query!(
            "insert into cache_data as c (key, value, expires_at, lease_by, lease_until)
             values ($1, null, now(), $2, now() + make_interval(secs => $3))
             on conflict (key) do update set lease_by = excluded.lease_by, lease_until = excluded.lease_until
              where (c.expires_at <= now() or c.value is null)
                and (c.lease_until is null or c.lease_until <= now() or c.lease_by = $2)",
            key,
            self.me,
            self.lease.as_secs_f64(),
        )
        .execute(&self.db)
        .await?;
        // None: somebody was faster, with the lease or with the value.
        Ok(if taken.rows_affected() == 1 {
            Look::Ours
        } else {
            Look::Theirs
        })
    }
}

async fn store(
    db: impl PgExecutor<'_>,
    key: &str,
    value: &Value,
    ttl: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into cache_data (key, value, expires_at) values ($1, $2, now() + make_interval(secs => $3))
         on conflict (key) do update
            set value = excluded.value, expires_at = excluded.expires_at, updated_at = now(), lease_by = null, lease_until = null",
        key,
        value,
        ttl.as_secs_f64(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes at most `limit` values that are too old, the oldest first, and says how many those were. Rows that somebody has
/// locked are left for the next time: a sweep holds nobody up.
///
/// # Errors
/// Those of the statement.
pub async fn sweep(db: impl PgExecutor<'_>, limit: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from cache_data where key = any(array(
            select key from cache_data
             where expires_at < now() and (lease_until is null or lease_until < now())
             order by expires_at limit $1 for update skip locked))",
        limit
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
