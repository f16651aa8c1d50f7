//! The S3 operations, translated to calls of the store.

/// Buckets, and what is in them.
mod buckets;
/// Whole objects: put, get, head, delete, copy.
mod objects;
/// Uploads in parts.
mod uploads;

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result};
use tokio::task::spawn_blocking;

use super::error::StoreError;
use super::object::{Headers, Meta};
use super::store::{Store, WriteIf};
use super::writer::Staged;

/// S3's own page size.
const PAGE: i32 = 1000;

/// The store as s3s calls it.
#[derive(Clone)]
pub(in crate::s3) struct Service(pub Arc<Store>);

impl Service {
    /// Runs a call of the store to its end, whatever becomes of the request.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> S3Result<T> {
        let store = Arc::clone(&self.0);
        Ok(spawn_blocking(move || call(&store))
            .await
            .map_err(S3Error::internal_error)??)
    }

    pub(super) async fn publish(
        &self,
        bucket: String,
        key: String,
        staged: Staged,
        headers: Headers,
        condition: WriteIf,
    ) -> S3Result<Meta> {
        self.run(move |store| {
            let meta = Meta::new(staged.etag(), staged.size, headers);
            store.publish(&bucket, &key, staged, &meta, &condition)?;
            Ok(meta)
        })
        .await
    }
}

/// Collects the headers that S3 keeps with an object; the inputs of s3s share field names but no trait.
macro_rules! headers_of {
    ($input:expr) => {
        $crate::s3::object::Headers {
            content_type: $input.content_type,
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $input
                .content_encoding
                .and_then(|encoding| $crate::s3::service::without_chunking(&encoding)),
            content_language: $input.content_language,
            user: $input.metadata.into_iter().flatten().collect(),
        }
    };
}
use headers_of;

/// Implements the trait by the methods of the same names in the modules below: a trait's impl is one block, and one file
/// for all operations would be too long. Inherent methods go before the trait's, so nothing calls itself.
macro_rules! operations {
    ($($method:ident($input:ident) -> $output:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Service {
            $(async fn $method(&self, req: S3Request<$input>) -> S3Result<S3Response<$output>> {
                Service::$method(self, req).await
            })*
        }
    };
}

operations! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput;
    head_bucket(HeadBucketInput) -> HeadBucketOutput;
    list_buckets(ListBucketsInput) -> ListBucketsOutput;
    put_object(PutObjectInput) -> PutObjectOutput;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    copy_object(CopyObjectInput) -> CopyObjectOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    list_parts(ListPartsInput) -> ListPartsOutput;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
}

/// `aws-chunked` describes the request's body, not the object.
fn without_chunking(encoding: &str) -> Option<String> {
    let kept: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty() && *e != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn length(bytes: u64) -> S3Result<i64> {
    i64::try_from(bytes).map_err(S3Error::internal_error)
}
