//! One worker on one core, and two workers on one core each.

use std::time::Duration;

use anyhow::Result;
use millrace_tests::{Machines, Worker};
use serde_json::{Value, json};

use crate::{Measurement, clips::Source, rounded, settings, studio::Uploaded, usage};

const SOURCE: Source = Source::Small;
const SECONDS: u32 = 180;
/// One encoder thread in one slot: what one core can do.
const SETTINGS: [(&str, &str); 2] = [
    ("worker.queues", "media=1,default=4"),
    ("media.threads", "1"),
];

/// The value is how many times as fast two are; the base is 1.
pub(crate) async fn measure(runs: usize) -> Result<Measurement> {
    let (mut values, mut bases, mut details) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=runs {
        let (one, cpu_of_one, phases_of_one) = transcode(1).await?;
        let (two, cpu_of_two, phases_of_two) = transcode(2).await?;
        eprintln!(
            "run {run}: one worker {one:.1} s ({cpu_of_one} s of processor), two {two:.1} s ({cpu_of_two} s)"
        );
        values.push(one / two);
        bases.push(1.0);
        details.push(json!({
            "one_s": rounded(one), "one_cpu_s": cpu_of_one, "two_s": rounded(two), "two_cpu_s": cpu_of_two,
            "one_phases": phases_of_one, "two_phases": phases_of_two,
        }));
    }
    let mut settings = settings(&format!("{}, {SECONDS} s", SOURCE.name()));
    settings["threads"] = json!(1);
    settings["queues"] = json!("media=1,default=4");
    settings["pinned"] = json!("one core each");
    Ok(Measurement {
        id: "two_workers".to_owned(),
        values,
        bases,
        more: json!({ "unit": "times", "aim": 1.8, "settings": settings, "details": details }),
    })
}

/// Seconds from complete to ready with so many workers, and the processor time that they used.
async fn transcode(count: usize) -> Result<(f64, Value, Value)> {
    let clip = SOURCE.file(SECONDS).await?;
    let machines = Machines::with().durable().start().await?;
    let mut workers: Vec<Worker> = Vec::new();
    for n in 0..count {
        let core = n.to_string();
        let pinned = ["taskset", "-c", core.as_str()];
        workers.push(machines.worker(&format!("worker{n}"), &pinned, &SETTINGS)?);
    }
    for worker in &mut workers {
        worker
            .at_work(&machines.db, Duration::from_secs(30))
            .await?;
    }
    let uploaded = Uploaded::new(&machines, &clip).await?;
    let film = uploaded.complete().await?;
    let seconds = film.ready(&machines).await?;
    let mut cpu = Vec::new();
    for worker in &workers {
        cpu.push(rounded(usage::seconds(&worker.pid().to_string())?));
    }
    let phases = film.phases(&machines).await?;
    film.discard(&machines).await?;
    for worker in &mut workers {
        worker.terminate()?;
        worker.ended(Duration::from_secs(40)).await?;
    }
    machines.stop().await?;
    Ok((seconds, json!(cpu), phases))
}
