//! First playable: from the completed upload to the first segment of every quality and of the sound in a viewer's hands.
//! Compared with the time that copying the source's bytes takes, and 6 s.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use millrace_tests::{Machines, Player, until};
use serde_json::json;

use crate::{
    Measurement,
    clips::Source,
    rounded, settings,
    studio::{Film, Uploaded},
};

/// Minutes, and whether the source plays in browsers as it is.
pub(crate) const KINDS: [(u32, bool); 6] = [
    (1, false),
    (10, false),
    (60, false),
    (1, true),
    (10, true),
    (60, true),
];
/// What there is on top of copying.
const AIM_SECONDS: f64 = 6.0;
/// What is never reached.
const WITHIN: Duration = Duration::from_secs(600);

/// The name of a measurement.
pub(crate) fn id(minutes: u32, standard: bool) -> String {
    let standard = if standard { "_standard" } else { "" };
    format!("first_playable_s_{minutes}min{standard}")
}

/// Uploads, waits until it plays, and gives it up.
pub(crate) async fn measure(minutes: u32, standard: bool, runs: usize) -> Result<Measurement> {
    let source = if standard {
        Source::Standard
    } else {
        Source::Old
    };
    let clip = source.file(minutes * 60).await?;
    let bytes = tokio::fs::metadata(&clip).await?.len();
    let machines = Machines::with().durable().start().await?;
    let mut worker = machines.worker("worker", &[], &[])?;
    worker
        .at_work(&machines.db, Duration::from_secs(30))
        .await?;
    let (mut values, mut bases) = (Vec::new(), Vec::new());
    let (mut copies, mut phases) = (Vec::new(), Vec::new());
    for run in 1..=runs {
        let film = Uploaded::new(&machines, &clip).await?.complete().await?;
        values.push(playable(&film).await?);
        phases.push(film.phases(&machines).await?);
        let copy = copy(&machines, &film).await?;
        copies.push(rounded(copy));
        bases.push(AIM_SECONDS + copy);
        eprintln!(
            "{} run {run}: plays after {:.2} s, of which {copy:.2} s for the copy; {}",
            id(minutes, standard),
            values[run - 1],
            phases[run - 1]
        );
        film.discard(&machines).await?;
    }
    worker.terminate()?;
    worker.ended(Duration::from_secs(40)).await?;
    machines.stop().await?;
    Ok(Measurement {
        id: id(minutes, standard),
        values,
        bases,
        more: json!({
            "unit": "s",
            "aim": 1,
            "settings": settings(&format!("{}, {minutes} min", source.name())),
            "bytes": bytes,
            "copy_s": copies,
            "phases": phases,
        }),
    })
}

/// Seconds until a viewer has the first segment of everything that the video offers.
async fn playable(film: &Film) -> Result<f64> {
    let player = Player::of(film.owner())?;
    until("the video plays", WITHIN, async || {
        let video = film.view().await?;
        anyhow::ensure!(video["status"] != "failed", "the video failed: {video}");
        // A small file plays as it is, from its first byte on.
        if let Some(url) = video["mp4_url"].as_str() {
            return Ok(Some(player.bytes(url).await?.len()));
        }
        let Some(url) = video["hls_url"].as_str() else {
            return Ok(None);
        };
        let master = player.master(url).await?;
        let mut bytes = 0;
        for uri in master.variants.iter().map(|v| &v.uri).chain(&master.audio) {
            let url = player.resolve(url, uri)?;
            let media = player.media(&url).await?;
            let first = media.segments.first().context("an empty playlist")?;
            bytes += player
                .bytes(&player.resolve(&url, &first.uri)?)
                .await?
                .len();
        }
        Ok(Some(bytes))
    })
    .await?;
    Ok(film.begun.elapsed().as_secs_f64())
}

/// Seconds that the copy of the source from the store to a file takes while nothing else happens.
async fn copy(machines: &Machines, film: &Film) -> Result<f64> {
    let cancelled = film
        .owner()
        .post(&format!("/api/videos/{}/cancel", film.id), json!({}))
        .await?;
    // It may be ready by now.
    anyhow::ensure!(
        cancelled.status.is_success() || cancelled.status == 409,
        "not cancelled: {}",
        cancelled.text
    );
    machines.quiet(Duration::from_secs(120)).await?;
    let (key, etag): (String, String) =
        sqlx::query_as("select original_key, original_etag from videos where id = $1::uuid")
            .bind(&film.id)
            .fetch_one(&machines.db)
            .await?;
    let path = machines.folder().join("copy");
    let begun = Instant::now();
    machines.storage.download(&key, &etag, &path).await?;
    let seconds = begun.elapsed().as_secs_f64();
    tokio::fs::remove_file(&path).await?;
    Ok(seconds)
}
