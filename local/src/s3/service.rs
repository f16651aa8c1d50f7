//! The S3 operations, translated to calls of the store.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use tokio::task::spawn_blocking;

use super::checksum::expected_of;
use super::error::StoreError;
use super::listing::Query;
use super::object::{Headers, Meta};
use super::reader;
use super::store::{Store, WriteIf, matches};
use super::writer::{Staged, stage};

/// S3's own page size.
const PAGE: i32 = 1000;

/// The store as s3s calls it.
#[derive(Clone)]
pub(super) struct Service(pub Arc<Store>);

impl Service {
    /// Runs a call of the store to its end, whatever becomes of the request.
    async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> S3Result<T> {
        let store = Arc::clone(&self.0);
        Ok(spawn_blocking(move || call(&store))
            .await
            .map_err(S3Error::internal_error)??)
    }

    async fn publish(
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
        Headers {
            content_type: $input.content_type,
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $input
                .content_encoding
                .and_then(|encoding| without_chunking(&encoding)),
            content_language: $input.content_language,
            user: $input.metadata.into_iter().flatten().collect(),
        }
    };
}

/// Fills what GET and HEAD answer alike.
macro_rules! describe {
    ($output:ident, $meta:expr) => {{
        let Meta {
            etag,
            size,
            headers,
            ..
        } = $meta.clone();
        $output {
            accept_ranges: Some("bytes".into()),
            content_length: Some(length(size)?),
            e_tag: Some(ETag::Strong(etag)),
            last_modified: Some($meta.modified_at().into()),
            content_type: Some(
                headers
                    .content_type
                    .unwrap_or_else(|| "binary/octet-stream".into()),
            ),
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_language: headers.content_language,
            metadata: Some(headers.user.into_iter().collect()),
            ..Default::default()
        }
    }};
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn create_bucket(
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

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.run(move |store| store.bucket(&req.input.bucket))
            .await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(
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

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let mut input = req.input;
        let expected = expected_of!(input, req.trailing_headers);
        let body = input.body.take();
        let condition = WriteIf {
            matches: input.if_match.take(),
            none_match: input.if_none_match.take(),
        };
        let bucket = input.bucket.clone();
        self.run(move |store| store.bucket(&bucket)).await?;
        let staged = stage(&self.0.tmp(), body, expected).await?;
        let meta = self
            .publish(
                input.bucket,
                input.key,
                staged,
                headers_of!(input),
                condition,
            )
            .await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(meta.etag)),
            ..Default::default()
        }))
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        if input.part_number.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "partNumber is not implemented; use Range"
            ));
        }
        let (bucket, key) = (input.bucket, input.key);
        let (file, meta) = self.run(move |store| store.read(&bucket, &key)).await?;
        check_read(&meta, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        if input.if_none_match.is_none() && unchanged_since(&meta, input.if_modified_since.as_ref())
        {
            return Err(StoreError::NotModified.into());
        }
        let range = match input.range {
            Some(range) => range.check(meta.size)?,
            None => 0..meta.size,
        };
        let mut output = describe!(GetObjectOutput, meta);
        output.content_length = Some(length(range.end - range.start)?);
        output.content_range = input.range.map(|_| {
            format!(
                "bytes {}-{}/{}",
                range.start,
                range.end.saturating_sub(1),
                meta.size
            )
        });
        output.body = Some(reader::stream(self.0.pieces(file, &meta, range)));
        Ok(S3Response::new(output))
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let (bucket, key) = (input.bucket, input.key);
        let (_, meta) = self.run(move |store| store.read(&bucket, &key)).await?;
        check_read(&meta, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(describe!(HeadObjectOutput, meta)))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.run(move |store| store.delete(&req.input.bucket, &req.input.key))
            .await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        let quiet = delete.quiet.unwrap_or(false);
        if delete.objects.len() > 1000 {
            return Err(s3_error!(
                MalformedXML,
                "at most 1000 objects are deleted at once"
            ));
        }
        let output = self.run(move |store| {
            store.bucket(&bucket)?;
            let (mut deleted, mut errors) = (Vec::new(), Vec::new());
            for key in delete.objects.into_iter().map(|object| object.key) {
                match store.delete(&bucket, &key).map_err(S3Error::from) {
                    Ok(()) if quiet => {}
                    Ok(()) => deleted.push(DeletedObject {
                        key: Some(key),
                        ..Default::default()
                    }),
                    Err(error) => errors.push(Error {
                        key: Some(key),
                        code: Some(error.code().as_str().into()),
                        message: error.message().map(Into::into),
                        ..Default::default()
                    }),
                }
            }
            Ok(DeleteObjectsOutput {
                deleted: Some(deleted),
                errors: Some(errors),
                ..Default::default()
            })
        });
        Ok(S3Response::new(output.await?))
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        let CopySource::Bucket {
            bucket: from_bucket,
            key: from_key,
            version_id: None,
        } = input.copy_source
        else {
            return Err(s3_error!(
                NotImplemented,
                "only objects of plain buckets can be copied"
            ));
        };
        let (file, source) = self
            .run(move |store| store.read(&from_bucket, &from_key))
            .await?;
        check_read(
            &source,
            input.copy_source_if_match.as_ref(),
            input.copy_source_if_none_match.as_ref(),
        )?;
        let replace = input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let headers = if replace {
            headers_of!(input)
        } else {
            source.headers.clone()
        };
        let body = reader::stream(self.0.pieces(file, &source, 0..source.size));
        let staged = stage(&self.0.tmp(), Some(body), Default::default()).await?;
        let meta = self
            .publish(input.bucket, input.key, staged, headers, WriteIf::default())
            .await?;
        let result = CopyObjectResult {
            last_modified: Some(meta.modified_at().into()),
            e_tag: Some(ETag::Strong(meta.etag)),
            ..Default::default()
        };
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
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

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        let (bucket, key, headers) = (input.bucket, input.key, headers_of!(input));
        let upload = self
            .run(move |store| store.start_upload(&bucket, &key, headers))
            .await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(upload.bucket),
            key: Some(upload.key),
            upload_id: Some(upload.id),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let mut input = req.input;
        let expected = expected_of!(input, req.trailing_headers);
        let staged = stage(&self.0.tmp(), input.body.take(), expected).await?;
        let put = move |store: &Store| {
            store.put_part(
                &input.bucket,
                &input.key,
                &input.upload_id,
                input.part_number,
                staged,
            )
        };
        let meta = self.run(put).await?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(meta.etag)),
            ..Default::default()
        }))
    }

    async fn list_parts(
        &self,
        req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let ListPartsInput {
            bucket,
            key,
            upload_id,
            max_parts,
            part_number_marker,
            ..
        } = req.input;
        let (b, k, id) = (bucket.clone(), key.clone(), upload_id.clone());
        let mut parts = self.run(move |store| store.parts(&b, &k, &id)).await?;
        let max_parts = max_parts.unwrap_or(PAGE).clamp(0, PAGE);
        parts.retain(|(number, _)| *number > part_number_marker.unwrap_or(0));
        let truncated = parts.len() > usize::try_from(max_parts).unwrap_or_default();
        parts.truncate(usize::try_from(max_parts).unwrap_or_default());
        let last = parts.last().map(|(number, _)| *number);
        let parts = parts.into_iter().map(|(number, meta)| {
            Ok(Part {
                part_number: Some(number),
                last_modified: Some(meta.modified_at().into()),
                size: Some(length(meta.size)?),
                e_tag: Some(ETag::Strong(meta.etag)),
                ..Default::default()
            })
        });
        Ok(S3Response::new(ListPartsOutput {
            parts: Some(parts.collect::<S3Result<_>>()?),
            is_truncated: Some(truncated),
            next_part_number_marker: last.filter(|_| truncated),
            part_number_marker,
            max_parts: Some(max_parts),
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(upload_id),
            ..Default::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let ListMultipartUploadsInput {
            bucket,
            prefix,
            delimiter,
            key_marker,
            upload_id_marker,
            max_uploads,
            ..
        } = req.input;
        if delimiter.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "delimiter is not implemented for uploads"
            ));
        }
        let (b, p) = (bucket.clone(), prefix.clone().unwrap_or_default());
        let mut uploads = self.run(move |store| store.pending_uploads(&b, &p)).await?;
        if let Some(key) = &key_marker {
            uploads.retain(|upload| match &upload_id_marker {
                Some(id) => (&upload.key, &upload.id) > (key, id),
                None => upload.key > *key,
            });
        }
        let max_uploads = max_uploads.unwrap_or(PAGE).clamp(1, PAGE);
        let truncated = uploads.len() > usize::try_from(max_uploads).unwrap_or_default();
        uploads.truncate(usize::try_from(max_uploads).unwrap_or_default());
        let next = uploads.last().filter(|_| truncated).cloned();
        let uploads = uploads.into_iter().map(|upload| MultipartUpload {
            initiated: Some(
                (std::time::SystemTime::UNIX_EPOCH
                    + std::time::Duration::from_millis(upload.initiated))
                .into(),
            ),
            key: Some(upload.key),
            upload_id: Some(upload.id),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            is_truncated: Some(truncated),
            next_key_marker: next.as_ref().map(|upload| upload.key.clone()),
            next_upload_id_marker: next.map(|upload| upload.id),
            max_uploads: Some(max_uploads),
            bucket: Some(bucket),
            prefix,
            key_marker,
            upload_id_marker,
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput {
            bucket,
            key,
            upload_id,
            multipart_upload,
            if_match,
            if_none_match,
            ..
        } = req.input;
        let parts = multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let parts: Vec<_> = parts
            .into_iter()
            .map(|part| {
                Ok((
                    part.part_number.ok_or_else(|| s3_error!(MalformedXML))?,
                    part.e_tag.map(ETag::into_value),
                ))
            })
            .collect::<S3Result<_>>()?;
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML, "at least one part must be listed"));
        }
        let condition = WriteIf {
            matches: if_match,
            none_match: if_none_match,
        };
        let (b, k) = (bucket.clone(), key.clone());
        let meta = self
            .run(move |store| store.complete(&b, &k, &upload_id, &parts, &condition))
            .await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(meta.etag)),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let AbortMultipartUploadInput {
            bucket,
            key,
            upload_id,
            ..
        } = req.input;
        self.run(move |store| store.abort(&bucket, &key, &upload_id))
            .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

fn check_read(
    meta: &Meta,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if if_match.is_some_and(|condition| !matches(condition, meta)) {
        return Err(StoreError::PreconditionFailed.into());
    }
    if if_none_match.is_some_and(|condition| matches(condition, meta)) {
        return Err(StoreError::NotModified.into());
    }
    Ok(())
}

/// HTTP dates have no fractions, so the object's is cut to seconds too.
fn unchanged_since(meta: &Meta, since: Option<&Timestamp>) -> bool {
    let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(meta.modified / 1000);
    since.is_some_and(|since| Timestamp::from(modified) <= *since)
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

fn key_of_token(token: &str) -> S3Result<String> {
    let bytes = hex::decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    bytes.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not ours"))
}

fn length(bytes: u64) -> S3Result<i64> {
    i64::try_from(bytes).map_err(S3Error::internal_error)
}
