//! `bench_media`: how fast videos are made, beside plain ffmpeg on the same machine in the same run. One JSON line a
//! measurement on standard output; what it is at on standard error.
//!
//! ```text
//! bench_media [--runs N] [ID...]
//! ```
//! Without ids, everything. An id is taken for all that begin with it: `first_playable` is six measurements.

#![expect(clippy::print_stdout, reason = "the measurements go there")]

/// What is transcoded.
mod clips;
/// First playable: from the completed upload to the first segment in a viewer's hands.
mod first_playable;
/// The whole pipeline, beside plain ffmpeg.
mod pipeline;
/// The command that a person would write.
mod plain;
/// Uploading, and waiting for videos.
mod studio;
/// Processor time.
mod usage;
/// One worker and two.
mod workers;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What was measured.
struct Measurement {
    id: String,
    /// Of all runs.
    values: Vec<f64>,
    /// What `values` are compared with, of all runs.
    bases: Vec<f64>,
    /// Further numbers.
    more: Value,
}

/// What the command line asks for.
struct Wishes {
    ids: Vec<String>,
    runs: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let wishes = Wishes::read()?;
    let runs = wishes.runs;
    if wishes.want("pipeline_vs_ffmpeg") {
        pipeline::measure(runs).await?.print();
    }
    for (minutes, standard) in first_playable::KINDS {
        let id = first_playable::id(minutes, standard);
        if wishes.want(&id) {
            first_playable::measure(minutes, standard, runs)
                .await?
                .print();
        }
    }
    if wishes.want("two_workers") {
        workers::measure(runs).await?.print();
    }
    Ok(())
}

impl Wishes {
    fn read() -> Result<Self> {
        let mut wishes = Self {
            ids: Vec::new(),
            runs: 3,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--runs" {
                let runs = words.next().context("--runs wants a number")?;
                wishes.runs = runs.parse().context("--runs wants a number")?;
                anyhow::ensure!(wishes.runs > 0, "--runs wants at least 1");
            } else {
                wishes.ids.push(word);
            }
        }
        Ok(wishes)
    }

    fn want(&self, id: &str) -> bool {
        self.ids.is_empty() || self.ids.iter().any(|wish| id.starts_with(wish.as_str()))
    }
}

impl Measurement {
    /// One line: the medians, their ratio, and everything that they come from.
    fn print(self) {
        let (value, base) = (median(&self.values), median(&self.bases));
        let mut line = json!({
            "id": self.id,
            "value": rounded(value),
            "base": rounded(base),
            "ratio": rounded(value / base),
            "runs": self.values.len(),
            "values": self.values.iter().copied().map(rounded).collect::<Vec<_>>(),
            "bases": self.bases.iter().copied().map(rounded).collect::<Vec<_>>(),
        });
        if let (Some(line), Some(more)) = (line.as_object_mut(), self.more.as_object()) {
            line.extend(more.clone());
        }
        println!("{line}");
    }
}

/// The settings that say what a number is worth.
fn settings(source: &str) -> Value {
    json!({
        "source": source,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "preset": plain::PRESET,
        "threads": plain::THREADS,
        "queues": "media=2,default=8",
    })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
