//! The embedded stack, driven from outside as its users drive it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

/// PostgreSQL and the storage server together.
mod foundation;
/// The SMTP sink and its mailbox.
mod mail;
/// The payment sandbox, by the client of Stripe.
mod payments;
/// The private PostgreSQL cluster.
mod postgres;
/// The S3-protocol server through the AWS SDK and plain HTTP.
mod s3;
