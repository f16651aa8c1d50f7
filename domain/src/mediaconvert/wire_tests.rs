//! What goes over the wire, and what comes back: the request as MediaConvert gets it, and answers sorted.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use uuid::Uuid;

use super::*;
use crate::{
    ids::VideoId,
    media::{AudioTrack, Plan, Probe, VideoTrack},
};

const TOKEN: Uuid = Uuid::from_u128(7);

/// Answers one request with `status` and `body`, and gives back what it was sent: the first line, and the body.
async fn once(
    status: u16,
    kind: &'static str,
    body: Value,
) -> (MediaConvert, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let converter = MediaConvert::new(MediaConvertOptions {
        endpoint: Some(format!("http://{}", listener.local_addr().unwrap())),
        region: "eu-central-1".to_owned(),
        access_key: "test".to_owned(),
        secret_key: "test".to_owned(),
        role: "arn:aws:iam::111122223333:role/millrace-mediaconvert".to_owned(),
        queue: Some("arn:aws:mediaconvert:eu-central-1:111122223333:queues/films".to_owned()),
        bucket: "films".to_owned(),
        poll: Duration::from_secs(10),
        silence: Duration::from_secs(1800),
    });
    let answered = tokio::spawn(async move {
        let (mut wire, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        let (head, body_so_far) = loop {
            let mut some = [0; 4096];
            let read = wire.read(&mut some).await.unwrap();
            assert!(read > 0, "the request is cut short: {text}");
            text.push_str(std::str::from_utf8(&some[..read]).unwrap());
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                break (head.to_owned(), body.to_owned());
            }
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nx-amzn-errortype: {kind}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        wire.write_all(answer.as_bytes()).await.unwrap();
        (
            head.lines().next().unwrap_or_default().to_owned(),
            body_so_far,
        )
    });
    (converter, answered)
}

fn probe(picture: bool, sound: bool) -> Probe {
    Probe {
        format: "mov,mp4".to_owned(),
        duration: 31.3,
        video: picture.then(|| VideoTrack {
            codec: "h264".to_owned(),
            profile: None,
            width: 720,
            height: 1280,
            rotation: 90,
            anamorphic: false,
            fps: 29.97,
            vfr: false,
            interlaced: true,
            hdr: false,
            pix_fmt: "yuv420p".to_owned(),
            matrix: String::new(),
            transfer: String::new(),
            bit_rate: None,
            end: 31.3,
        }),
        audio: sound.then(|| AudioTrack {
            codec: "aac".to_owned(),
            profile: None,
            index: 1,
            channels: 6,
            sample_rate: 44_100,
            bit_rate: None,
            end: 31.3,
        }),
        cover: false,
    }
}

/// The body of CreateJob for a source.
async fn asked(probe: &Probe) -> Value {
    let (converter, answered) = once(
        201,
        "",
        json!({"job": {"id": "17", "status": "SUBMITTED", "role": "r", "settings": {}}}),
    )
    .await;
    let plan = Plan::new(probe, 1);
    let order = Order {
        token: TOKEN,
        source: "raw/0/source",
        probe,
        plan: &plan,
        outputs: Outputs {
            video: VideoId(Uuid::nil()),
            generation: 1,
            round: 2,
            attempt: 1,
        },
    };
    let seen = converter
        .create(request(&order, converter.options()))
        .await
        .unwrap();
    assert_eq!(
        (seen.id.as_deref(), seen.status),
        (Some("17"), JobStatus::Submitted)
    );
    let (line, body) = answered.await.unwrap();
    assert_eq!(line, "POST /2017-08-29/jobs HTTP/1.1");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn what_is_asked_for_a_film() {
    let body = asked(&probe(true, true)).await;
    insta::assert_json_snapshot!(body);
    assert_eq!(body, asked(&probe(true, true)).await, "two orders differ");
}

#[tokio::test]
async fn what_is_asked_for_a_silent_film_and_for_sound_alone() {
    let outputs = |body: &Value| -> Vec<String> {
        let groups = body["settings"]["outputGroups"].as_array().unwrap();
        let outputs = groups.iter().flat_map(|g| g["outputs"].as_array().unwrap());
        outputs
            .map(|o| o["nameModifier"].as_str().unwrap_or("-").to_owned())
            .collect()
    };
    let silent = asked(&probe(true, false)).await;
    assert_eq!(outputs(&silent), ["_v720", "_v480", "_v360", "_v240", "-"]);
    assert!(
        silent["settings"]["inputs"][0]["audioSelectors"]
            .as_object()
            .is_none_or(|s| s.is_empty())
    );
    // No picture, no pictures.
    let sound = asked(&probe(false, true)).await;
    assert_eq!(outputs(&sound), ["_audio"]);
}

#[tokio::test]
async fn answers_say_how_a_job_is() {
    for (theirs, status) in [
        ("SUBMITTED", JobStatus::Submitted),
        ("PROGRESSING", JobStatus::Progressing),
        ("COMPLETE", JobStatus::Complete),
        ("CANCELED", JobStatus::Canceled),
        ("ERROR", JobStatus::Error),
        ("SOMETHING_NEW", JobStatus::Submitted),
    ] {
        let job = json!({"id": "17", "status": theirs, "jobPercentComplete": 40, "errorCode": 1040,
                         "errorMessage": "why", "role": "r", "settings": {}, "createdAt": 1_515_368_087});
        let (converter, answered) = once(200, "", json!({"job": job})).await;
        let seen = converter.get("17").await.unwrap();
        assert_eq!((seen.status, seen.percent), (status, 40), "{theirs}");
        assert_eq!(
            (seen.code, seen.message.as_deref()),
            (Some(1040), Some("why"))
        );
        assert_eq!(
            answered.await.unwrap().0,
            "GET /2017-08-29/jobs/17 HTTP/1.1"
        );
    }
}

#[tokio::test]
async fn a_job_is_found_by_its_token_and_the_walk_ends_where_nobody_had_asked() {
    let now = chrono::Utc::now();
    let jobs = |token: Uuid, at: i64| {
        json!({"jobs": [
            {"id": "1", "status": "SUBMITTED", "role": "r", "settings": {}, "createdAt": at},
            {"id": "2", "status": "PROGRESSING", "role": "r", "settings": {}, "createdAt": at,
             "userMetadata": {"millrace": token}},
        ], "nextToken": "more"})
    };
    let (converter, answered) = once(200, "", jobs(TOKEN, now.timestamp())).await;
    let found = converter.find(TOKEN, now).await.unwrap().unwrap();
    assert_eq!(found.id.as_deref(), Some("2"));
    let line = answered.await.unwrap().0;
    assert!(
        line.contains("order=DESCENDING") && line.contains("maxResults=20"),
        "{line}"
    );
    let (converter, _answered) = once(200, "", jobs(Uuid::nil(), now.timestamp() - 3600)).await;
    assert_eq!(converter.find(TOKEN, now).await.unwrap(), None);
}

#[tokio::test]
async fn what_they_refuse_is_told_from_what_they_cannot_do_now() {
    let said = json!({"message": "why"});
    let (converter, _answered) = once(404, "NotFoundException", said.clone()).await;
    assert!(matches!(
        converter.get("1").await,
        Err(ConvertError::NotFound)
    ));
    // A job that has ended cannot be cancelled.
    let (converter, _answered) = once(409, "ConflictException", said.clone()).await;
    assert!(matches!(
        converter.cancel("1").await,
        Err(ConvertError::NotFound)
    ));
    let (converter, _answered) = once(403, "ForbiddenException", said.clone()).await;
    match converter.check().await {
        Err(ConvertError::Refused { code, message }) => {
            assert_eq!(
                (code.as_str(), message.as_str()),
                ("ForbiddenException", "why")
            );
        }
        other => panic!("{other:?}"),
    }
    for (status, kind) in [
        (429, "TooManyRequestsException"),
        (500, "InternalServerErrorException"),
        (403, "ExpiredTokenException"),
    ] {
        let (converter, _answered) = once(status, kind, said.clone()).await;
        let answer = converter.get("1").await;
        assert!(
            matches!(answer, Err(ConvertError::Unavailable(_))),
            "{status}: {answer:?}"
        );
    }
}
