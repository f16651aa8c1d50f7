//! What is in the store, in the order of keys and by pages, and the deletion of many objects at once.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use chrono::{DateTime, Utc};

use super::{Storage, StorageError, classify};

/// Keys that one request lists or deletes at most.
const PAGE: usize = 1_000;

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// By the store's clock, in whole seconds.
    pub modified: DateTime<Utc>,
}

/// Objects in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    pub objects: Vec<ListedObject>,
    /// Whether there are more behind the last of these.
    pub more: bool,
}

impl Storage {
    /// Up to 1,000 objects below `prefix` whose keys come after `after`. A key goes on where a list stopped, also
    /// after a restart and when that object is gone by then.
    ///
    /// # Errors
    /// [`StorageError`]
    pub async fn list_after(&self, prefix: &str, after: &str) -> Result<ListPage, StorageError> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&*self.bucket)
            .prefix(prefix)
            .set_start_after((!after.is_empty()).then(|| after.to_owned()))
            .send()
            .await
            .map_err(|e| classify(prefix, e))?;
        let more = page.is_truncated() == Some(true);
        let objects = page.contents.unwrap_or_default().into_iter();
        let objects = objects
            .filter_map(|object| {
                Some(ListedObject {
                    key: object.key?,
                    size: object.size.unwrap_or_default().unsigned_abs(),
                    // An object without a date is taken for the newest there is, so nobody calls it old.
                    modified: object
                        .last_modified
                        .and_then(|at| DateTime::from_timestamp(at.secs(), 0))
                        .unwrap_or(DateTime::<Utc>::MAX_UTC),
                })
            })
            .collect();
        Ok(ListPage { objects, more })
    }

    /// Deletes these objects, up to 1,000 a request. Safe to repeat: what is gone already is no error.
    ///
    /// # Errors
    /// [`StorageError`]; what was deleted by then stays deleted.
    pub async fn delete_keys(&self, keys: &[String]) -> Result<(), StorageError> {
        for keys in keys.chunks(PAGE) {
            let first = keys.first().map_or("", String::as_str);
            let objects = keys
                .iter()
                .map(|key| ObjectIdentifier::builder().key(key).build())
                .collect::<Result<Vec<_>, _>>()
                .and_then(|o| Delete::builder().set_objects(Some(o)).quiet(true).build())
                .map_err(|e| StorageError::Unavailable {
                    key: first.to_owned(),
                    source: Box::new(e),
                })?;
            let answer = self
                .client
                .delete_objects()
                .bucket(&*self.bucket)
                .delete(objects)
                .send()
                .await
                .map_err(|e| classify(first, e))?;
            if let Some(error) = answer.errors().first() {
                return Err(StorageError::Refused {
                    key: error.key().unwrap_or(first).to_owned(),
                    code: error.code().unwrap_or_default().to_owned(),
                });
            }
        }
        Ok(())
    }
}
