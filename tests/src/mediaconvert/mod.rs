//! AWS Elemental MediaConvert as far as we meet it: the wire protocol of its jobs over HTTP, with ffmpeg behind it, which
//! makes what the request asks for out of what lies in the store. It can be told to misbehave as networks and services do.

/// What a job makes.
mod encode;
/// A job as the service keeps it.
mod job;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use millrace_domain::storage::Storage;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

use job::Job;

/// The role that the stub works as; it takes no other.
pub const ROLE: &str = "arn:aws:iam::111122223333:role/millrace-mediaconvert";
/// How long a client token is remembered.
const REMEMBERED: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// How the service behaves; it may be told otherwise at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Does what it is asked, at once.
    Works,
    /// Takes jobs, says that they are in progress, and does nothing.
    Stalls,
    /// Ends each new job in ERROR with this code, after it has written something.
    Fails(i32),
    /// Takes jobs, and the answer to CreateJob gets lost.
    LosesAnswers,
    /// Answers no GetJob.
    Mute,
    /// Answers everything after this long.
    Slow(Duration),
    /// Answers everything with 503.
    Away,
}

/// What was asked of it.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// Bodies of CreateJob, also of those that made no job.
    pub created: Vec<Value>,
    pub looked: usize,
    pub listed: usize,
    /// Ids.
    pub cancelled: Vec<String>,
}

/// A service that listens and does not answer yet, since the stack must know its address to start.
pub struct MediaConvertStub {
    listener: TcpListener,
    address: String,
}

/// A service that answers. Dropped, it is gone with all that it does.
pub struct ServingStub {
    service: Arc<Service>,
    server: JoinHandle<()>,
}

/// What handlers share.
pub(crate) struct Service {
    storage: Storage,
    mood: Mutex<Mood>,
    calls: Mutex<Calls>,
    jobs: Mutex<Vec<Job>>,
    /// As EventBridge would bring them, in order.
    events: Mutex<Vec<Value>>,
    work: Mutex<Vec<JoinHandle<()>>>,
}

impl MediaConvertStub {
    /// Takes a free port.
    ///
    /// # Errors
    /// That there is none.
    pub async fn bind() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, address })
    }

    /// What `mediaconvert.endpoint` must be.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Answers, and works on what `storage` has.
    pub fn serve(self, storage: Storage, mood: Mood) -> ServingStub {
        let service = Arc::new(Service {
            storage,
            mood: Mutex::new(mood),
            calls: Mutex::default(),
            jobs: Mutex::default(),
            events: Mutex::default(),
            work: Mutex::default(),
        });
        let router = Router::new()
            .route("/2017-08-29/jobs", post(create).get(list))
            .route("/2017-08-29/jobs/{id}", get(look).delete(cancel))
            .with_state(service.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(self.listener, router).await {
                panic!("the stub of MediaConvert ended: {error}");
            }
        });
        ServingStub { service, server }
    }
}

impl ServingStub {
    /// Behaves like this from now on.
    pub fn be(&self, mood: Mood) {
        *lock(&self.service.mood) = mood;
    }

    /// What was asked so far.
    pub fn calls(&self) -> Calls {
        lock(&self.service.calls).clone()
    }

    /// The statuses of all jobs, in the order of their making.
    pub fn jobs(&self) -> Vec<&'static str> {
        lock(&self.service.jobs)
            .iter()
            .map(|job| job.status)
            .collect()
    }

    /// The events of all jobs, in the order in which they happened. Nobody brings them but the test: late, twice, in any
    /// order, or never.
    pub fn events(&self) -> Vec<Value> {
        lock(&self.service.events).clone()
    }
}

impl Drop for ServingStub {
    fn drop(&mut self) {
        self.server.abort();
        for work in lock(&self.service.work).drain(..) {
            work.abort();
        }
    }
}

impl Service {
    fn mood(&self) -> Mood {
        *lock(&self.mood)
    }

    /// Changes a job that has not ended, and tells of it.
    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        let mut jobs = lock(&self.jobs);
        let Some(job) = jobs.iter_mut().find(|job| job.id == id && !job.has_ended()) else {
            return;
        };
        let before = job.status;
        change(job);
        lock(&self.events).push(job.event(before));
    }

    /// Waits as long as it is told to before it answers anything.
    async fn hesitate(&self) -> Result<(), Response> {
        match self.mood() {
            Mood::Slow(wait) => sleep(wait).await,
            Mood::Away => return Err(refusal(503, "ServiceUnavailableException", "not now")),
            _ => {}
        }
        Ok(())
    }
}

async fn create(State(service): State<Arc<Service>>, Json(body): Json<Value>) -> Response {
    if let Err(away) = service.hesitate().await {
        return away;
    }
    lock(&service.calls).created.push(body.clone());
    let job = match Job::asked_for(body) {
        Ok(job) => job,
        Err(problem) => return refusal(400, "BadRequestException", &problem.to_string()),
    };
    let remembered = lock(&service.jobs)
        .iter()
        .find(|known| known.token == job.token && chrono::Utc::now() - known.created < REMEMBERED)
        .map(Job::described);
    let described = match remembered {
        Some(described) => described,
        None => {
            let described = job.described();
            lock(&service.events).push(job.event("SUBMITTED"));
            lock(&service.jobs).push(job.clone());
            let work = tokio::spawn(work(service.clone(), job));
            lock(&service.work).push(work);
            described
        }
    };
    if service.mood() == Mood::LosesAnswers {
        // The connection breaks in the middle of it.
        let broken = futures::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("lost"))]);
        return (StatusCode::CREATED, Body::from_stream(broken)).into_response();
    }
    (StatusCode::CREATED, Json(json!({"job": described}))).into_response()
}

/// Does a job, or what the mood makes of it.
async fn work(service: Arc<Service>, job: Job) {
    let id = job.id.clone();
    service.change(&id, |job| job.go(10));
    match service.mood() {
        Mood::Stalls => return,
        Mood::Fails(code) => {
            // It has begun to write.
            if let Err(error) = encode::rest(&service.storage, &job).await {
                panic!("the stub cannot write: {error:#}");
            }
            return service.change(&id, |job| job.fail(code, "Example error message"));
        }
        _ => {}
    }
    let say = |percent| service.change(&id, |job| job.go(percent));
    match encode::run(&service.storage, &job, say).await {
        Ok(()) => service.change(&id, Job::complete),
        Err(error) => {
            eprintln!("the stub of MediaConvert failed: {error:#}");
            service.change(&id, |job| job.fail(1010, &format!("{error:#}")));
        }
    }
}

async fn look(State(service): State<Arc<Service>>, Path(id): Path<String>) -> Response {
    if let Err(away) = service.hesitate().await {
        return away;
    }
    lock(&service.calls).looked += 1;
    if service.mood() == Mood::Mute {
        std::future::pending::<()>().await;
    }
    let found = lock(&service.jobs)
        .iter()
        .find(|job| job.id == id)
        .map(Job::described);
    match found {
        Some(job) => Json(json!({"job": job})).into_response(),
        None => refusal(404, "NotFoundException", "no such job"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    max_results: Option<usize>,
    next_token: Option<usize>,
    order: Option<String>,
}

async fn list(State(service): State<Arc<Service>>, Query(page): Query<Page>) -> Response {
    if let Err(away) = service.hesitate().await {
        return away;
    }
    lock(&service.calls).listed += 1;
    let mut all: Vec<Value> = lock(&service.jobs).iter().map(Job::described).collect();
    if page.order.as_deref() == Some("DESCENDING") {
        all.reverse();
    }
    let (from, most) = (page.next_token.unwrap_or(0), page.max_results.unwrap_or(20));
    let next = (all.len() > from + most).then(|| (from + most).to_string());
    let jobs: Vec<Value> = all.into_iter().skip(from).take(most).collect();
    Json(json!({"jobs": jobs, "nextToken": next})).into_response()
}

async fn cancel(State(service): State<Arc<Service>>, Path(id): Path<String>) -> Response {
    if let Err(away) = service.hesitate().await {
        return away;
    }
    lock(&service.calls).cancelled.push(id.clone());
    let ended = lock(&service.jobs)
        .iter()
        .find(|job| job.id == id)
        .map(Job::has_ended);
    match ended {
        Some(false) => {
            service.change(&id, Job::cancel);
            (StatusCode::ACCEPTED, Json(json!({}))).into_response()
        }
        Some(true) => refusal(409, "ConflictException", "the job has ended"),
        None => refusal(404, "NotFoundException", "no such job"),
    }
}

fn refusal(status: u16, kind: &'static str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        [("x-amzn-ErrorType", kind)],
        Json(json!({"message": message})),
    )
        .into_response()
}

pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
