//! `Content-MD5` and `x-amz-checksum-*`: what the client says its bytes add up to, compared once they are all here.

use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::dto::Checksum;

use super::error::StoreError;

/// Checksums that came with a body, base64 as S3 writes them.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub md5: Option<String>,
    pub crc32: Option<String>,
    pub crc32c: Option<String>,
    pub crc64nvme: Option<String>,
    pub sha1: Option<String>,
    pub sha256: Option<String>,
    /// Bytes.
    pub length: Option<u64>,
    /// Checksums that follow the body; the SDK's default way.
    pub trailing: Option<TrailingHeaders>,
}

/// Fills [`Expected`] from any request that carries a body; the inputs of s3s share field names but no trait.
macro_rules! expected_of {
    ($input:expr, $trailing:expr) => {
        $crate::s3::checksum::Expected {
            md5: $input.content_md5.take(),
            crc32: $input.checksum_crc32.take(),
            crc32c: $input.checksum_crc32c.take(),
            crc64nvme: $input.checksum_crc64nvme.take(),
            sha1: $input.checksum_sha1.take(),
            sha256: $input.checksum_sha256.take(),
            length: $input
                .content_length
                .and_then(|length| u64::try_from(length).ok()),
            trailing: $trailing,
        }
    };
}
pub(super) use expected_of;

impl Expected {
    /// A hasher for the algorithms that will be compared.
    pub(super) fn hasher(&self) -> ChecksumHasher {
        // Which trailers will come is known only after the body. CRC-32 and CRC-64 are what SDKs send there, and cheap.
        let trailing = self.trailing.is_some();
        ChecksumHasher {
            crc32: (self.crc32.is_some() || trailing).then(Default::default),
            crc32c: (self.crc32c.is_some() || trailing).then(Default::default),
            crc64nvme: (self.crc64nvme.is_some() || trailing).then(Default::default),
            sha1: self.sha1.is_some().then(Default::default),
            sha256: self.sha256.is_some().then(Default::default),
        }
    }

    /// Compares with what arrived. `md5` is base64.
    pub(super) fn verify(&self, size: u64, md5: &str, sums: &Checksum) -> Result<(), StoreError> {
        if self.length.is_some_and(|length| length != size) {
            return Err(StoreError::IncompleteBody(None));
        }
        if self.md5.as_deref().is_some_and(|expected| expected != md5) {
            return Err(StoreError::BadDigest("Content-MD5"));
        }
        let trailer = |name: &str| {
            let value =
                |headers: &hyper::HeaderMap| Some(headers.get(name)?.to_str().ok()?.to_owned());
            self.trailing
                .as_ref()
                .and_then(|trailing| trailing.read(value).flatten())
        };
        let pairs = [
            ("x-amz-checksum-crc32", &self.crc32, &sums.checksum_crc32),
            ("x-amz-checksum-crc32c", &self.crc32c, &sums.checksum_crc32c),
            (
                "x-amz-checksum-crc64nvme",
                &self.crc64nvme,
                &sums.checksum_crc64nvme,
            ),
            ("x-amz-checksum-sha1", &self.sha1, &sums.checksum_sha1),
            ("x-amz-checksum-sha256", &self.sha256, &sums.checksum_sha256),
        ];
        for (name, header, actual) in pairs {
            let expected = header.clone().or_else(|| trailer(name));
            // An algorithm that was not computed (SHA in a trailer) is not compared.
            if let (Some(expected), Some(actual)) = (expected, actual)
                && expected != *actual
            {
                return Err(StoreError::BadDigest(name));
            }
        }
        Ok(())
    }
}
