//! Uploads in parts.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{PAGE, Service, headers_of, length};
use crate::s3::checksum::expected_of;
use crate::s3::store::{Store, WriteIf};
use crate::s3::writer::stage;

impl Service {
    pub(super) async fn create_multipart_upload(
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

    pub(super) async fn upload_part(
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

    pub(super) async fn list_parts(
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

    pub(super) async fn list_multipart_uploads(
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

    pub(super) async fn complete_multipart_upload(
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

    pub(super) async fn abort_multipart_upload(
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
