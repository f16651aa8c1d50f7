//! The whole pipeline, from the completed upload to the video that is ready, beside plain ffmpeg that makes the same
//! qualities of the same file.

use std::time::Duration;

use anyhow::Result;
use millrace_tests::Machines;
use serde_json::json;

use crate::{Measurement, clips::Source, plain, rounded, settings, studio::Uploaded, usage};

const SOURCE: Source = Source::Camera;
const SECONDS: u32 = 180;

/// Plain ffmpeg and the pipeline take turns.
pub(crate) async fn measure(runs: usize) -> Result<Measurement> {
    let clip = SOURCE.file(SECONDS).await?;
    let machines = Machines::with().durable().start().await?;
    let mut worker = machines.worker("worker", &[], &[])?;
    worker
        .at_work(&machines.db, Duration::from_secs(30))
        .await?;
    let (mut values, mut bases) = (Vec::new(), Vec::new());
    let (mut cpu, mut plain_cpu, mut phases) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=runs {
        let folder = tempfile::tempdir()?;
        let before = usage::seconds("self")?;
        bases.push(plain::transcode(&clip, (1920, 1080), folder.path()).await?);
        plain_cpu.push(rounded(usage::seconds("self")? - before));
        drop(folder);

        let uploaded = Uploaded::new(&machines, &clip).await?;
        let before = usage::seconds(&worker.pid().to_string())?;
        let film = uploaded.complete().await?;
        values.push(film.ready(&machines).await?);
        cpu.push(rounded(usage::seconds(&worker.pid().to_string())? - before));
        phases.push(film.phases(&machines).await?);
        eprintln!(
            "run {run}: plain ffmpeg {:.1} s, the pipeline {:.1} s, {}",
            bases[run - 1],
            values[run - 1],
            phases[run - 1]
        );
        film.discard(&machines).await?;
    }
    worker.terminate()?;
    worker.ended(Duration::from_secs(40)).await?;
    machines.stop().await?;
    Ok(Measurement {
        id: "pipeline_vs_ffmpeg".to_owned(),
        values,
        bases,
        more: json!({
            "unit": "s",
            "aim": 1.05,
            "settings": settings(&format!("{}, {SECONDS} s", SOURCE.name())),
            "cpu_s": cpu,
            "base_cpu_s": plain_cpu,
            "phases": phases,
        }),
    })
}
