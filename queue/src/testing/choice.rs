//! Claims one job, by the statements of a worker.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Connection as _, FromRow as _, PgConnection};
use uuid::Uuid;

use crate::{
    JobId,
    fetch::{Fetch, Row, Stop},
};

/// Longer than any test; nobody renews it.
pub(super) const LEASE: Duration = Duration::from_secs(24 * 3600);

/// Who claims.
pub(super) struct Chooser {
    worker: Uuid,
    pub(super) kinds: Vec<String>,
    /// Of each queue, the gate at which the last claim stopped.
    gates: Mutex<HashMap<String, String>>,
}

/// What a claim found.
pub(super) enum Choice {
    Job(Box<Row>, Uuid),
    /// Nothing; a gate opens by itself after so long.
    Nothing(Option<Duration>),
}

impl Chooser {
    pub(super) fn new(worker: Uuid, kinds: Vec<String>) -> Self {
        Self {
            worker,
            kinds,
            gates: Mutex::default(),
        }
    }

    /// The next job that is due, whatever its queue: by priority, then time, but those of one queue that are behind gates
    /// take turns.
    pub(super) async fn next(&self, conn: &mut PgConnection) -> Result<Choice, sqlx::Error> {
        let places: Vec<(String, bool)> = sqlx::query_as(
            "select queue, gated from (
                 select distinct on (queue, gate is not null) queue, gate is not null as gated, priority, run_at, id
                   from queue.job where state = 'available' and kind = any($1)
                  order by queue, gate is not null, priority, run_at, id) as first
              order by priority, run_at, id",
        )
        .bind(&self.kinds)
        .fetch_all(&mut *conn)
        .await?;
        let mut opens: Option<Duration> = None;
        for (queue, gated) in places {
            let after = self.lock().clone();
            let token = Uuid::now_v7();
            let (row, stop) = self.claim(conn, &queue, gated, &after, token).await?;
            if let Some(stop) = stop {
                let wait = stop
                    .opens_in
                    .map(|seconds| Duration::from_secs_f64(seconds.max(0.0)));
                opens = [opens, wait].into_iter().flatten().min();
                self.lock().insert(queue, stop.gate);
            }
            if let Some(row) = row {
                return Ok(Choice::Job(Box::new(row), token));
            }
        }
        Ok(Choice::Nothing(opens))
    }

    /// This job, if a worker that comes to it may have it.
    pub(super) async fn this(
        &self,
        conn: &mut PgConnection,
        job: JobId,
    ) -> Result<Option<(Row, Uuid)>, sqlx::Error> {
        let mut tx = conn.begin().await?;
        // First in line, in this transaction alone.
        let place: Option<(String, Option<String>, String)> = sqlx::query_as(
            "update queue.job j set priority = -32768, run_at = 'epoch'
               from (select id, priority, run_at from queue.job where id = $1 and state = 'available' for update) as was
              where j.id = was.id
            returning j.queue, j.gate, json_build_object('priority', was.priority, 'run_at', was.run_at)::text",
        )
        .bind(job)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((queue, gate, was)) = place else {
            return Ok(None);
        };
        // The walk past the gates is to begin with its own.
        let before: Option<String> = sqlx::query_scalar(
            "select max(gate) from queue.job where queue = $1 and state = 'available' and gate < $2",
        )
        .bind(&queue)
        .bind(&gate)
        .fetch_one(&mut *tx)
        .await?;
        let after = HashMap::from([(queue.clone(), before.unwrap_or_default())]);
        let token = Uuid::now_v7();
        let (row, _) = self
            .claim(&mut tx, &queue, gate.is_some(), &after, token)
            .await?;
        let Some(row) = row.filter(|row| row.id == job.0) else {
            tx.rollback().await?;
            return Ok(None);
        };
        sqlx::query(
            "update queue.job set priority = ($2::json ->> 'priority')::smallint, run_at = ($2::json ->> 'run_at')::timestamptz
              where id = $1",
        )
        .bind(job)
        .bind(was)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some((row, token)))
    }

    async fn claim(
        &self,
        conn: &mut PgConnection,
        queue: &str,
        gated: bool,
        after: &HashMap<String, String>,
        token: Uuid,
    ) -> Result<(Option<Row>, Option<Stop>), sqlx::Error> {
        let fetch = Fetch {
            wanted: &[(queue.to_owned(), 1)],
            kinds: &self.kinds,
            token,
            lease: LEASE,
            worker: self.worker,
        };
        if gated {
            let (rows, stops) = fetch.gated(conn, after).await?;
            let row = rows.first().map(Row::from_row).transpose()?;
            Ok((row, stops.into_iter().next()))
        } else {
            let rows = fetch.plain(conn).await?;
            Ok((rows.first().map(Row::from_row).transpose()?, None))
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
