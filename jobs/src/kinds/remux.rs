//! remux: a source that browsers play anyway is copied, and watched while the ladder is encoded.

use std::{collections::HashMap, time::Duration};

use millrace_domain::{
    ids::VideoId,
    media::{CopySpec, Fast, FastPath, Grid, Scan, playlist},
    videos::{self, NewSource, SOURCE, Video},
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    context::media_failure,
    flows,
    part::{Part, announcements},
    plan::Decided,
};

/// Copies a standard source: a small one into a file, a larger one into segments of its picture. Its failure costs
/// nothing but time: whatever is half done is dropped, and the ladder goes on.
/// Safe twice: keys are the run's own, rows are written under its lease, and a second run makes the same segments and
/// stores those that are missing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Remux {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for Remux {
    const KIND: &'static str = "remux";
    const QUEUE: &'static str = "media";
    const MAX_ATTEMPTS: u16 = 5;
    /// Before the first chunk: its first segment is there sooner, and then all of them.
    const PRIORITY: i16 = -25;
    const TIMEOUT: Duration = Duration::from_secs(60 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let done = self.copy(cx, &video).await;
        match &done {
            // Nobody goes on from here. The list of half a copy would end in the middle for good.
            Err(Failure::Fail { .. }) => self.give_up(cx, &video).await?,
            Err(Failure::Retry(_) | Failure::RetryAfter(..)) if cx.attempt >= cx.max_attempts => {
                self.give_up(cx, &video).await?;
            }
            _ => {}
        }
        done
    }
}

impl Remux {
    async fn copy(&self, cx: &JobContext, video: &Video) -> Outcome {
        let decided = Decided::of(video)?;
        let source = cx.source(video).await?;
        let transcoder = &cx.services().transcoder;
        let scan = transcoder
            .scan(source.path(), &cx.cancelled())
            .await
            .map_err(media_failure)?;
        let fast = decided.fast.seen(&scan);
        let spec = CopySpec {
            source: source.path().to_owned(),
            probe: decided.probe,
            grid: decided.plan.grid,
            from_segment: 0,
        };
        match fast.path {
            None => self.refuse(cx, video, fast).await,
            Some(FastPath::Mp4) => self.file(cx, video, &spec).await,
            Some(FastPath::Hls) => self.segments(cx, video, spec, &scan).await,
        }
    }

    /// The packets say no: the reason is kept for people.
    async fn refuse(&self, cx: &JobContext, video: &Video, fast: Fast) -> Outcome {
        if let Some(obstacle) = fast.obstacle {
            tracing::info!(video.id = %video.id, ?obstacle, "the source is not copied: {obstacle}");
        }
        let note = serde_json::to_value(fast)?;
        cx.complete(cx.db(), async |tx| {
            videos::note_fast(&mut *tx, video.id, self.generation, &note)
                .await
                .map(|()| Wake::none())
        })
        .await
    }

    async fn file(&self, cx: &JobContext, video: &Video, spec: &CopySpec) -> Outcome {
        if video.file_key.is_some() {
            return Ok(Done::Completed);
        }
        let copy = cx
            .services()
            .transcoder
            .copy_file(spec, &cx.cancelled())
            .await
            .map_err(media_failure)?;
        let run = video.run_name(cx.run_no);
        let key = format!(
            "hls/{}/{}/file/{}-{run}.mp4",
            video.id, video.generation, cx.id
        );
        cx.storage().put_file(&key, copy.path(), "video/mp4").await?;
        cx.complete(cx.db(), async |tx| {
            if !videos::set_file(&mut *tx, video.id, self.generation, &key).await? {
                // Ready or failed meanwhile: nobody needs it any more, and the sweep of orphans takes it.
                return Ok(Wake::none());
            }
            videos::video_changed(tx, video.id, video.user_id)
                .await
                .map(Into::into)
        })
        .await
    }

    async fn segments(
        &self,
        cx: &JobContext,
        video: &Video,
        mut spec: CopySpec,
        scan: &Scan,
    ) -> Outcome {
        let known = videos::source(cx.db(), video.id, self.generation).await?;
        if known.is_some_and(|source| source.complete) {
            return Ok(Done::Completed);
        }
        let new = self.promised(&spec, scan)?;
        let mut tx = millrace_bus::begin(cx.db()).await?;
        cx.fence(&mut tx).await?;
        videos::begin_source(&mut *tx, &new).await?;
        tx.commit().await?;

        let stored = self.stored(cx).await?;
        spec.from_segment = i32::try_from(stored.len()).or_fail("too many segments")?;
        let part = Part {
            cx,
            video,
            name: SOURCE.to_owned(),
            chunk: 0,
            grid: spec.grid,
            first_frame: 0,
            seconds: spec.grid.duration(),
            pass: (0, 1),
            missing_from: HashMap::from([(SOURCE.to_owned(), spec.from_segment)]),
        };
        let (closed, announced) = announcements();
        let stop = cx.cancelled().child_token();
        // Of the job, not of the video: the percent that people see is the ladder's.
        let report = |progress: millrace_domain::media::Progress| {
            let share = progress.frame as f64 / spec.grid.frame_count.max(1) as f64;
            cx.progress((share * 100.0) as f32, "copying");
        };
        let copy = cx
            .services()
            .transcoder
            .copy_segments(&spec, closed, &report, &stop);
        part.store_beside(copy, announced, &stop).await?;

        let rate = playlist::measure(new.target_duration, &self.stored(cx).await?);
        cx.complete(cx.db(), async |tx| {
            videos::set_measured(
                &mut *tx,
                video.id,
                self.generation,
                SOURCE,
                rate.peak,
                rate.average,
            )
            .await?;
            videos::video_changed(tx, video.id, video.user_id)
                .await
                .map(Into::into)
        })
        .await
    }

    /// What the packets promise of the segments: playlists state it from the first one on.
    fn promised(&self, spec: &CopySpec, scan: &Scan) -> Result<NewSource, Failure> {
        let picture = spec.probe.video.as_ref().or_fail("there is no picture")?;
        let segments: Vec<playlist::Segment> = scan
            .cuts(&spec.grid)
            .iter()
            .zip(0..)
            .map(|(cut, n)| playlist::Segment {
                n,
                length: (cut.seconds * 1e6) as i64,
                timescale: 1_000_000,
                bytes: i32::try_from(cut.bytes).unwrap_or(i32::MAX),
                key: String::new(),
                init_key: String::new(),
                keyframe_bytes: None,
            })
            .collect();
        let target_duration = target_duration(&spec.grid, &segments);
        Ok(NewSource {
            video: self.video,
            generation: self.generation,
            width: picture.width,
            height: picture.height,
            max_bitrate: playlist::measure(target_duration, &segments).peak,
            target_duration,
        })
    }

    /// The segments from the first one without a gap.
    async fn stored(&self, cx: &JobContext) -> Result<Vec<playlist::Segment>, Failure> {
        let rows =
            videos::leading_segments(cx.db(), self.video, self.generation, SOURCE).await?;
        Ok(rows.iter().map(Into::into).collect())
    }

    async fn give_up(&self, cx: &JobContext, video: &Video) -> Result<(), Failure> {
        let mut tx = millrace_bus::begin(cx.db()).await?;
        cx.fence(&mut tx).await?;
        let wake = flows::drop_copies(&mut tx, video).await.map_err(|error| {
            let error: Box<dyn std::error::Error + Send + Sync> = error.into();
            Failure::Retry(error)
        })?;
        tx.commit().await?;
        wake.fire(cx.notifier());
        Ok(())
    }
}

/// The longest segment in whole seconds, at least that of the grid, which the sound is cut by. A length is rounded, and
/// the twentieth of a second is for what the container's clock makes of it.
fn target_duration(grid: &Grid, segments: &[playlist::Segment]) -> i32 {
    let longest = segments
        .iter()
        .map(playlist::Segment::seconds)
        .fold(0.0, f64::max);
    grid.target_duration().max((longest + 0.05).round() as i32)
}

#[cfg(test)]
mod tests {
    use millrace_domain::media::Fps;

    use super::*;

    #[test]
    fn the_target_duration_is_that_of_the_longest_segment() {
        let segment = |seconds: f64| playlist::Segment {
            n: 0,
            length: (seconds * 1000.0) as i64,
            timescale: 1000,
            bytes: 1,
            key: String::new(),
            init_key: String::new(),
            keyframe_bytes: None,
        };
        let target = |lengths: &[f64]| {
            let segments: Vec<_> = lengths.iter().map(|&seconds| segment(seconds)).collect();
            target_duration(&Grid::new(Fps::new(25, 1), 60.0), &segments)
        };
        assert_eq!(target(&[2.0, 1.0]), 4);
        assert_eq!(target(&[4.004, 4.4]), 4);
        assert_eq!(target(&[4.48, 4.0]), 5);
        assert_eq!(target(&[4.8, 2.4]), 5);
        assert_eq!(target(&[10.0, 20.0]), 20);
    }
}
