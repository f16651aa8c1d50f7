//! Uploading, and waiting for videos.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use millrace_tests::{Machines, Person, person::text, until};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

/// How long a video may take.
const READY_WITHIN: Duration = Duration::from_secs(3600);
/// Addresses of parts that are asked for at a time.
const ADDRESSES: u64 = 20;

/// An upload whose bytes are in the store.
pub(crate) struct Uploaded {
    person: Person,
    id: String,
}

/// A video, and when its upload was completed.
pub(crate) struct Film {
    pub(crate) id: String,
    pub(crate) begun: Instant,
    person: Person,
}

impl Uploaded {
    /// Sends a file.
    pub(crate) async fn new(machines: &Machines, path: &Path) -> Result<Self> {
        let person = Person::register_at(machines.address()).await?;
        let size = usize::try_from(tokio::fs::metadata(path).await?.len())?;
        let target = person.begin("film.mp4", size).await?.expect(201)?;
        let id = text(&target["upload_id"])?;
        if target["method"] == "single" {
            person.put(&target, &tokio::fs::read(path).await?).await?;
            return Ok(Self { person, id });
        }
        let part_size = target["part_size"].as_u64().context("no part_size")?;
        let count = target["part_count"].as_u64().context("no part_count")?;
        let mut file = tokio::fs::File::open(path).await?;
        for first in (1..=count).step_by(usize::try_from(ADDRESSES)?) {
            let numbers: Vec<u64> = (first..=count.min(first + ADDRESSES - 1)).collect();
            let signing = json!({ "part_numbers": numbers });
            let path = format!("/api/uploads/{id}/parts");
            let signed = person.post(&path, signing).await?.expect(200)?;
            for part in signed["parts"].as_array().context("no parts")? {
                let mut bytes = Vec::new();
                (&mut file).take(part_size).read_to_end(&mut bytes).await?;
                let one = json!({ "method": "multipart", "part_size": part_size, "parts": [part] });
                person.put(&one, &bytes).await?;
            }
        }
        Ok(Self { person, id })
    }

    /// Says that all of it is there: from now on it counts.
    pub(crate) async fn complete(self) -> Result<Film> {
        let path = format!("/api/uploads/{}/complete", self.id);
        let begun = Instant::now();
        let answer = self.person.post(&path, json!({ "title": "film" })).await?;
        let id = text(&answer.expect(201)?["id"])?;
        Ok(Film {
            id,
            begun,
            person: self.person,
        })
    }
}

impl Film {
    /// Waits until the video is ready; returns the seconds since its upload was completed.
    pub(crate) async fn ready(&self, machines: &Machines) -> Result<f64> {
        until("the video is ready", READY_WITHIN, async || {
            let status: String =
                sqlx::query_scalar("select status from videos where id = $1::uuid")
                    .bind(&self.id)
                    .fetch_one(&machines.db)
                    .await?;
            anyhow::ensure!(status != "failed", "the video failed");
            Ok((status == "ready").then_some(()))
        })
        .await?;
        Ok(self.begun.elapsed().as_secs_f64())
    }

    /// The video as its owner sees it.
    pub(crate) async fn view(&self) -> Result<Value> {
        self.person.video(&self.id).await
    }

    /// Who uploaded it.
    pub(crate) fn owner(&self) -> &Person {
        &self.person
    }

    /// Deletes the video, whatever is still being made of it, and waits until nothing is left of it.
    pub(crate) async fn discard(self, machines: &Machines) -> Result<()> {
        let answer = self
            .person
            .delete(&format!("/api/videos/{}", self.id))
            .await?;
        anyhow::ensure!(answer.status.is_success(), "not deleted: {}", answer.text);
        machines.quiet(Duration::from_secs(120)).await
    }

    /// When each kind of job began and ended, in seconds after the video was made. Those that still run have no end.
    pub(crate) async fn phases(&self, machines: &Machines) -> Result<Value> {
        let phases: Vec<(String, i64, f64, Option<f64>)> = sqlx::query_as(
            "with jobs as (select kind, args, started_at, finished_at from queue.history
                           union all select kind, args, started_at, null from queue.job)
             select j.kind, count(*), min(extract(epoch from j.started_at - v.created_at))::float8,
                    max(extract(epoch from j.finished_at - v.created_at))::float8
               from jobs j join videos v on v.id::text = j.args ->> 'video'
              where v.id = $1::uuid and j.started_at is not null group by 1 order by 3",
        )
        .bind(&self.id)
        .fetch_all(&machines.db)
        .await?;
        let mut all = serde_json::Map::new();
        for (kind, jobs, begun, ended) in phases {
            let (begun, ended) = (crate::rounded(begun), ended.map(crate::rounded));
            all.insert(kind, json!({ "jobs": jobs, "from": begun, "to": ended }));
        }
        Ok(Value::Object(all))
    }
}
