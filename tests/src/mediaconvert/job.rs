//! A job as the service keeps it, shows it, and tells of it.

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::ROLE;

/// A job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    /// The client's.
    pub(super) token: String,
    pub(super) created: DateTime<Utc>,
    pub(super) status: &'static str,
    percent: i32,
    error: Option<(i32, String)>,
    /// As it was asked for.
    pub(super) asked: Value,
}

impl Job {
    /// Takes a request, with the checks that the service makes of what we send.
    pub(super) fn asked_for(asked: Value) -> Result<Self> {
        anyhow::ensure!(asked["role"] == ROLE, "the role cannot be assumed");
        let token = asked["clientRequestToken"].as_str().context("no token")?;
        anyhow::ensure!(
            (1..=64).contains(&token.len()) && token.is_ascii(),
            "clientRequestToken must be at most 64 characters"
        );
        let groups = asked["settings"]["outputGroups"]
            .as_array()
            .context("no output groups")?;
        anyhow::ensure!(!groups.is_empty(), "no output groups");
        let captured =
            |group: &Value| group["outputGroupSettings"]["type"] == "FILE_GROUP_SETTINGS";
        anyhow::ensure!(
            !groups.iter().all(captured),
            "a frame capture must not be the only output"
        );
        let token = token.to_owned();
        Ok(Self {
            // Theirs begin with the time.
            id: format!(
                "{}-{}",
                Utc::now().timestamp_millis(),
                &uuid::Uuid::new_v4().simple().to_string()[..6]
            ),
            token,
            created: Utc::now(),
            status: "SUBMITTED",
            percent: 0,
            error: None,
            asked,
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.status, "COMPLETE" | "CANCELED" | "ERROR")
    }

    pub(super) fn go(&mut self, percent: i32) {
        (self.status, self.percent) = ("PROGRESSING", percent);
    }

    pub(super) fn complete(&mut self) {
        (self.status, self.percent) = ("COMPLETE", 100);
    }

    pub(super) fn cancel(&mut self) {
        self.status = "CANCELED";
    }

    pub(super) fn fail(&mut self, code: i32, message: &str) {
        self.status = "ERROR";
        self.error = Some((code, message.to_owned()));
    }

    /// As GetJob shows it.
    pub(super) fn described(&self) -> Value {
        let mut job = json!({
            "id": self.id,
            "arn": format!("arn:aws:mediaconvert:us-east-1:111122223333:jobs/{}", self.id),
            "status": self.status,
            "createdAt": self.created.timestamp(),
            "role": self.asked["role"],
            "settings": self.asked["settings"],
            "clientRequestToken": self.token,
            "userMetadata": self.asked["userMetadata"],
            "jobPercentComplete": self.percent,
        });
        if let Some((code, message)) = &self.error {
            job["errorCode"] = json!(code);
            job["errorMessage"] = json!(message);
        }
        job
    }

    /// As EventBridge tells of its last change.
    pub(super) fn event(&self, before: &str) -> Value {
        let status = match self.status {
            "PROGRESSING" if before == "PROGRESSING" => "STATUS_UPDATE",
            status => status,
        };
        let mut detail = json!({
            "timestamp": Utc::now().timestamp_millis(), "accountId": "111122223333", "jobId": self.id, "status": status,
            "queue": "arn:aws:mediaconvert:us-east-1:111122223333:queues/Default",
            "userMetadata": self.asked["userMetadata"],
        });
        if status == "STATUS_UPDATE" {
            detail["jobProgress"] =
                json!({"jobPercentComplete": self.percent, "currentPhase": "TRANSCODING"});
        }
        if let Some((code, message)) = &self.error {
            detail["errorCode"] = json!(code);
            detail["errorMessage"] = json!(message);
        }
        json!({
            "version": "0", "id": uuid::Uuid::new_v4(), "detail-type": "MediaConvert Job State Change",
            "source": "aws.mediaconvert", "account": "111122223333", "time": Utc::now().to_rfc3339(),
            "region": "us-east-1",
            "resources": [format!("arn:aws:mediaconvert:us-east-1:111122223333:jobs/{}", self.id)],
            "detail": detail,
        })
    }
}
