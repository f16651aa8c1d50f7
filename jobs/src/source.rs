//! Sources of running jobs on local disk: downloaded once per process, kept while jobs read them, and then as long
//! as there is room. ffmpeg never sees a URL.
//!
//! A download that is cut (its job is cancelled, the store goes away) is gone on with by whoever asks next, from the
//! byte where it stopped: the ETag pins the object. Before one begins, sources that nobody reads make room for it.

use std::{
    collections::HashMap,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use millrace_domain::storage::{Storage, StorageError};
use millrace_queue::Failure;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Cut downloads that one job goes on with before it lets the queue decide, as long as each brings something.
const GO_ON: usize = 5;

/// The cache of one process.
#[derive(Clone)]
pub(crate) struct Sources {
    dir: Arc<Path>,
    cap: u64,
    files: Arc<Mutex<HashMap<String, Arc<Entry>>>>,
}

/// An object to be had: its key, the ETag that pins it, and how many bytes it must have.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) bytes: u64,
}

struct Entry {
    path: PathBuf,
    bytes: u64,
    used: Mutex<Instant>,
    /// Single flight: whoever comes while it downloads waits for that download.
    ready: OnceCell<()>,
}

/// A source that stays on disk as long as this lives.
pub(crate) struct Source {
    entry: Arc<Entry>,
}

impl Source {
    pub(crate) fn path(&self) -> &Path {
        &self.entry.path
    }
}

impl Entry {
    /// Where it is while it is not whole.
    fn part(&self) -> PathBuf {
        self.path.with_extension("part")
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Sources {
    /// An empty cache in `dir`; what an earlier process left there is removed.
    pub(crate) fn open(dir: &Path, cap: u64) -> std::io::Result<Self> {
        match std::fs::remove_dir_all(dir) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        std::fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.into(),
            cap,
            files: Arc::default(),
        })
    }

    pub(crate) async fn get(
        &self,
        storage: &Storage,
        wanted: &Wanted,
        cancel: &CancellationToken,
    ) -> Result<Source, Failure> {
        let entry = self.entry(wanted);
        // The newcomer is counted already, so what stays fits beside it.
        self.evict_to(self.cap);
        // A job that goes away drops its future; the next one in line takes the download over.
        let download = entry
            .ready
            .get_or_try_init(|| self.fetch(storage, wanted, &entry));
        let done = tokio::select! {
            done = download => done,
            () = cancel.cancelled() => return Err(Failure::cancel("cancelled while the source was fetched")),
        };
        match done {
            Ok(()) => Ok(Source { entry }),
            Err(StorageError::NotFound(_)) => Err(Failure::fail(
                "The uploaded file is no longer in the store.",
            )
            .with_code("source_missing")),
            Err(StorageError::Changed(_)) => Err(Failure::fail(
                "The uploaded file was changed after it arrived.",
            )
            .with_code("source_changed")),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes every source that no job reads, for the sake of the disk.
    pub(crate) fn make_room(&self) {
        self.evict_to(0);
    }

    async fn fetch(
        &self,
        storage: &Storage,
        wanted: &Wanted,
        entry: &Entry,
    ) -> Result<(), StorageError> {
        let part = entry.part();
        let Wanted { key, etag, .. } = wanted;
        let mut made_room = false;
        let mut cuts = 0;
        let bytes = loop {
            let before = size(&part).await;
            match storage.download(key, etag, &part).await {
                Ok(bytes) => break bytes,
                Err(StorageError::File(_, error)) if is_full(&error) && !made_room => {
                    tracing::info!("the disk is full: unused sources make room");
                    self.make_room();
                    made_room = true;
                }
                Err(error) => {
                    let is_full = matches!(&error, StorageError::File(_, e) if is_full(e));
                    if is_full || matches!(error, StorageError::Changed(_)) {
                        // Others need the room more.
                        let _ = tokio::fs::remove_file(&part).await;
                    }
                    let cut = matches!(error, StorageError::Unavailable { .. });
                    if !cut || cuts >= GO_ON || size(&part).await <= before {
                        return Err(error);
                    }
                    cuts += 1;
                    tracing::debug!(%error, "a download was cut; going on");
                }
            }
        };
        if bytes != entry.bytes {
            let _ = tokio::fs::remove_file(&part).await;
            return Err(StorageError::Changed(key.clone()));
        }
        tokio::fs::rename(&part, &entry.path)
            .await
            .map_err(|e| StorageError::File(part.display().to_string(), e))
    }

    fn entry(&self, wanted: &Wanted) -> Arc<Entry> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = files
            .entry(format!("{} {}", wanted.key, wanted.etag))
            .or_insert_with(|| {
                Arc::new(Entry {
                    // The name is ours: nothing of the person's reaches a path or a command line.
                    path: self.dir.join(uuid::Uuid::now_v7().to_string()),
                    bytes: wanted.bytes,
                    used: Mutex::new(Instant::now()),
                    ready: OnceCell::new(),
                })
            });
        entry.touch();
        entry.clone()
    }

    /// Removes unused sources, the longest unused first, until the rest fits. Used ones stay, whatever they take.
    fn evict_to(&self, cap: u64) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total: u64 = files.values().map(|e| e.bytes).sum();
        while total > cap {
            let oldest = files
                .iter()
                // Whoever takes one does so under the lock that we hold.
                .filter(|(_, e)| Arc::strong_count(e) == 1)
                .min_by_key(|(_, e)| *e.used.lock().unwrap_or_else(PoisonError::into_inner))
                .map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| files.remove(&key)) else {
                return;
            };
            total -= entry.bytes;
            for path in [&entry.path, &entry.part()] {
                match std::fs::remove_file(path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        tracing::warn!(%error, path = %path.display(), "could not remove a source");
                    }
                    _ => {}
                }
            }
        }
    }
}

async fn size(path: &Path) -> u64 {
    tokio::fs::metadata(path).await.map_or(0, |file| file.len())
}

/// Whether an error says that the disk is full.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
