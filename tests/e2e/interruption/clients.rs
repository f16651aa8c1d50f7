//! People who go on whatever happens: an answer that does not come, or says "later", is asked for again. Everything else
//! that is not as promised is a failure of the test.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use millrace_tests::{
    Memory, Person, Socket,
    person::{Answer, text},
    playlist::{Master, Media},
};
use reqwest::{Client, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long anything may be unavailable in a row.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(150);
/// Between two looks of a viewer.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Asks until there is an answer other than "later".
async fn insist<F: Future<Output = Result<Answer>>>(
    what: &str,
    tries: &AtomicUsize,
    ask: impl Fn() -> F,
) -> Result<Answer> {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        match &answer {
            Ok(answer) if !is_later(answer.status) => return Ok(answer.clone()),
            _ => {}
        }
        tries.fetch_add(1, Ordering::Relaxed);
        if Instant::now() > end {
            let answer = answer.map(|answer| answer.text);
            anyhow::bail!("{what}: in vain for {PATIENCE:?}: {answer:?}");
        }
        sleep(AGAIN).await;
    }
}

fn is_later(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// Uploads `bytes` and returns the video's id, however often anything has to be tried again.
pub(super) async fn upload(
    person: &Person,
    bytes: &[u8],
    title: &str,
    tries: &AtomicUsize,
) -> Result<String> {
    let size = bytes.len();
    let begin = insist("an upload begins", tries, || person.begin("film.mp4", size));
    let target = begin.await?.expect(201)?;
    let end = Instant::now() + PATIENCE;
    let parts = loop {
        match person.put(&target, bytes).await {
            Ok(parts) => break parts,
            Err(error) => {
                let status = error
                    .downcast_ref::<reqwest::Error>()
                    .and_then(reqwest::Error::status);
                if target["method"] == "single" && status == Some(StatusCode::PRECONDITION_FAILED) {
                    // It arrived, and the answer did not.
                    break Value::Null;
                }
                tries.fetch_add(1, Ordering::Relaxed);
                let later = status.is_none_or(is_later);
                anyhow::ensure!(
                    later && Instant::now() < end,
                    "the store refuses: {error:#}"
                );
            }
        }
        sleep(AGAIN).await;
    };
    let mut details = json!({ "title": title });
    if !parts.is_null() {
        details["parts"] = parts;
    }
    let path = format!("/api/uploads/{}/complete", text(&target["upload_id"])?);
    let id = complete(person, &path, &details, tries).await?;
    // The same answer when repeated.
    let again = complete(person, &path, &details, tries).await?;
    anyhow::ensure!(again == id, "completed twice: {id} and {again}");
    Ok(id)
}

async fn complete(
    person: &Person,
    path: &str,
    details: &Value,
    tries: &AtomicUsize,
) -> Result<String> {
    let complete = insist("an upload is completed", tries, || {
        person.post(path, details.clone())
    });
    text(&complete.await?.expect(201)?["id"])
}

/// What a viewer saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Segments that were fetched.
    pub(super) fetched: usize,
    /// Looks at a video that was not finished yet, after it could be watched.
    pub(super) early: usize,
}

/// Somebody who watches from the first moment on, reads what is listed, and holds the platform to it: what was
/// playable stays so, what was listed stays listed, and what is listed can be fetched.
pub(super) struct Viewer {
    person: Person,
    http: Client,
    /// Addresses of segments by playlist.
    listed: HashMap<String, Vec<String>>,
    /// Those that were fetched, with their sizes.
    fetched: HashMap<String, usize>,
    early: usize,
}

impl Viewer {
    pub(super) fn new(person: Person) -> Result<Self> {
        let http = Client::builder()
            .no_proxy()
            .redirect(Policy::limited(2))
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self {
            person,
            http,
            listed: HashMap::new(),
            fetched: HashMap::new(),
            early: 0,
        })
    }

    /// Watches until the video is finished, or `stop`.
    pub(super) async fn watch(mut self, id: String, stop: CancellationToken) -> Result<Seen> {
        let path = format!("/api/videos/{id}");
        let mut playable = false;
        while !stop.is_cancelled() {
            if let Ok(answer) = self.person.get(&path).await
                && !is_later(answer.status)
            {
                let video = answer.expect(200)?;
                anyhow::ensure!(
                    video["status"] != "failed",
                    "a video failed that should not: {video}"
                );
                anyhow::ensure!(
                    !playable || video["hls_url"].is_string(),
                    "it could be watched, and cannot any more: {video}"
                );
                playable = video["hls_url"].is_string();
                let ready = video["status"] == "ready";
                if playable {
                    self.early += usize::from(!ready);
                    let whole = self.look(&text(&video["hls_url"])?).await?;
                    if ready && whole {
                        break;
                    }
                }
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(Seen {
            fetched: self.fetched.len(),
            early: self.early,
        })
    }

    /// Reads all playlists and fetches one segment more; says whether everything is listed to its end.
    async fn look(&mut self, url: &str) -> Result<bool> {
        let url = Url::parse(self.person.base())?.join(url)?;
        let Some(master) = self.fetch(url.as_str()).await? else {
            return Ok(false);
        };
        let master = Master::parse(&String::from_utf8(master)?)?;
        anyhow::ensure!(!master.variants.is_empty(), "nothing to choose from");
        let media = master.variants.iter().map(|variant| &variant.uri);
        let (mut ended, mut news) = (true, None);
        for uri in media.chain(&master.audio) {
            let url = url.join(uri)?;
            let Some(media) = self.fetch(url.as_str()).await? else {
                return Ok(false);
            };
            let media = Media::parse(&String::from_utf8(media)?)?;
            ended &= media.ended;
            let mut now = Vec::new();
            for segment in &media.segments {
                now.push(url.join(&segment.uri)?.to_string());
            }
            let before = self.listed.entry(url.to_string()).or_default();
            anyhow::ensure!(
                now.starts_with(before),
                "{url} listed {before:?} and now {now:?}"
            );
            let fetched = &self.fetched;
            news = news.or_else(|| now.iter().find(|uri| !fetched.contains_key(*uri)).cloned());
            *before = now;
        }
        if let Some(segment) = news
            && let Some(bytes) = self.fetch(&segment).await?
        {
            anyhow::ensure!(!bytes.is_empty(), "an empty segment: {segment}");
            self.fetched.insert(segment, bytes.len());
        }
        Ok(ended)
    }

    /// What is at an address; `None` when somebody is not there at the moment.
    async fn fetch(&self, url: &str) -> Result<Option<Vec<u8>>> {
        let Ok(response) = self.http.get(url).send().await else {
            return Ok(None);
        };
        let status = response.status();
        if is_later(status) {
            return Ok(None);
        }
        let body = response.bytes().await;
        anyhow::ensure!(
            status == StatusCode::OK,
            "{url} answered {status}: {:?}",
            body.map(|body| String::from_utf8_lossy(&body).into_owned())
        );
        Ok(body.ok().map(|body| body.to_vec()))
    }
}

/// A tab that stays open on a person's own page until `stop`: it connects again whenever its socket breaks, resumes where it
/// was, and objects to any frame that breaks a promise. Returns what it knows and how often it had to connect.
pub(super) async fn follow(person: Person, stop: CancellationToken) -> Result<(Memory, usize)> {
    let topic = format!("user:{}", person.id);
    let (mut memory, mut connections) = (Memory::default(), 0);
    while !stop.is_cancelled() {
        let Ok(mut socket) = Socket::connect(&person).await else {
            sleep(AGAIN).await;
            continue;
        };
        if socket.subscribe(&topic, &memory).await.is_err() {
            sleep(AGAIN).await;
            continue;
        }
        connections += 1;
        loop {
            let frame = tokio::select! {
                frame = socket.hear(PATIENCE) => frame,
                () = stop.cancelled() => break,
            };
            let Ok(frame) = frame else {
                break; // It hung up.
            };
            memory.take(&frame).context("the relay broke a promise")?;
        }
    }
    Ok((memory, connections))
}
