//! An upload whose client died.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use millrace_tests::{Clip, Person, Stack, padded, person::text, within};
use reqwest::{Body, Client};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Parts that travel at a time, as in the browser.
const IN_FLIGHT: usize = 4;
/// Addresses that are asked for at a time.
const ADDRESSES: usize = 20;
/// Bytes that are handed to the socket at a time.
const PIECE: usize = 256 * 1024;

/// A process that sends parts, until it is killed.
struct Sender {
    http: Client,
    file: Arc<Vec<u8>>,
    part_size: usize,
    /// Bytes that were handed to sockets.
    sent: Arc<AtomicUsize>,
    /// It sends no byte beyond this.
    dies_at: usize,
    dead: CancellationToken,
    started: Mutex<BTreeSet<u64>>,
}

impl Sender {
    fn new(file: &Arc<Vec<u8>>, target: &Value, dies_at: usize) -> Result<Self> {
        Ok(Self {
            http: Client::builder().no_proxy().build()?,
            file: file.clone(),
            part_size: usize::try_from(target["part_size"].as_u64().context("no part_size")?)?,
            sent: Arc::default(),
            dies_at,
            dead: CancellationToken::new(),
            started: Mutex::default(),
        })
    }

    fn started(&self) -> BTreeSet<u64> {
        self.started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sends the parts that `person` gets addresses for, some at a time.
    async fn send_all(&self, person: &Person, upload: &str, parts: &[u64]) -> Result<()> {
        for some in parts.chunks(ADDRESSES) {
            let path = format!("/api/uploads/{upload}/parts");
            let signed = person.post(&path, json!({ "part_numbers": some })).await?;
            let signed = signed.expect(200)?;
            let signed = signed["parts"].as_array().context("no addresses")?;
            let mut sends = Vec::new();
            for part in signed {
                sends.push(self.send(part));
            }
            stream::iter(sends)
                .buffer_unordered(IN_FLIGHT)
                .try_collect::<Vec<()>>()
                .await?;
        }
        Ok(())
    }

    async fn send(&self, part: &Value) -> Result<()> {
        let number = part["part_number"].as_u64().context("no number")?;
        self.started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number);
        let from = usize::try_from(number - 1)? * self.part_size;
        let to = self.file.len().min(from + self.part_size);
        let request = self
            .http
            .put(text(&part["url"])?)
            .header("content-length", to - from)
            .body(self.body(from, to));
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// The bytes from `from` to `to`. The one that says how far it is allowed to come stops all of them.
    fn body(&self, from: usize, to: usize) -> Body {
        let (file, sent, dead) = (self.file.clone(), self.sent.clone(), self.dead.clone());
        let dies_at = self.dies_at;
        Body::wrap_stream(stream::unfold(from, move |at| {
            let (file, sent, dead) = (file.clone(), sent.clone(), dead.clone());
            async move {
                let end = to.min(at + PIECE);
                if at == end {
                    return None;
                }
                if sent.fetch_add(end - at, Ordering::Relaxed) + (end - at) > dies_at {
                    dead.cancel();
                    std::future::pending::<()>().await;
                }
                let piece = file[at..end].to_vec();
                Some((Ok::<_, std::io::Error>(piece), end))
            }
        }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_killed_at_60_percent_sends_at_most_its_open_parts_again() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let film = tokio::fs::read(Clip::new(4, "640x360").file().await?).await?;
    let file = Arc::new(padded(film, 340 * 1024 * 1024));

    let target = person.begin("film.mp4", file.len()).await?.expect(201)?;
    let id = text(&target["upload_id"])?;
    let count = target["part_count"].as_u64().context("no part_count")?;
    assert!(count >= 20, "only {count} parts");
    let first = Arc::new(Sender::new(&file, &target, file.len() * 6 / 10)?);
    let sending = {
        let (first, person, id) = (first.clone(), person.clone(), id.clone());
        let parts: Vec<u64> = (1..=count).collect();
        tokio::spawn(async move { first.send_all(&person, &id, &parts).await })
    };
    within(
        "60 % are sent",
        Duration::from_secs(60),
        first.dead.cancelled(),
    )
    .await?;
    // Its sockets close in the middle of what they say, as those of a killed process do.
    sending.abort();
    let killed = sending.await;
    assert!(killed.is_err_and(|end| end.is_cancelled()));
    let started = first.started();
    drop(first);

    // Somebody else, who knows the upload's id and has the file.
    let known = person
        .get(&format!("/api/uploads/{id}"))
        .await?
        .expect(200)?;
    assert_eq!(known["status"], "pending");
    let arrived: BTreeSet<u64> = known["parts"]
        .as_array()
        .context("no parts")?
        .iter()
        .filter_map(|part| part["part_number"].as_u64())
        .collect();
    let missing: Vec<u64> = (1..=count).filter(|n| !arrived.contains(n)).collect();
    let second = Sender::new(&file, &known, usize::MAX)?;
    second.send_all(&person, &id, &missing).await?;
    let again: Vec<u64> = started.intersection(&second.started()).copied().collect();
    eprintln!(
        "{count} parts: {} had arrived, sent again: {again:?}",
        arrived.len()
    );
    assert!(
        !again.is_empty() && again.len() <= IN_FLIGHT,
        "sent again: {again:?}"
    );
    assert!(arrived.len() + IN_FLIGHT >= started.len());

    let path = format!("/api/uploads/{id}/complete");
    let details = json!({ "title": "In two goes" });
    let video = person.post(&path, details.clone()).await?.expect(201)?;
    let same = person.post(&path, details).await?.expect(201)?;
    assert_eq!(same["id"], video["id"]);

    let (key, etag): (String, String) =
        sqlx::query_as("select original_key, original_etag from videos where upload_id = $1::uuid")
            .bind(&id)
            .fetch_one(&stack.db)
            .await?;
    let copy = stack.folder().join("copy");
    stack.storage.download(&key, &etag, &copy).await?;
    assert!(
        tokio::fs::read(&copy).await? == *file,
        "the store has other bytes"
    );
    person
        .sees_ready(&text(&video["id"])?, Duration::from_secs(120))
        .await?;
    stack.end().await
}
