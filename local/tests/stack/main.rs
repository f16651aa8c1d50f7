//! The embedded stack, driven from outside as its users drive it.

/// The S3-protocol server through the AWS SDK and plain HTTP.
mod s3;
