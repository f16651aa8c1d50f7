//! package: everything is there; how big is it?

use millrace_domain::{
    ids::VideoId,
    videos::{self, Segment, Stage, Video},
};
use millrace_queue::{Failure, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, plan::Decided};

/// Checks that every segment is there and measures the renditions. It writes no file: playlists are queries.
/// Safe twice: it measures the same.
#[derive(Debug, Serialize, Deserialize)]
pub struct Package {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for Package {
    const KIND: &'static str = "package";
    const QUEUE: &'static str = "default";

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        if Video::advance(cx.db(), video.id, self.generation, Stage::Packaging).await? {
            let mut tx = cx.db().begin().await?;
            let hint = videos::video_changed(&mut tx, video.id, video.user_id).await?;
            tx.commit().await?;
            hint.fire(cx.notifier());
        }
        let expected = Decided::of(&video)?.plan.grid.segment_count();
        let mut measured = Vec::new();
        for quality in videos::qualities(cx.db(), video.id, self.generation).await? {
            let segments = videos::segments(cx.db(), video.id, self.generation, &quality.rendition).await?;
            let whole = segments.iter().zip(0..).all(|(s, n)| s.n == n);
            if segments.is_empty() || !whole || (quality.kind == "video" && segments.len() as i64 != i64::from(expected)) {
                let error = format!("{} has {} of {expected} segments", quality.rendition, segments.len());
                return Err(Failure::Retry(error.into()));
            }
            measured.push((quality.rendition, bandwidths(&segments)));
        }
        cx.complete(cx.db(), async |tx| {
            for (rendition, (peak, mean)) in &measured {
                videos::set_measured(&mut *tx, video.id, self.generation, rendition, *peak, *mean).await?;
            }
            Video::advance(&mut *tx, video.id, self.generation, Stage::Publishing).await?;
            videos::video_changed(tx, video.id, video.user_id).await.map(Into::into)
        })
        .await
    }
}

/// Peak and mean bits a second, as RFC 8216 wants BANDWIDTH and AVERAGE-BANDWIDTH: the largest rate of any segment,
/// and that of all together.
fn bandwidths(segments: &[Segment]) -> (i32, i32) {
    let rate = |bytes: f64, seconds: f64| (bytes * 8.0 / seconds.max(0.001)).ceil().min(f64::from(i32::MAX)) as i32;
    let seconds: f64 = segments.iter().map(Segment::seconds).sum();
    // A last segment of a few frames would have a peak that no player ever sees: RFC 8216 looks at runs of segments
    // between half and one and a half target durations.
    let longest = segments.iter().map(Segment::seconds).fold(0.0, f64::max);
    let peak = segments
        .iter()
        .filter(|s| s.seconds() >= longest / 2.0)
        .map(|s| rate(f64::from(s.bytes), s.seconds()))
        .max()
        .unwrap_or_default();
    let mean = rate(segments.iter().map(|s| f64::from(s.bytes)).sum(), seconds);
    (peak.max(mean), mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(n: i32, length: i64, bytes: i32) -> Segment {
        Segment {
            n,
            chunk: 0,
            key: String::new(),
            init_key: String::new(),
            start: 0,
            length,
            timescale: 1000,
            bytes,
            keyframe_bytes: None,
        }
    }

    #[test]
    fn the_peak_is_of_a_whole_segment_and_the_mean_of_all() {
        let segments = [segment(0, 4000, 400_000), segment(1, 4000, 800_000), segment(2, 40, 100_000)];
        let (peak, mean) = bandwidths(&segments);
        assert_eq!(peak, 1_600_000);
        assert_eq!(mean, 1_293_533);
    }
}
