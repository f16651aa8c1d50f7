//! `make smoke-aws`: a short clip through a real MediaConvert and a real bucket, without a database. It costs some cents,
//! takes a few minutes, and deletes what it made.
#![expect(
    clippy::print_stdout,
    reason = "a command line answers on standard output"
)]

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use millrace_config::Config;
use millrace_domain::{
    ids::{UploadId, VideoId},
    media::{Plan, Probe, Rendition, mp4},
    mediaconvert::{JobStatus, Manifest, MediaConvert, Order, Outputs, Seen, request, trouble},
    storage::Storage,
};
use millrace_tests::Clip;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// A queue may be busy.
const WITHIN: Duration = Duration::from_secs(30 * 60);

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smoke_aws: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let config = Config::load()?;
    let storage = &config.storage;
    ensure!(
        !config.mediaconvert.role_arn.is_empty(),
        "MILLRACE__MEDIACONVERT__ROLE_ARN is missing; the bucket (MILLRACE__STORAGE__BUCKET), the region \
         (MILLRACE__STORAGE__REGION) and credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, or a role) are needed, too"
    );
    ensure!(
        storage.endpoint.is_empty(),
        "MILLRACE__STORAGE__ENDPOINT must be empty: MediaConvert reads S3 itself"
    );
    let options = millrace_jobs::converter_options(&config).context("no role")?;
    let (store, converter) = (
        Storage::new(&millrace_jobs::storage_options(&config)),
        MediaConvert::new(options),
    );
    store
        .check()
        .await
        .with_context(|| format!("the bucket {} cannot be used", storage.bucket))?;
    converter
        .check()
        .await
        .context("MediaConvert cannot be asked")?;
    let smoke = Smoke {
        store,
        converter,
        outputs: Outputs {
            video: VideoId::new(),
            generation: 1,
            round: 1,
            attempt: 1,
        },
        source: format!("raw/{}/source", UploadId::new()),
    };
    let done = smoke.run().await;
    smoke.clean().await?;
    done
}

struct Smoke {
    store: Storage,
    converter: MediaConvert,
    outputs: Outputs,
    source: String,
}

impl Smoke {
    async fn run(&self) -> Result<()> {
        let clip = Clip::new(10, "640x360").fps("30000/1001").file().await?;
        self.store
            .put_file(&self.source, &clip, "video/mp4")
            .await?;
        let probe: Probe = serde_json::from_value(json!({
            "format": "mov,mp4,m4a,3gp,3g2,mj2", "duration": 10.0, "cover": false,
            "video": {"codec": "h264", "width": 640, "height": 360, "rotation": 0, "fps": 29.97, "vfr": false,
                      "interlaced": false, "hdr": false, "pix_fmt": "yuv420p", "bit_rate": null, "end": 10.0},
            "audio": {"codec": "aac", "channels": 1, "sample_rate": 48000, "bit_rate": null, "end": 10.0},
        }))?;
        let plan = Plan::new(&probe, 1);
        let order = Order {
            token: Uuid::now_v7(),
            source: &self.source,
            probe: &probe,
            plan: &plan,
            outputs: self.outputs,
        };
        let began = chrono::Utc::now();
        let started = Instant::now();
        let seen = self
            .converter
            .create(request(&order, self.converter.options()))
            .await?;
        let id = seen.id.context("the answer has no id")?;
        println!("job {id} was taken");
        let ended = timeout(WITHIN, self.watch(&id))
            .await
            .context("it did not end within half an hour")??;
        if ended.status != JobStatus::Complete {
            bail!(
                "it ended as {:?}: {}",
                ended.status,
                trouble(ended.code, ended.message.as_deref())
            );
        }
        println!("it was made in {} s", started.elapsed().as_secs());
        let found = self.converter.find(order.token, began).await?;
        ensure!(
            found.and_then(|found| found.id).as_deref() == Some(&id),
            "it is not found by its token"
        );
        let rungs = plan.ladder.iter().map(|rung| rung.rendition);
        for rendition in rungs.chain([Rendition::Audio]) {
            self.read(rendition, &plan).await?;
        }
        let pictures = self.store.list(&self.outputs.pictures()).await?;
        ensure!(!pictures.is_empty(), "there are no pictures");
        println!("{} pictures", pictures.len());
        println!("everything is as it is expected");
        Ok(())
    }

    async fn watch(&self, id: &str) -> Result<Seen> {
        loop {
            let seen = self.converter.get(id).await?;
            if seen.status.is_terminal() {
                return Ok(seen);
            }
            println!("{:?}, {} %", seen.status, seen.percent);
            sleep(Duration::from_secs(10)).await;
        }
    }

    /// Reads a rendition as the job that registers it would.
    async fn read(&self, rendition: Rendition, plan: &Plan) -> Result<()> {
        let key = self.outputs.manifest(rendition);
        let text = self.store.get(&key, 1 << 20).await?;
        let manifest = Manifest::read(&text, &self.outputs, rendition)?;
        let init = self.store.get(&manifest.init, 1 << 20).await?;
        let init = mp4::Init::read(&init).with_context(|| manifest.init.clone())?;
        let mut lengths = Vec::new();
        for listed in &manifest.segments {
            let (head, total) = self.store.get_beginning(&listed.key, 32 * 1024).await?;
            let fragment = mp4::Fragment::read_head(&head, total, &init)
                .with_context(|| listed.key.clone())?;
            ensure!(
                fragment.starts_with_key,
                "{} does not start with a key frame",
                listed.key
            );
            lengths.push(fragment.length as f64 / f64::from(init.timescale));
        }
        let expected = usize::try_from(plan.grid.segment_count())?;
        ensure!(
            rendition == Rendition::Audio || lengths.len() == expected,
            "{rendition} has {} segments instead of {expected}: {lengths:?}",
            lengths.len()
        );
        println!(
            "{rendition}: {} ({}), {lengths:?}",
            init.codecs, init.timescale
        );
        Ok(())
    }

    async fn clean(&self) -> Result<()> {
        let folder = self.source.trim_end_matches("source");
        for prefix in [folder, &self.outputs.segments(), &self.outputs.pictures()] {
            self.store.delete_prefix(prefix).await?;
        }
        Ok(())
    }
}
