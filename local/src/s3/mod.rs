//! The S3-protocol server of local mode: `s3s` speaks the protocol, the file store underneath is ours.
//!
//! Why not `s3s-fs`: it loses ETags, does not sort parts, and a kill while it completes a multipart upload loses the
//! upload. Here every object is one file that appears by one rename, so a kill at any moment leaves either the old
//! object or the new one.

/// `Content-MD5` and `x-amz-checksum-*`: what the client says its bytes add up to.
mod checksum;
/// What can go wrong, and the S3 error code of each.
mod error;
/// Object keys as file names.
mod key;
/// Listing keys in order, by prefix, delimiter and page.
mod listing;
/// Multipart uploads: parts, completion, recovery after a kill.
mod multipart;
/// The file of one object: its bytes, then a trailer that describes them.
mod object;
/// Bytes out: ranges over one file or over the parts of an upload.
mod reader;
/// The socket, CORS and graceful shutdown.
mod server;
/// The S3 operations, translated to calls of the store.
mod service;
/// Buckets and objects on disk.
mod store;
/// Bytes in: a stream into a temporary file, hashed on the way.
mod writer;

pub use server::{S3Options, S3Server, S3ServerError};
