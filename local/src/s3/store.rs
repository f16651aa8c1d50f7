//! Buckets and objects on disk.
//!
//! ```text
//! lock                  held while a server runs: one process per store
//! tmp/                  unfinished writes, emptied at start
//! buckets/{bucket}/...  one file per object (object.rs) under its encoded key (key.rs)
//! multipart/{upload}/   uploads and the parts of assembled objects (multipart.rs)
//! ```
//! Every function here blocks and runs under `spawn_blocking`, where a client that hangs up cannot stop it half-way.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use s3s::dto::ETagCondition;

use super::error::{Step, StoreError};
use super::key;
use super::object::Meta;
use super::reader::{Piece, Source};
use super::writer::Staged;

/// The file store of one server.
pub(super) struct Store {
    root: PathBuf,
    keys: Stripes,
    pub(super) uploads: Stripes,
    /// Its lock ends with the process, however it ends.
    _lock: File,
}

/// What must hold for a write to happen.
#[derive(Debug, Default)]
pub(super) struct WriteIf {
    pub matches: Option<ETagCondition>,
    pub none_match: Option<ETagCondition>,
}

/// Locks by name: a fixed number of mutexes, shared by the names that hash alike.
pub(super) struct Stripes(Vec<Mutex<()>>);

impl Stripes {
    fn new() -> Self {
        Self((0..64).map(|_| Mutex::default()).collect())
    }

    /// Waits for the lock of `name`.
    pub(super) fn lock(&self, name: &(impl std::hash::Hash + ?Sized)) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
        let stripe = usize::try_from(hash % self.0.len() as u64).unwrap_or_default();
        // The mutex guards files, which are consistent after every step, so a panic elsewhere poisons nothing.
        self.0[stripe]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Opens the store, creating folders and buckets that are missing, and clears what a kill left behind.
    pub(super) fn open(root: &Path, buckets: &[String]) -> io::Result<Self> {
        for folder in ["buckets", "multipart"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let lock = File::create(root.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                io::Error::new(ErrorKind::ResourceBusy, "another process serves it")
            }
            fs::TryLockError::Error(error) => error,
        })?;
        let tmp = root.join("tmp");
        if tmp.exists() {
            fs::remove_dir_all(&tmp)?;
        }
        fs::create_dir(&tmp)?;
        for bucket in buckets {
            fs::create_dir_all(root.join("buckets").join(bucket))?;
        }
        let store = Self {
            root: root.into(),
            keys: Stripes::new(),
            uploads: Stripes::new(),
            _lock: lock,
        };
        store.recover_uploads()?;
        Ok(store)
    }

    /// Where unfinished files live; on the same file system, so that a rename publishes them.
    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(super) fn multipart(&self) -> PathBuf {
        self.root.join("multipart")
    }

    /// The folder of a bucket that exists.
    pub(super) fn bucket(&self, bucket: &str) -> Result<PathBuf, StoreError> {
        let folder = self.root.join("buckets").join(bucket);
        if folder.is_dir() {
            Ok(folder)
        } else {
            Err(StoreError::NoSuchBucket)
        }
    }

    /// Creates a bucket; answers whether it is new.
    pub(super) fn create_bucket(&self, bucket: &str) -> Result<bool, StoreError> {
        match fs::create_dir(self.root.join("buckets").join(bucket)) {
            Ok(()) => sync_folder(&self.root.join("buckets"))
                .step("create a bucket")
                .map(|()| true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::Io("create a bucket", error)),
        }
    }

    /// Names of all buckets, sorted.
    pub(super) fn buckets(&self) -> Result<Vec<String>, StoreError> {
        let read = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(self.root.join("buckets"))?;
            let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
            let mut names: Vec<String> = names
                .collect::<io::Result<Vec<_>>>()?
                .into_iter()
                .flatten()
                .collect();
            names.sort();
            Ok(names)
        };
        read().step("list buckets")
    }

    /// Opens an object.
    pub(super) fn read(&self, bucket: &str, key: &str) -> Result<(File, Meta), StoreError> {
        let path = self.bucket(bucket)?.join(key::to_path(key)?);
        let open = || -> io::Result<(File, Meta)> {
            let file = File::open(path)?;
            let meta = Meta::read_from(&file)?;
            Ok((file, meta))
        };
        match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(StoreError::NoSuchKey),
            other => other.step("read an object"),
        }
    }

    /// The files and their ranges that hold `range` of an object.
    pub(super) fn pieces(&self, file: File, meta: &Meta, range: Range<u64>) -> VecDeque<Piece> {
        let Some(assembled) = &meta.assembled else {
            return [Piece {
                source: Source::File(file),
                range,
            }]
            .into();
        };
        let mut start = 0;
        let mut pieces = VecDeque::new();
        for &(number, size) in &assembled.parts {
            let end = start + size;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                let source = Source::Path(self.part_path(&assembled.upload, number));
                pieces.push_back(Piece {
                    source,
                    range: from - start..to - start,
                });
            }
            start = end;
        }
        pieces
    }

    /// Makes a staged file the object at `key`, if `condition` holds. Old or new is visible at any moment, never less.
    pub(super) fn publish(
        &self,
        bucket: &str,
        key: &str,
        mut staged: Staged,
        meta: &Meta,
        condition: &WriteIf,
    ) -> Result<(), StoreError> {
        let path = self.bucket(bucket)?.join(key::to_path(key)?);
        meta.append_to(staged.file()).step("write an object")?;
        staged.file().sync_all().step("write an object")?;

        let _locked = self.keys.lock(&(bucket, key));
        let previous = match self.read(bucket, key) {
            Ok((_, previous)) => Some(previous),
            Err(StoreError::NoSuchKey) => None,
            Err(error) => return Err(error),
        };
        condition.check(previous.as_ref())?;
        rename_into(staged, &path).step("publish an object")?;
        if let Some(old) = previous.and_then(|previous| previous.assembled)
            && meta
                .assembled
                .as_ref()
                .is_none_or(|new| new.upload != old.upload)
        {
            self.discard_upload(&old.upload)?;
        }
        Ok(())
    }

    /// Deletes an object; an absent one is no error.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let folder = self.bucket(bucket)?;
        let path = folder.join(key::to_path(key)?);
        let _locked = self.keys.lock(&(bucket, key));
        let meta = match self.read(bucket, key) {
            Ok((_, meta)) => Some(meta),
            Err(StoreError::NoSuchKey) => return Ok(()),
            // A broken file cannot be read, but it can be deleted.
            Err(StoreError::Io(..)) => None,
            Err(error) => return Err(error),
        };
        fs::remove_file(&path).step("delete an object")?;
        let mut parents = path
            .ancestors()
            .skip(1)
            .take_while(|parent| *parent != folder);
        // Folders that became empty go too; the first one that is not empty ends it.
        let kept = parents.find(|parent| fs::remove_dir(parent).is_err());
        sync_folder(kept.unwrap_or(&folder)).step("delete an object")?;
        match meta.and_then(|meta| meta.assembled) {
            Some(assembled) => self.discard_upload(&assembled.upload),
            None => Ok(()),
        }
    }
}

impl WriteIf {
    fn check(&self, current: Option<&Meta>) -> Result<(), StoreError> {
        if let (Some(condition), Some(meta)) = (&self.none_match, current)
            && matches(condition, meta)
        {
            return Err(StoreError::PreconditionFailed);
        }
        match (&self.matches, current) {
            (Some(_), None) => Err(StoreError::NoSuchKey),
            (Some(condition), Some(meta)) if !matches(condition, meta) => {
                Err(StoreError::PreconditionFailed)
            }
            _ => Ok(()),
        }
    }
}

/// Whether an object has the ETag of a condition.
pub(super) fn matches(condition: &ETagCondition, meta: &Meta) -> bool {
    condition
        .as_etag()
        .is_none_or(|etag| etag.value() == meta.etag)
}

/// Makes a rename or a removal in `folder` survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn rename_into(staged: Staged, path: &Path) -> io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    let mut temp = staged.temp;
    // A delete in the same folder may remove it between its creation and the rename; then both are tried again.
    for _ in 0..100 {
        create_folders(folder)?;
        match temp.persist(path) {
            Ok(_) => return sync_folder(folder),
            Err(failed) if failed.error.kind() == ErrorKind::NotFound => temp = failed.file,
            Err(failed) => return Err(failed.error),
        }
    }
    Err(ErrorKind::NotFound.into())
}

fn create_folders(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(folder.parent().unwrap_or(folder)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create_folders(folder.parent().ok_or(error)?)?;
            match fs::create_dir(folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        }
        Err(error) => Err(error),
    }
}
