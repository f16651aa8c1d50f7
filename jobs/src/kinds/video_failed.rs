//! video_failed: the pipeline gave up, and the person is told why.

use millrace_domain::{
    email::Message,
    ids::{UserId, VideoId},
    notifications::{Kind, Notice},
    videos::{self, Status, Video},
};
use millrace_queue::{Done, Failure, FailureNote, NewJob, Outcome, State, UniqueKey};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, flows, plan::group};

/// Ends a video whose pipeline gave up. The engine inserts it in the transaction that ends the job that failed,
/// whoever ended it; so a video never waits for a job that is gone.
/// Safe twice: only a processing video of this generation and round can fail.
#[derive(Debug, Serialize, Deserialize)]
pub struct VideoFailed {
    pub video: VideoId,
    pub generation: i32,
    /// The try that failed. What went on since is not this one's to fail.
    #[serde(default = "first_round")]
    pub round: i16,
    /// Filled in by the engine.
    #[serde(rename = "_failure", default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureNote>,
}

impl Job for VideoFailed {
    const KIND: &'static str = "video_failed";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u16 = 20;

    async fn run(self, cx: &JobContext) -> Outcome {
        let Some(video) = Video::find(cx.db(), self.video).await?.filter(|video| self.fails(video)) else {
            return Ok(Done::Completed);
        };
        let (code, message) = self.reason();
        cx.complete(cx.db(), async |tx| {
            // Siblings are of no use any more, and they must not keep cores busy.
            let mut wake = millrace_queue::cancel_group(tx, group(self.video, self.generation), "the video failed").await?.wake;
            // Somebody cancelled the video, and may have begun another round, since it was read: then those jobs are
            // not ours to cancel. The transaction is undone, and the next run reads again.
            if !Video::fail(&mut *tx, self.video, self.generation, self.round, &code, &message).await? {
                return Err(Failure::Retry("the video moved on meanwhile".into()));
            }
            // Who cancels it knows.
            if code != CANCELLED {
                let key = format!("video_failed:{}:{}:{}", self.video, self.generation, self.round);
                let notice = Notice::of_video(Kind::VideoFailed, key, video.id);
                let message = Message::VideoFailed { video: video.id };
                wake.merge(flows::notify(&mut *tx, video.user_id, &notice, &message).await?);
            }
            wake.merge(flows::stop_converting(&mut *tx, &video).await?);
            wake.merge(flows::give_back(&mut *tx, &video).await?);
            wake.merge(videos::video_changed(tx, video.id, video.user_id).await?);
            Ok(wake)
        })
        .await
    }
}

/// The code of a video whose jobs somebody cancelled.
const CANCELLED: &str = "cancelled";
/// Codes that the engine gives, whose texts are for developers.
const OURS: [&str; 5] = ["attempts_spent", "panic", "timeout", "undecodable", "unknown_kind"];

fn first_round() -> i16 {
    1
}

impl VideoFailed {
    /// For the jobs that make `video` now.
    pub(crate) fn of(video: &Video) -> Self {
        Self { video: video.id, generation: video.generation, round: video.round, failure: None }
    }

    fn fails(&self, video: &Video) -> bool {
        video.status == Status::Processing && (video.generation, video.round) == (self.generation, self.round)
    }

    /// The job itself: one per round, since the first failure is the one that tells.
    pub(crate) fn job(&self, owner: UserId) -> NewJob {
        NewJob::new(self)
            .owner(owner.0)
            .unique(UniqueKey::until_done(format!("video_failed:{}:{}:{}", self.video, self.generation, self.round)))
    }

    /// A stable word and a sentence for the person. What the handler said for good is theirs to read; the text of
    /// an error that was retried until it was given up is ours.
    fn reason(&self) -> (String, String) {
        let note = self.failure.as_ref();
        let code = note.and_then(|n| n.code.clone());
        let text = note.and_then(|n| n.reason.clone());
        match (note.map(|n| n.state), code, text) {
            (Some(State::Cancelled), ..) => ("cancelled".to_owned(), "Processing was cancelled.".to_owned()),
            (Some(State::Quarantined), ..) => (
                "crashed".to_owned(),
                "This file crashed the encoder again and again. It may be damaged.".to_owned(),
            ),
            (Some(State::Discarded), Some(code), Some(text)) if !OURS.contains(&code.as_str()) => (code, text),
            _ => (
                "processing_failed".to_owned(),
                "Processing failed for a reason on our side. You can try again.".to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(state: State, code: Option<&str>, text: &str) -> (String, String) {
        let note = FailureNote {
            state,
            code: code.map(str::to_owned),
            reason: Some(text.to_owned()),
            job_id: millrace_queue::JobId::new(),
            kind: "probe".to_owned(),
        };
        let failed = VideoFailed { video: VideoId::new(), generation: 1, round: 1, failure: Some(note) };
        failed.reason()
    }

    #[test]
    fn what_the_handler_said_for_good_reaches_the_person() {
        let said = reason(State::Discarded, Some("not_media"), "This is not a video.");
        assert_eq!(said, ("not_media".to_owned(), "This is not a video.".to_owned()));
    }

    #[test]
    fn what_the_engine_or_a_library_said_does_not() {
        for (code, text) in [(Some("attempts_spent"), "connection reset"), (Some("panic"), "panicked: index"), (None, "x")] {
            let (code, message) = reason(State::Discarded, code, text);
            assert_eq!(code, "processing_failed");
            assert!(!message.contains(text));
        }
        assert_eq!(reason(State::Quarantined, Some("crashed"), "its worker stopped").0, "crashed");
        assert_eq!(reason(State::Cancelled, Some("cancelled"), "by its owner").0, "cancelled");
    }

    #[test]
    fn the_engine_fills_in_the_note() {
        let json = serde_json::json!({
            "video": VideoId::new(), "generation": 2,
            "_failure": {"state": "discarded", "code": "x", "reason": "y",
                         "job_id": millrace_queue::JobId::new(), "kind": "probe"},
        });
        let failed: VideoFailed = serde_json::from_value(json).unwrap();
        assert_eq!(failed.reason(), ("x".to_owned(), "y".to_owned()));
    }
}
