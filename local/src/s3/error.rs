//! Errors of the file store, each with the code that S3 gives it.

use std::io;

use s3s::{S3Error, S3ErrorCode};

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("the bucket does not exist")]
    NoSuchBucket,
    #[error("the key does not exist")]
    NoSuchKey,
    #[error("the upload does not exist; it may have been aborted or completed")]
    NoSuchUpload,
    #[error("part {0} was not uploaded, or its ETag is another one")]
    InvalidPart(i32),
    #[error("part numbers must ascend")]
    InvalidPartOrder,
    #[error("part {0} is smaller than 5 MiB and not the last one")]
    PartTooSmall(i32),
    #[error("{0}")]
    InvalidArgument(&'static str),
    #[error("a precondition of the request does not hold")]
    PreconditionFailed,
    #[error("the object was not modified")]
    NotModified,
    #[error("a segment of the key is longer than 240 bytes once encoded")]
    KeyTooLong,
    #[error("the body does not match the {0} that was sent with it")]
    BadDigest(&'static str),
    #[error("the body ended early")]
    IncompleteBody(#[source] Option<s3s::StdError>),
    #[error("failed to {0}")]
    Io(&'static str, #[source] io::Error),
}

/// Names the step that an input or output error stopped.
pub(super) trait Step<T> {
    /// `step` completes "failed to ...".
    fn step(self, step: &'static str) -> Result<T, StoreError>;
}

impl<T> Step<T> for io::Result<T> {
    fn step(self, step: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Io(step, error))
    }
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NoSuchBucket => S3ErrorCode::NoSuchBucket,
            StoreError::NoSuchKey => S3ErrorCode::NoSuchKey,
            StoreError::NoSuchUpload => S3ErrorCode::NoSuchUpload,
            StoreError::InvalidPart(_) => S3ErrorCode::InvalidPart,
            StoreError::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
            StoreError::PartTooSmall(_) => S3ErrorCode::EntityTooSmall,
            StoreError::InvalidArgument(_) => S3ErrorCode::InvalidArgument,
            StoreError::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            StoreError::NotModified => S3ErrorCode::NotModified,
            StoreError::KeyTooLong => S3ErrorCode::KeyTooLongError,
            StoreError::BadDigest(_) => S3ErrorCode::BadDigest,
            StoreError::IncompleteBody(_) => S3ErrorCode::IncompleteBody,
            // A full disk is not our bug and may pass: the client is told to come back.
            StoreError::Io(_, source) if source.kind() == io::ErrorKind::StorageFull => {
                S3ErrorCode::ServiceUnavailable
            }
            StoreError::Io(..) => S3ErrorCode::InternalError,
        };
        let mut answer = S3Error::with_message(code, error.to_string());
        if let StoreError::Io(step, source) = &error {
            tracing::error!(error = %source, "the storage server failed to {step}");
        }
        answer.set_source(Box::new(error));
        answer
    }
}
