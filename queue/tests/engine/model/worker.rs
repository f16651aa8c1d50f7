//! Claims and answers, as workers make them.

use anyhow::{Context as _, Result, bail, ensure};
use millrace_queue::State;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    action::{DELAY, KINDS, LEASE, QUEUES},
    minutes,
    world::World,
};

/// Claims without gates and then behind them. What is claimed has to be free to run; and after the gates were brought up to
/// date, nothing that is free is left while there was room.
pub(super) async fn claim(
    conn: &mut PgConnection,
    world: &mut World,
    queue: usize,
    free: usize,
    regate: bool,
) -> Result<()> {
    if regate {
        // Until it has nothing to do and knows that.
        for _ in 0..2 {
            sqlx::query("select queue.regate(1000)")
                .execute(&mut *conn)
                .await?;
        }
    }
    let (token, worker) = (Uuid::now_v7(), Uuid::nil());
    let lease = i64::try_from(minutes(LEASE).as_millis())?;
    let mut claimed: Vec<Uuid> = sqlx::query_scalar(include_str!("../../../src/claim.sql"))
        .bind([QUEUES[queue]])
        .bind([i64::try_from(free)?])
        .bind(KINDS)
        .bind(token)
        .bind(lease)
        .bind(worker)
        .fetch_all(&mut *conn)
        .await?;
    let left = free - claimed.len();
    if left > 0 {
        let gated: Vec<Uuid> = sqlx::query_scalar(
            "select id from queue.claim_gated($1, $2, array[''], $3, $4, $5, $6)
              where id <> '00000000-0000-0000-0000-000000000000'",
        )
        .bind([QUEUES[queue]])
        .bind([i64::try_from(left)?])
        .bind(KINDS)
        .bind(token)
        .bind(lease)
        .bind(worker)
        .fetch_all(&mut *conn)
        .await?;
        claimed.extend(gated);
    }
    for &id in &claimed {
        let place = world.at(id).context("an unknown job was claimed")?;
        ensure!(world.jobs[place].queue == queue, "of another queue");
        if let Some(why) = world.refusal(place) {
            bail!("{id} was claimed, but {why}");
        }
        world.claim(place, token);
    }
    ensure!(claimed.len() <= free, "{} of {free}", claimed.len());
    if regate && claimed.len() < free {
        let stranded = world.all(|job| job.queue == queue);
        let stranded = stranded
            .into_iter()
            .find(|&place| world.refusal(place).is_none());
        if let Some(place) = stranded {
            let job = &world.jobs[place];
            let gate: Option<String> =
                sqlx::query_scalar("select gate from queue.job where id = $1")
                    .bind(job.id)
                    .fetch_one(conn)
                    .await?;
            bail!(
                "nothing keeps {job:?} from running, and it was not claimed; its gate is {gate:?}"
            );
        }
    }
    Ok(())
}

pub(super) async fn end(
    conn: &mut PgConnection,
    id: Uuid,
    token: Option<Uuid>,
    state: State,
) -> Result<i64> {
    let changed = sqlx::query_scalar(
        "select count(ended) from queue.end_jobs(array[$1::uuid], array[$2::uuid], array[$3::text::queue.state],
             array[null::text], array[null::text], array[null::jsonb], array[null::jsonb])",
    )
    .bind(id)
    .bind(token)
    .bind(state.as_str())
    .fetch_one(conn)
    .await?;
    Ok(changed)
}

pub(super) async fn back(
    conn: &mut PgConnection,
    id: Uuid,
    token: Option<Uuid>,
    state: State,
    refund: bool,
) -> Result<i64> {
    let delay = (state != State::Available).then(|| minutes(DELAY).as_millis());
    let changed = sqlx::query_scalar(
        "select count(ended) from queue.put_back(array[$1::uuid], array[$2::uuid], array[$3::text::queue.state],
             array[$4::bigint], array[$5::boolean], array[null::jsonb])",
    )
    .bind(id)
    .bind(token)
    .bind(state.as_str())
    .bind(delay.map(i64::try_from).transpose()?)
    .bind(refund)
    .fetch_one(conn)
    .await?;
    Ok(changed)
}

pub(super) async fn put_back(
    conn: &mut PgConnection,
    world: &mut World,
    place: usize,
    state: State,
    refund: bool,
) -> Result<()> {
    let job = &world.jobs[place];
    ensure!(back(conn, job.id, job.token, state, refund).await? == 1);
    world.put_back(place, state, refund);
    Ok(())
}
