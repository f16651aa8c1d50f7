//! The frames of the socket: JSON texts, encoded once and shared by all sockets that get them.

use axum::extract::ws::Utf8Bytes;
use chrono::{DateTime, Utc};
use millrace_bus::Head;
use millrace_domain::ids::VideoId;
use serde::{Deserialize, Serialize};

/// What a client sends.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientFrame {
    /// The first frame, and again to extend the session.
    Auth {
        ticket: String,
    },
    Subscribe {
        topic: String,
        /// Where the client stands; what it missed is sent if that is still known.
        since: Option<Since>,
    },
    Unsubscribe {
        topic: String,
    },
    Ping,
}

/// A place in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Since {
    pub(super) epoch: i64,
    pub(super) seq: i64,
}

/// Orders progress frames, which take no number of their topic: the greatest `(run_no, n)` of a job is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Progress {
    /// What makes progress: the video.
    pub(super) job: VideoId,
    /// Its generation.
    pub(super) run_no: i32,
    /// Grows with every change of the row.
    pub(super) n: i64,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerFrame<'a> {
    AuthOk {
        expires_at: DateTime<Utc>,
    },
    Subscribed {
        topic: &'a str,
        recovered: bool,
    },
    Unsubscribed {
        topic: &'a str,
    },
    Pong,
    Error {
        code: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<&'a str>,
    },
}

fn encode(frame: &ServerFrame<'_>) -> Utf8Bytes {
    // Strings, numbers and times: nothing that JSON cannot say.
    serde_json::to_string(frame).unwrap_or_default().into()
}

pub(super) fn auth_ok(expires_at: DateTime<Utc>) -> Utf8Bytes {
    encode(&ServerFrame::AuthOk { expires_at })
}

pub(super) fn subscribed(topic: &str, recovered: bool) -> Utf8Bytes {
    encode(&ServerFrame::Subscribed { topic, recovered })
}

pub(super) fn unsubscribed(topic: &str) -> Utf8Bytes {
    encode(&ServerFrame::Unsubscribed { topic })
}

pub(super) fn pong() -> Utf8Bytes {
    encode(&ServerFrame::Pong)
}

pub(super) fn error(code: &'static str, topic: Option<&str>) -> Utf8Bytes {
    encode(&ServerFrame::Error { code, topic })
}

/// `data` is JSON already: it is the same for every frame that carries it.
pub(super) fn snapshot(topic: &str, head: Head, data: &str) -> Utf8Bytes {
    addressed("snapshot", topic, head, data, None)
}

pub(super) fn event(topic: &str, head: Head, data: &str, progress: Option<Progress>) -> Utf8Bytes {
    addressed("event", topic, head, data, progress)
}

fn addressed(
    kind: &str,
    topic: &str,
    head: Head,
    data: &str,
    progress: Option<Progress>,
) -> Utf8Bytes {
    let progress = progress
        .and_then(|p| serde_json::to_string(&p).ok())
        .map_or_else(String::new, |p| format!(r#","progress":{p}"#));
    let topic = serde_json::Value::from(topic);
    format!(
        r#"{{"type":"{kind}","topic":{topic},"epoch":{},"seq":{},"data":{data}{progress}}}"#,
        head.epoch, head.seq
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_frames_are_read() {
        let frame = |text| serde_json::from_str::<ClientFrame>(text).unwrap();
        assert_eq!(frame(r#"{"type":"ping"}"#), ClientFrame::Ping);
        assert_eq!(
            frame(r#"{"type":"subscribe","topic":"t","since":{"epoch":1,"seq":2}}"#),
            ClientFrame::Subscribe {
                topic: "t".to_owned(),
                since: Some(Since { epoch: 1, seq: 2 })
            }
        );
        assert!(serde_json::from_str::<ClientFrame>(r#"{"type":"shout"}"#).is_err());
    }

    #[test]
    fn server_frames_are_json() {
        let head = Head { epoch: 5, seq: 7 };
        let job = VideoId::new();
        let text = event(
            "video:x",
            head,
            r#"{"a":1}"#,
            Some(Progress {
                job,
                run_no: 1,
                n: 9,
            }),
        );
        let value: serde_json::Value = serde_json::from_str(text.as_str()).unwrap();
        assert_eq!(value["type"], "event");
        assert_eq!(
            (value["epoch"].as_i64(), value["seq"].as_i64()),
            (Some(5), Some(7))
        );
        assert_eq!(value["data"]["a"], 1);
        assert_eq!(value["progress"]["n"], 9);
        let value: serde_json::Value =
            serde_json::from_str(error("not_found", None).as_str()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"type": "error", "code": "not_found"})
        );
    }
}
