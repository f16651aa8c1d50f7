//! Sources of running jobs on local disk: downloaded once per process, kept while jobs read them, and then as long
//! as there is room. ffmpeg never sees a URL.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use millrace_domain::{
    storage::{Storage, StorageError},
    videos::Video,
};
use millrace_queue::Failure;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// The cache of one process.
#[derive(Clone)]
pub(crate) struct Sources {
    dir: Arc<Path>,
    cap: u64,
    files: Arc<Mutex<HashMap<String, Arc<Entry>>>>,
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

impl Sources {
    /// An empty cache in `dir`; what an earlier process left there is removed.
    pub(crate) fn open(dir: &Path, cap: u64) -> std::io::Result<Self> {
        match std::fs::remove_dir_all(dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
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
        video: &Video,
        cancel: &CancellationToken,
    ) -> Result<Source, Failure> {
        let entry = self.entry(video);
        let download = entry.ready.get_or_try_init(|| async {
            let part = entry.path.with_extension("part");
            storage
                .download(&video.original_key, &video.original_etag, &part)
                .await?;
            tokio::fs::rename(&part, &entry.path)
                .await
                .map_err(|e| StorageError::File(part.display().to_string(), e))
        });
        let done = tokio::select! {
            done = download => done,
            () = cancel.cancelled() => return Err(Failure::cancel("cancelled while the source was fetched")),
        };
        match done {
            Ok(()) => {}
            Err(StorageError::NotFound(_)) => {
                return Err(
                    Failure::fail("The uploaded file is no longer in the store.")
                        .with_code("source_missing"),
                );
            }
            Err(StorageError::Changed(_)) => {
                return Err(
                    Failure::fail("The uploaded file was changed after it arrived.")
                        .with_code("source_changed"),
                );
            }
            Err(error) => return Err(error.into()),
        }
        self.evict();
        Ok(Source { entry })
    }

    fn entry(&self, video: &Video) -> Arc<Entry> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = files
            .entry(format!("{} {}", video.original_key, video.original_etag))
            .or_insert_with(|| {
                Arc::new(Entry {
                    // The name is ours: nothing of the person's reaches a path or a command line.
                    path: self.dir.join(uuid::Uuid::now_v7().to_string()),
                    bytes: video.file_size.unsigned_abs(),
                    used: Mutex::new(Instant::now()),
                    ready: OnceCell::new(),
                })
            });
        *entry.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        entry.clone()
    }

    /// Removes unused sources, the longest unused first, until the rest fits.
    fn evict(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total: u64 = files.values().map(|e| e.bytes).sum();
        while total > self.cap {
            let oldest = files
                .iter()
                .filter(|(_, e)| Arc::strong_count(e) == 1)
                .min_by_key(|(_, e)| *e.used.lock().unwrap_or_else(PoisonError::into_inner))
                .map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| files.remove(&key)) else {
                return;
            };
            total -= entry.bytes;
            if let Err(error) = std::fs::remove_file(&entry.path) {
                tracing::warn!(%error, path = %entry.path.display(), "could not remove a source");
            }
        }
    }
}
