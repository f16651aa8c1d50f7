//! What EventBridge brings: a hint that something happened, at least once and in no order. What it says of an end is not
//! believed; they are asked.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    JobStatus, Seen,
    client::{TOKEN, percent},
};

/// An event of EventBridge's, as far as we read it.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[schema(as = MediaConvertEvent)]
pub struct Event {
    /// `aws.mediaconvert`; events of others are ignored.
    #[schema(max_length = 200)]
    pub source: String,
    /// What happened.
    pub detail: Detail,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[schema(as = MediaConvertEventDetail)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Their id of the job.
    #[schema(max_length = 200)]
    pub job_id: String,
    /// SUBMITTED, PROGRESSING, STATUS_UPDATE, COMPLETE, CANCELED, ERROR and others.
    #[schema(max_length = 50)]
    pub status: String,
    /// What we gave the job along. Ours carries a token.
    #[serde(default)]
    pub user_metadata: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    pub job_progress: Option<Progress>,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[schema(as = MediaConvertEventProgress)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    #[serde(default)]
    pub job_percent_complete: Option<i32>,
}

impl Event {
    /// The token of the job of ours that it is about, if it is about one.
    pub fn token(&self) -> Option<Uuid> {
        let about_us = self.source == "aws.mediaconvert";
        let token = self.detail.user_metadata.get(TOKEN)?;
        token.parse().ok().filter(|_| about_us)
    }

    /// What can be taken from it: that they know the job, that it moves, and how far it is. Never its end.
    pub fn seen(&self) -> Seen {
        let detail = &self.detail;
        let status = match detail.status.as_str() {
            "PROGRESSING" | "STATUS_UPDATE" => JobStatus::Progressing,
            _ => JobStatus::Submitted,
        };
        let progress = detail.job_progress.as_ref();
        Seen {
            // As long as a column takes.
            id: (1..=200)
                .contains(&detail.job_id.len())
                .then(|| detail.job_id.clone()),
            status,
            percent: percent(progress.and_then(|p| p.job_percent_complete).unwrap_or(0)),
            code: None,
            message: None,
        }
    }

    /// It says that the job has ended, so it is time to look.
    pub fn says_the_end(&self) -> bool {
        matches!(
            self.detail.status.as_str(),
            "COMPLETE" | "CANCELED" | "ERROR"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: serde_json::Value) -> Event {
        serde_json::from_value(json).expect("an event")
    }

    #[test]
    fn their_examples_are_read() {
        let token = Uuid::now_v7();
        let update = event(serde_json::json!({
            "version": "0", "id": "1234abcd-12ab-34cd-56ef-1234567890ab",
            "detail-type": "MediaConvert Job State Change", "source": "aws.mediaconvert",
            "account": "111122223333", "time": "2018-01-07T23:35:20Z", "region": "us-west-2", "resources": [],
            "detail": {
                "timestamp": 1_515_368_120_764_i64, "accountId": "111122223333", "queue": "Default",
                "jobId": "1515368087458-qnoxtd", "status": "STATUS_UPDATE", "userMetadata": {"millrace": token},
                "framesDecoded": 353,
                "jobProgress": {"phaseProgress": {}, "jobPercentComplete": 24, "currentPhase": "TRANSCODING"}
            }
        }));
        assert_eq!(update.token(), Some(token));
        assert!(!update.says_the_end());
        let seen = update.seen();
        assert_eq!((seen.status, seen.percent), (JobStatus::Progressing, 24));
        assert_eq!(seen.id.as_deref(), Some("1515368087458-qnoxtd"));
    }

    #[test]
    fn an_end_is_a_hint_and_others_events_are_not_ours() {
        let ended = |source: &str, token: &str| {
            event(serde_json::json!({
                "source": source,
                "detail": {"jobId": "1", "status": "COMPLETE", "userMetadata": {"millrace": token}}
            }))
        };
        let token = Uuid::now_v7().to_string();
        let ours = ended("aws.mediaconvert", &token);
        assert!(ours.says_the_end() && !ours.seen().status.is_terminal());
        assert_eq!(ended("aws.s3", &token).token(), None);
        assert_eq!(ended("aws.mediaconvert", "somebody's").token(), None);
    }
}
