//! probe: what is in the file, and what to make of it.

use millrace_domain::{
    ids::VideoId,
    media::{AUDIO_BITRATE, Fast, Plan},
    videos::{self, Grid, NewGeneration, Rendition, Stage, Stored, Video},
};
use millrace_queue::Outcome;
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    context::media_failure,
    pipeline::Pipeline,
    plan::{Decided, Encoder},
};

/// Says what a file is, decides the grid, the ladder and the chunks, and enqueues the rest of the pipeline.
/// Safe twice: everything that it decides is written in the transaction that completes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Probe {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for Probe {
    const KIND: &'static str = "probe";
    const QUEUE: &'static str = "media";
    /// Before everything else: without it nobody knows what to do.
    const PRIORITY: i16 = -30;

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        self.say_probing(cx, &video).await?;
        let source = cx.source(&video).await?;
        let probe = cx
            .services()
            .transcoder
            .probe(source.path(), &cx.cancelled())
            .await
            .map_err(media_failure)?;
        let slots = millrace_queue::live_slots(cx.db(), Self::QUEUE).await?;
        let plan = Plan::new(&probe, slots);
        let fast = Fast::of(&probe, video.file_size);
        let by = if cx.services().convert {
            Encoder::MediaConvert
        } else {
            Encoder::Ffmpeg
        };
        let decided = Decided {
            probe,
            plan,
            fast,
            by,
        };
        cx.complete(cx.db(), async |tx| {
            let jobs = Pipeline::new(&video, &decided, &Stored::default());
            videos::save_generation(tx, &self.rows(&decided, &jobs)?).await?;
            Video::advance(&mut *tx, self.video, self.generation, Stage::Encoding).await?;
            let mut wake = millrace_queue::enqueue_all(tx, jobs.into_jobs()).await?.wake;
            wake.merge(videos::video_changed(tx, video.id, video.user_id).await?);
            Ok::<_, millrace_queue::Failure>(wake)
        })
        .await
    }
}

impl Probe {
    async fn say_probing(&self, cx: &JobContext, video: &Video) -> Result<(), millrace_queue::Failure> {
        let mut tx = millrace_bus::begin(cx.db()).await?;
        cx.fence(&mut tx).await?;
        if Video::advance(&mut *tx, self.video, self.generation, Stage::Probing).await? {
            let hint = videos::video_changed(&mut tx, video.id, video.user_id).await?;
            tx.commit().await?;
            hint.fire(cx.notifier());
        }
        Ok(())
    }

    fn rows(&self, decided: &Decided, jobs: &Pipeline) -> Result<NewGeneration, serde_json::Error> {
        let Decided { probe, plan, .. } = decided;
        let mut renditions: Vec<Rendition> = plan
            .ladder
            .iter()
            .map(|rung| Rendition {
                name: rung.rendition.as_str().to_owned(),
                size: Some((rung.width, rung.height)),
                max_bitrate: rung.max_bitrate,
            })
            .collect();
        if plan.audio {
            renditions.push(Rendition {
                name: "audio".to_owned(),
                size: None,
                max_bitrate: AUDIO_BITRATE,
            });
        }
        Ok(NewGeneration {
            video: self.video,
            generation: self.generation,
            format: probe.format.clone(),
            duration: probe.duration,
            size: probe.video.as_ref().map(|v| (v.width, v.height)),
            grid: probe.video.as_ref().map(|_| Grid {
                fps_num: plan.grid.fps.num,
                fps_den: plan.grid.fps.den,
                frame_count: plan.grid.frame_count,
                segment_frames: plan.grid.segment_frames,
            }),
            has_audio: plan.audio,
            probe: serde_json::to_value(decided)?,
            renditions,
            chunks: jobs.chunk_rows(plan),
        })
    }
}
