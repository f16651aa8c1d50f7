//! Whole objects: put, get, head, delete, copy.

use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::{Service, headers_of, length};
use crate::s3::checksum::expected_of;
use crate::s3::error::StoreError;
use crate::s3::object::Meta;
use crate::s3::reader;
use crate::s3::store::{WriteIf, matches};
use crate::s3::writer::stage;

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

impl Service {
    pub(super) async fn put_object(
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

    pub(super) async fn get_object(
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

    pub(super) async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let (bucket, key) = (input.bucket, input.key);
        let (_, meta) = self.run(move |store| store.read(&bucket, &key)).await?;
        check_read(&meta, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(describe!(HeadObjectOutput, meta)))
    }

    pub(super) async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.run(move |store| store.delete(&req.input.bucket, &req.input.key))
            .await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    pub(super) async fn delete_objects(
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

    pub(super) async fn copy_object(
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
