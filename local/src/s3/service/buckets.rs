//! Buckets, and what is in them.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{PAGE, Service, length};
use crate::s3::listing::Query;
use crate::s3::store::Store;

impl Service {
    pub(super) async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = req.input.bucket;
        let location = format!("/{bucket}");
        if !self.run(move |store| store.create_bucket(&bucket)).await? {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(location),
        }))
    }

    pub(super) async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.run(move |store| store.bucket(&req.input.bucket))
            .await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    pub(super) async fn list_buckets(
        &self,
        _: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let names = self.run(Store::buckets).await?;
        let buckets = names
            .into_iter()
            .map(|name| Bucket {
                name: Some(name),
                ..Default::default()
            })
            .collect();
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets),
            ..Default::default()
        }))
    }

    pub(super) async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let max_keys = input.max_keys.unwrap_or(PAGE).clamp(0, PAGE);
        let after = match &input.continuation_token {
            Some(token) => Some(key_of_token(token)?),
            None => input.start_after.clone(),
        };
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after,
            limit: usize::try_from(max_keys).unwrap_or_default(),
        };
        let bucket = input.bucket.clone();
        let page = self.run(move |store| store.list(&bucket, &query)).await?;
        let count = page.objects.len() + page.prefixes.len();
        let contents = page.objects.into_iter().map(|(key, meta)| {
            Ok(Object {
                last_modified: Some(meta.modified_at().into()),
                size: Some(length(meta.size)?),
                e_tag: Some(ETag::Strong(meta.etag)),
                key: Some(key),
                ..Default::default()
            })
        });
        Ok(S3Response::new(ListObjectsV2Output {
            contents: Some(contents.collect::<S3Result<_>>()?),
            common_prefixes: Some(
                page.prefixes
                    .into_iter()
                    .map(|prefix| CommonPrefix {
                        prefix: Some(prefix),
                    })
                    .collect(),
            ),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(hex::encode),
            continuation_token: input.continuation_token,
            key_count: i32::try_from(count).ok(),
            max_keys: Some(max_keys),
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            start_after: input.start_after,
            ..Default::default()
        }))
    }
}

fn key_of_token(token: &str) -> S3Result<String> {
    let bytes = hex::decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    bytes.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not ours"))
}
