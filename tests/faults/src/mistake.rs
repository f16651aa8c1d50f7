//! The mutants: mistakes of the engine that the checker has to find, each with the row of the matrix that shows it.

use anyhow::{Result, ensure};
use sqlx::{AssertSqlSafe, PgConnection};

/// A mistake.
#[derive(Debug, Clone, Copy)]
pub struct Mistake {
    pub name: &'static str,
    /// The row that must find it.
    pub row: &'static str,
    how: How,
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// In the engine's own code, behind its feature `mutants`.
    Engine,
    /// A part of a function of the database, and what it is replaced with.
    Sql {
        function: &'static str,
        part: &'static str,
        wrong: &'static str,
    },
}

const fn engine(name: &'static str, row: &'static str) -> Mistake {
    Mistake {
        name,
        row,
        how: How::Engine,
    }
}

const fn sql(
    name: &'static str,
    row: &'static str,
    function: &'static str,
    part: &'static str,
    wrong: &'static str,
) -> Mistake {
    Mistake {
        name,
        row,
        how: How::Sql {
            function,
            part,
            wrong,
        },
    }
}

/// All of them.
pub const MISTAKES: &[Mistake] = &[
    engine("renew_unfenced", "freeze"),
    engine("never_renews", "slow"),
    engine("drain_unrenewed", "drain"),
    engine("never_lets_go", "cut_off"),
    engine("answers_dropped", "errors"),
    engine("claim_unlocked", "calm"),
    engine("never_polls", "deaf"),
    engine("cancel_ignored", "cancel"),
    engine("release_charged", "drain"),
    sql(
        "ack_unfenced",
        "black_hole",
        "complete_jobs",
        "and j.token = i.token",
        "",
    ),
    sql(
        "rescue_ignores_attempts",
        "poison",
        "rescue",
        "when r.attempt >= r.max_attempts then 'discarded'",
        "",
    ),
    sql(
        "crashes_uncounted",
        "poison",
        "rescue",
        "set crash_count = j.crash_count + 1,",
        "set crash_count = j.crash_count,",
    ),
    sql(
        "never_rescues",
        "kill",
        "rescue",
        "j.lease_until < clock_timestamp()",
        "false",
    ),
    sql(
        "rescues_the_living",
        "slow",
        "rescue",
        "j.lease_until < clock_timestamp()",
        "j.lease_until < clock_timestamp() + interval '1 minute'",
    ),
    sql(
        "keys_taken_over",
        "duplicates",
        "take_keys",
        "and u.expires_at <= clock_timestamp()",
        "",
    ),
    sql(
        "keys_kept",
        "calm",
        "complete_jobs",
        "if v_unique then",
        "if false then",
    ),
    sql(
        "keys_kept_by_failed",
        "calm",
        "end_jobs",
        "delete from queue.unique_key where job_id = any(v_ids) and expires_at is null;",
        "null;",
    ),
    sql(
        "keys_kept_alone",
        "calm",
        "complete_one",
        "delete from queue.unique_key where job_id = in_id and expires_at is null;",
        "null;",
    ),
    sql(
        "fan_in_twice",
        "calm",
        "free_children",
        "set pending = j.pending - c.n",
        "set pending = j.pending - 2 * c.n",
    ),
    sql(
        "children_forgotten",
        "calm",
        "complete_jobs",
        "if found then",
        "if false then",
    ),
    sql(
        "serial_uncounted",
        "calm",
        "claim_gated",
        "j.state = 'running' and j.limit_key = v_key",
        "false",
    ),
    sql(
        "on_failure_lost",
        "calm",
        "end_jobs",
        "if v_specs is not null then",
        "if false then",
    ),
    sql(
        "orphans_left",
        "calm",
        "end_jobs",
        "as c(id, ok, cause) where not ok;",
        "as c(id, ok, cause) where false;",
    ),
    sql(
        "history_lost",
        "calm",
        "end_jobs",
        "from gone\n",
        "from gone where end_state <> 'discarded'\n",
    ),
    sql(
        "promotion_lost",
        "calm",
        "promote",
        "run_at <= clock_timestamp()",
        "false",
    ),
];

impl Mistake {
    /// How much of its row shows it, in percent.
    pub fn percent(&self) -> u64 {
        // 64 clients need few keys to meet.
        match self.row {
            "duplicates" => 4,
            "cut_off" => 100,
            _ => 40,
        }
    }

    /// What the workers have to be told, if it is theirs.
    pub fn for_workers(&self) -> Option<&'static str> {
        matches!(self.how, How::Engine).then_some(self.name)
    }

    /// Puts it into the functions of a database, if it is theirs.
    ///
    /// # Errors
    /// That the function is not what it was when the mistake was made up.
    pub async fn plant(&self, conn: &mut PgConnection) -> Result<()> {
        let How::Sql {
            function,
            part,
            wrong,
        } = self.how
        else {
            return Ok(());
        };
        let text: String = sqlx::query_scalar(
            "select pg_get_functiondef(p.oid) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname = 'queue' and p.proname = $1",
        )
        .bind(function)
        .fetch_one(&mut *conn)
        .await?;
        ensure!(
            text.contains(part),
            "{}: queue.{function} has changed and has no {part:?} any more",
            self.name
        );
        sqlx::raw_sql(AssertSqlSafe(text.replace(part, wrong)))
            .execute(conn)
            .await?;
        Ok(())
    }
}
