//! The file of one object: its bytes, then a JSON trailer, the trailer's length and a magic number.
//!
//! One file and not a file with a sidecar: a rename then replaces bytes and description together, and who has the file
//! open keeps reading one consistent object. The trailer comes last since the ETag is known last. An object that was
//! uploaded in parts has no bytes here; its trailer lists the parts, which stay where they were uploaded, so that
//! completing 10 GiB copies nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"millobj1";
/// Length of the trailer as little-endian u32, then the magic number.
const TAIL: u64 = 4 + 8;

/// What is known about an object (or a part) besides its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meta {
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub modified: u64,
    #[serde(default)]
    pub headers: Headers,
    /// Where the bytes are, when they were uploaded in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assembled: Option<Assembled>,
}

/// Headers that were given at upload and are answered at download.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Headers {
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    /// `x-amz-meta-*`.
    pub user: BTreeMap<String, String>,
}

/// The parts that make up an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Assembled {
    pub upload: String,
    /// Part number and size, in order.
    pub parts: Vec<(i32, u64)>,
}

impl Meta {
    /// Describes an object that is being written now.
    pub(super) fn new(etag: String, size: u64, headers: Headers) -> Self {
        let modified = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let modified = u64::try_from(modified.as_millis()).unwrap_or(u64::MAX);
        Self {
            etag,
            size,
            modified,
            headers,
            assembled: None,
        }
    }

    /// When the object was written.
    pub(super) fn modified_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.modified)
    }

    /// Writes the trailer at the file's position, which must be its end.
    pub(super) fn append_to(&self, file: &mut File) -> io::Result<()> {
        let mut trailer = serde_json::to_vec(self)?;
        let length = u32::try_from(trailer.len()).map_err(io::Error::other)?;
        trailer.extend(length.to_le_bytes());
        trailer.extend(MAGIC);
        file.write_all(&trailer)
    }

    /// Reads the trailer.
    pub(super) fn read_from(file: &File) -> io::Result<Self> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "not an object file");
        let length = file.metadata()?.len();
        let tail_at = length.checked_sub(TAIL).ok_or_else(broken)?;
        let mut tail = [0; TAIL as usize];
        file.read_exact_at(&mut tail, tail_at)?;
        let (size, magic) = tail.split_at(4);
        if magic != MAGIC {
            return Err(broken());
        }
        let size = u32::from_le_bytes(size.try_into().map_err(|_| broken())?);
        let json_at = tail_at.checked_sub(u64::from(size)).ok_or_else(broken)?;
        let mut json = vec![0; size as usize];
        file.read_exact_at(&mut json, json_at)?;
        let meta: Self = serde_json::from_slice(&json)?;
        if meta.assembled.is_none() && meta.size != json_at {
            return Err(broken());
        }
        Ok(meta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_is_read_back_and_a_cut_file_is_refused() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"hello").unwrap();
        Meta::new("e".into(), 5, Headers::default())
            .append_to(&mut file)
            .unwrap();
        let meta = Meta::read_from(&file).unwrap();
        assert_eq!((meta.etag.as_str(), meta.size), ("e", 5));
        let length = file.metadata().unwrap().len();
        for cut in [length - 1, length - 12, 5, 0] {
            file.set_len(cut).unwrap();
            assert!(Meta::read_from(&file).is_err(), "cut to {cut}");
        }
    }
}
