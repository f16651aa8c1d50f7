//! URLs that let a browser put or get one object for a while.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::presigning::{PresigningConfig, PresigningConfigError};

use super::{Storage, StorageError, classify};

/// A signed PUT: the client must send exactly these headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPut {
    pub url: String,
    pub headers: Vec<(String, String)>,
}

/// How a GET is signed.
#[derive(Debug, Clone, Copy)]
pub struct GetOptions {
    /// How long the URL is good for, at least.
    pub ttl: Duration,
    /// Sign as of the last full hour, so that everybody gets the same URL for an hour and caches can work.
    pub shared: bool,
}

impl GetOptions {
    fn config(self, key: &str) -> Result<PresigningConfig, StorageError> {
        if self.shared {
            last_hour(self.ttl).map_err(|e| unsignable(key, e))
        } else {
            from_now(key, self.ttl)
        }
    }

    /// Objects are stored as public and immutable, because most are; a private one must not stay in caches.
    fn caching(self) -> Option<String> {
        (!self.shared).then(|| "private, no-store".to_owned())
    }
}

impl Storage {
    /// A PUT of exactly `size` bytes of `content_type`, only where nothing is yet.
    ///
    /// # Errors
    /// [`StorageError`] when the URL cannot be signed.
    pub async fn presign_put(
        &self,
        key: &str,
        content_type: &str,
        size: u64,
        ttl: Duration,
    ) -> Result<SignedPut, StorageError> {
        let signed = self
            .public
            .put_object()
            .bucket(&*self.bucket)
            .key(key)
            .content_type(content_type)
            .content_length(i64::try_from(size).unwrap_or(i64::MAX))
            .if_none_match("*")
            .presigned(from_now(key, ttl)?)
            .await
            .map_err(|e| classify(key, e))?;
        // Browsers set content-length themselves and refuse to be told; its value is signed all the same.
        let headers = signed
            .headers()
            .filter(|(name, _)| {
                !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("host")
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(SignedPut {
            url: signed.uri().to_owned(),
            headers,
        })
    }

    /// A PUT of one part.
    ///
    /// # Errors
    /// [`StorageError`] when the URL cannot be signed.
    pub async fn presign_part(
        &self,
        key: &str,
        upload_id: &str,
        part_number: i32,
        ttl: Duration,
    ) -> Result<String, StorageError> {
        let signed = self
            .public
            .upload_part()
            .bucket(&*self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(part_number)
            .presigned(from_now(key, ttl)?)
            .await
            .map_err(|e| classify(key, e))?;
        Ok(signed.uri().to_owned())
    }

    /// A GET that is answered as a file to be saved under `name`.
    ///
    /// # Errors
    /// [`StorageError`] when the URL cannot be signed.
    pub async fn presign_download(
        &self,
        key: &str,
        name: &str,
        ttl: Duration,
    ) -> Result<String, StorageError> {
        let signed = self
            .public
            .get_object()
            .bucket(&*self.bucket)
            .key(key)
            .set_response_content_disposition(Some(attachment(name)))
            .response_cache_control("private, no-store")
            .presigned(from_now(key, ttl)?)
            .await
            .map_err(|e| classify(key, e))?;
        Ok(signed.uri().to_owned())
    }

    /// A GET.
    ///
    /// # Errors
    /// [`StorageError`] when the URL cannot be signed.
    pub async fn presign_get(
        &self,
        key: &str,
        options: GetOptions,
    ) -> Result<String, StorageError> {
        let signed = self
            .public
            .get_object()
            .bucket(&*self.bucket)
            .key(key)
            .set_response_cache_control(options.caching())
            .presigned(options.config(key)?)
            .await
            .map_err(|e| classify(key, e))?;
        Ok(signed.uri().to_owned())
    }

    /// A HEAD: the store refuses one at the URL of a GET, because the method is signed.
    ///
    /// # Errors
    /// [`StorageError`] when the URL cannot be signed.
    pub async fn presign_head(
        &self,
        key: &str,
        options: GetOptions,
    ) -> Result<String, StorageError> {
        let signed = self
            .public
            .head_object()
            .bucket(&*self.bucket)
            .key(key)
            .set_response_cache_control(options.caching())
            .presigned(options.config(key)?)
            .await
            .map_err(|e| classify(key, e))?;
        Ok(signed.uri().to_owned())
    }
}

fn from_now(key: &str, ttl: Duration) -> Result<PresigningConfig, StorageError> {
    PresigningConfig::expires_in(ttl).map_err(|e| unsignable(key, e))
}

fn last_hour(ttl: Duration) -> Result<PresigningConfig, PresigningConfigError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let start = UNIX_EPOCH + Duration::from_secs(now / 3600 * 3600);
    // An hour more, since up to an hour of it is past already.
    PresigningConfig::builder()
        .start_time(start)
        .expires_in(ttl + Duration::from_secs(3600))
        .build()
}

fn unsignable(key: &str, source: PresigningConfigError) -> StorageError {
    StorageError::Unavailable {
        key: key.to_owned(),
        source: Box::new(source),
    }
}
/// `Content-Disposition` as RFC 6266 has it: the name in ASCII for the old, and in full for everybody else.
fn attachment(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-()".contains(c);
    let ascii: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let full: String = name
        .bytes()
        .map(|b| match b {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'_' | b'-' => {
                char::from(b).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{full}")
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn names_of_files_are_written_for_everybody() {
        assert_eq!(
            attachment("夜市 \"1\".mp4"),
            "attachment; filename=\"__ _1_.mp4\"; filename*=UTF-8''%E5%A4%9C%E5%B8%82%20%221%22.mp4"
        );
    }
}
