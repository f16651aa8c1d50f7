//! Objects in S3, or in anything that speaks its protocol: one client for servers, one whose presigned URLs
//! browsers can reach. Production and local mode differ by endpoint only.

/// A CDN in front of the bucket.
mod cdn;
/// Objects into local files.
mod download;
/// Lists by pages, and deletion of many.
mod listing;
/// Uploads in parts.
mod multipart;
/// Whole objects: head, get, put, list, delete.
mod object;
/// URLs that browsers use.
mod presign;

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
};

use crate::aws;

pub use cdn::{Cdn, CdnError, CdnKey, CdnOptions, Pass};
pub use listing::{ListPage, ListedObject};
pub use multipart::{CompletedPart, OpenMultipart, OpenMultiparts, ReceivedPart};
pub use object::ObjectHead;
pub use presign::{GetOptions, SignedPut};

/// How to reach the store.
#[derive(Debug, Clone)]
pub struct StorageOptions {
    /// As servers reach it; `None` for AWS.
    pub endpoint: Option<String>,
    /// As browsers reach it; `None` for the same.
    pub public_endpoint: Option<String>,
    pub region: String,
    pub bucket: String,
    /// Empty: the SDK's chain of credentials.
    pub access_key: String,
    pub secret_key: String,
    /// Bucket in the path instead of in the host name.
    pub path_style: bool,
}

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such object, bucket or multipart upload.
    #[error("{0} is not in the store")]
    NotFound(String),
    /// The object is another one than expected (its ETag differs), or exists where it must not.
    #[error("{0} was changed")]
    Changed(String),
    /// The store refused for good: parts that do not fit together, a bad request.
    #[error("the store refused {key}: {code}")]
    Refused { key: String, code: String },
    /// The store could not be reached or failed; trying again may help.
    #[error("the store failed on {key}")]
    Unavailable {
        key: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A local file could not be read or written.
    #[error("failed to read or write {0}")]
    File(String, #[source] std::io::Error),
}

/// A handle to the store; clones share its connections.
#[derive(Debug, Clone)]
pub struct Storage {
    client: Client,
    public: Client,
    bucket: Arc<str>,
}

impl Storage {
    /// Builds the clients. Nothing is contacted yet; see [`Storage::check`].
    pub fn new(options: &StorageOptions) -> Self {
        // One chain for both clients, since each looks up who we are and keeps it.
        let credentials =
            aws::credentials(&options.access_key, &options.secret_key, &options.region);
        let config = |endpoint: Option<&String>| {
            let mut builder = aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(options.region.clone()))
                .credentials_provider(credentials.clone())
                .force_path_style(options.path_style)
                // The default checksums make several S3-protocol servers keep `aws-chunked` as content-encoding.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
                .retry_config(RetryConfig::standard().with_max_attempts(3))
                .timeout_config(
                    TimeoutConfig::builder()
                        .connect_timeout(Duration::from_secs(3))
                        // To the first byte of the answer; bodies may take as long as they flow.
                        .read_timeout(Duration::from_secs(30))
                        .build(),
                )
                .http_client(aws::http_client());
            if let Some(url) = endpoint {
                builder = builder.endpoint_url(url);
            }
            Client::from_conf(builder.build())
        };
        let public = options
            .public_endpoint
            .as_ref()
            .or(options.endpoint.as_ref());
        Self {
            client: config(options.endpoint.as_ref()),
            public: config(public),
            bucket: options.bucket.as_str().into(),
        }
    }

    /// Whether the bucket can be reached with these credentials.
    ///
    /// # Errors
    /// [`StorageError`] saying why not.
    pub async fn check(&self) -> Result<(), StorageError> {
        self.client
            .head_bucket()
            .bucket(&*self.bucket)
            .send()
            .await
            .map(drop)
            .map_err(|e| classify(&format!("bucket {}", self.bucket), e))
    }
}

/// Sorts an SDK error into ours.
fn classify<E, R>(key: &str, error: SdkError<E, R>) -> StorageError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
    SdkError<E, R>: HttpStatus,
{
    let status = error.status();
    let code = error.code().unwrap_or_default().to_owned();
    match (status, code.as_str()) {
        (Some(404), _) | (_, "NoSuchKey" | "NoSuchUpload" | "NoSuchBucket" | "NotFound") => {
            StorageError::NotFound(key.to_owned())
        }
        (Some(412), _) | (_, "PreconditionFailed") => StorageError::Changed(key.to_owned()),
        (Some(400..=499), _) if !matches!(status, Some(408 | 429)) => StorageError::Refused {
            key: key.to_owned(),
            code: if code.is_empty() {
                format!("status {}", status.unwrap_or_default())
            } else {
                code
            },
        },
        _ => StorageError::Unavailable {
            key: key.to_owned(),
            source: Box::new(error),
        },
    }
}

/// The HTTP status behind an SDK error, if an answer came.
trait HttpStatus {
    fn status(&self) -> Option<u16>;
}

impl<E> HttpStatus for SdkError<E, aws_sdk_s3::config::http::HttpResponse> {
    fn status(&self) -> Option<u16> {
        self.raw_response().map(|r| r.status().as_u16())
    }
}
