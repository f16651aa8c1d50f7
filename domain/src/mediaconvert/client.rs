//! Asks MediaConvert, looks at its jobs, cancels them. Nothing is retried in here: whoever calls is a job of ours, which
//! comes again, and which looks before it asks a second time.

use std::{sync::Arc, time::Duration};

use aws_sdk_mediaconvert::{
    Client, Config,
    config::{
        BehaviorVersion, Region, http::HttpResponse, retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::create_job::builders::CreateJobInputBuilder,
    types::{Job, JobStatus as Theirs, Order as Newest},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::JobStatus;
use crate::aws;

/// The key of our token in a job's user metadata.
pub(super) const TOKEN: &str = "millrace";
/// Jobs that one page of a list holds: as many as they allow.
const PAGE: i32 = 20;
/// Pages that a look turns at most. What is not found by then is not taken for absent.
const PAGES: usize = 100;
/// How much their clock may be behind ours.
const SKEW: Duration = Duration::from_secs(10 * 60);

/// How to reach MediaConvert, and as whom it works.
#[derive(Debug, Clone)]
pub struct MediaConvertOptions {
    /// `None` for AWS.
    pub endpoint: Option<String>,
    pub region: String,
    /// Empty: the SDK's chain of credentials.
    pub access_key: String,
    pub secret_key: String,
    /// Their role in our account: reads sources and writes outputs.
    pub role: String,
    /// Name or ARN; `None` for the account's default.
    pub queue: Option<String>,
    /// Where sources lie, and outputs go.
    pub bucket: String,
    /// How long a job is left alone between two looks.
    pub poll: Duration,
    /// How long a job that they say is in progress may show none.
    pub silence: Duration,
}

/// A handle to MediaConvert; clones share its connections.
#[derive(Debug, Clone)]
pub struct MediaConvert {
    client: Client,
    options: Arc<MediaConvertOptions>,
}

/// What is asked for: a job, ready to be sent.
pub type Ask = CreateJobInputBuilder;

/// What they say about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Their id.
    pub id: Option<String>,
    pub status: JobStatus,
    pub percent: i16,
    pub code: Option<i32>,
    pub message: Option<String>,
}

/// Why they could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// They will not do it, however often they are asked: the role, the queue, the settings, who we are.
    #[error("MediaConvert refused: {code}: {message}")]
    Refused { code: String, message: String },
    /// There is no such job, or it has ended.
    #[error("MediaConvert does not know the job")]
    NotFound,
    /// They could not be reached, failed, or are busy; trying again may help. The call may have had its effect.
    #[error("MediaConvert failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl MediaConvert {
    /// Builds the client. Nothing is contacted yet.
    pub fn new(options: MediaConvertOptions) -> Self {
        let credentials =
            aws::credentials(&options.access_key, &options.secret_key, &options.region);
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(options.region.clone()))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_timeout(Duration::from_secs(30))
                    .build(),
            )
            .http_client(aws::http_client());
        if let Some(url) = &options.endpoint {
            config = config.endpoint_url(url);
        }
        Self {
            client: Client::from_conf(config.build()),
            options: Arc::new(options),
        }
    }

    /// What it was made with.
    pub fn options(&self) -> &MediaConvertOptions {
        &self.options
    }

    /// Whether it answers us.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), ConvertError> {
        let list = self.client.list_jobs().max_results(1);
        list.send().await.map(drop).map_err(classify)
    }

    /// Asks for a job. Asked again with the same token within a minute, they answer with the first one; later, they make
    /// another one, so look first ([`MediaConvert::find`]).
    ///
    /// # Errors
    /// [`ConvertError`]
    pub async fn create(&self, ask: Ask) -> Result<Seen, ConvertError> {
        let answer = ask.send_with(&self.client).await.map_err(classify)?;
        let job = answer.job.as_ref().filter(|job| job.id().is_some());
        job.map(Seen::of).ok_or_else(nothing)
    }

    /// The job as it is now.
    ///
    /// # Errors
    /// [`ConvertError::NotFound`] when they do not know it (any more).
    pub async fn get(&self, id: &str) -> Result<Seen, ConvertError> {
        let answer = self.client.get_job().id(id).send().await;
        let answer = answer.map_err(classify)?;
        answer.job.as_ref().map(Seen::of).ok_or_else(nothing)
    }

    /// The job with this token, if there is one since `since`: lists are walked from the newest job to those that were
    /// there before anybody asked for it. They search by file names, not by metadata.
    ///
    /// # Errors
    /// [`ConvertError`]; also when there are too many newer ones to say that it is not among them.
    pub async fn find(
        &self,
        token: Uuid,
        since: DateTime<Utc>,
    ) -> Result<Option<Seen>, ConvertError> {
        let token = token.to_string();
        let since = (since - SKEW).timestamp();
        let mut next = None;
        for _ in 0..PAGES {
            let page = self
                .client
                .list_jobs()
                .max_results(PAGE)
                .order(Newest::Descending)
                .set_queue(self.options.queue.clone())
                .set_next_token(next)
                .send()
                .await
                .map_err(classify)?;
            for job in page.jobs() {
                let metadata = job.user_metadata();
                if metadata.and_then(|all| all.get(TOKEN)) == Some(&token) {
                    return Ok(Some(Seen::of(job)));
                }
                if job.created_at().is_some_and(|at| at.secs() < since) {
                    return Ok(None);
                }
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(None);
            }
        }
        Err(ConvertError::Unavailable(
            format!("more than {} jobs since", PAGES * 20).into(),
        ))
    }

    /// Asks them to stop. What has ended by then stays as it ended.
    ///
    /// # Errors
    /// [`ConvertError::NotFound`] also when it has ended.
    pub async fn cancel(&self, id: &str) -> Result<(), ConvertError> {
        let answer = self.client.cancel_job().id(id).send().await;
        answer.map(drop).map_err(classify)
    }
}

impl Seen {
    fn of(job: &Job) -> Self {
        let status = match job.status() {
            Some(Theirs::Progressing) => JobStatus::Progressing,
            Some(Theirs::Complete) => JobStatus::Complete,
            Some(Theirs::Canceled) => JobStatus::Canceled,
            Some(Theirs::Error) => JobStatus::Error,
            // What they may invent later is no end.
            _ => JobStatus::Submitted,
        };
        Self {
            id: job.id().map(str::to_owned),
            status,
            percent: percent(job.job_percent_complete().unwrap_or_default()),
            code: job.error_code(),
            message: job.error_message().map(str::to_owned),
        }
    }
}

/// A percent as rows have it.
pub(super) fn percent(theirs: i32) -> i16 {
    i16::try_from(theirs.clamp(0, 100)).unwrap_or_default()
}

fn nothing() -> ConvertError {
    ConvertError::Unavailable("the answer names no job".into())
}

/// Sorts an SDK error into ours.
fn classify<E>(error: SdkError<E, HttpResponse>) -> ConvertError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|r| r.status().as_u16());
    let code = error.code().unwrap_or_default().to_owned();
    match (status, code.as_str()) {
        (Some(404 | 409), _) => ConvertError::NotFound,
        // Credentials that ran out are renewed by whoever gave them.
        (Some(429 | 408), _)
        | (
            _,
            "TooManyRequestsException"
            | "ThrottlingException"
            | "ExpiredTokenException"
            | "RequestExpired",
        ) => ConvertError::Unavailable(Box::new(error)),
        (Some(400..=499), _) => ConvertError::Refused {
            message: error.message().unwrap_or("no reason given").to_owned(),
            code,
        },
        _ => ConvertError::Unavailable(Box::new(error)),
    }
}
