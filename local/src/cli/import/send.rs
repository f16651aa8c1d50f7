//! One file on its way: known by the hash of its content, sent in parts with bounded memory, and completed by the same
//! transaction as an upload from a browser.

use std::{
    collections::HashSet,
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{HumanBytes, ProgressBar};
use millrace_bus::Notifier;
use millrace_domain::{
    ids::{UploadId, UserId, VideoId},
    storage::{Storage, StorageError},
    uploads::{
        NewUpload, Once, PartPlan, Quota, Received, Reserved, Upload, UploadStatus, Usage, accept,
        assemble, clean_name, reserve, title_of,
    },
    videos::{NewVideo, Visibility},
};
use millrace_jobs::flows::{self, Completion};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio::task::spawn_blocking;

/// Bytes of a file that may be in memory at a time, unless a single part is larger.
const IN_MEMORY: u64 = 64 * 1024 * 1024;
/// What is read at a time while a file is hashed.
const PIECE: usize = 1024 * 1024;

/// What all files of an import have in common.
pub(super) struct Importer {
    pub(super) db: PgPool,
    pub(super) storage: Storage,
    pub(super) owner: UserId,
    /// What the owner stored when the import began.
    pub(super) usage: Usage,
    pub(super) visibility: Visibility,
    pub(super) quota: Quota,
    pub(super) once: Once,
    pub(super) max_size: u64,
    pub(super) abandon_after: Duration,
}

/// What became of a file.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is a video now; `None` in a dry run.
    Imported { bytes: u64, video: Option<VideoId> },
    /// It need not be imported.
    Skipped(String),
}

/// What a dry run has come by so far.
#[derive(Debug, Default)]
pub(super) struct Planned {
    bytes: u64,
    fingerprints: HashSet<String>,
}

/// A file whose content is known.
struct Known {
    file: Arc<File>,
    path: PathBuf,
    before: Metadata,
    name: String,
    size: u64,
    fingerprint: String,
}

impl Importer {
    /// What would become of a file after those that were planned.
    pub(super) async fn consider(
        &self,
        path: &Path,
        planned: &mut Planned,
        bar: &ProgressBar,
    ) -> anyhow::Result<Outcome> {
        let known = self.read(path, bar).await?;
        let same = Upload::find_same(
            &self.db,
            self.owner,
            &known.fingerprint,
            known.size,
            self.once,
        );
        let same = same.await?;
        if let Some(upload) = &same
            && upload.status == UploadStatus::Completed
        {
            return Ok(imported(upload));
        }
        if !planned.fingerprints.insert(known.fingerprint) {
            return Ok(Outcome::Skipped("the same file as another one".to_owned()));
        }
        let bytes = known.size;
        // What an import that was stopped has begun is reserved already.
        if same.is_none() {
            let sum = planned.bytes.saturating_add(bytes);
            if self.quota != Quota::Ignored && !self.usage.fits(sum) {
                return Err(over_quota(bytes, self.usage));
            }
            planned.bytes = sum;
        }
        Ok(Outcome::Imported { bytes, video: None })
    }

    /// Makes a file a video, unless it was made one before.
    pub(super) async fn import(&self, path: &Path, bar: &ProgressBar) -> anyhow::Result<Outcome> {
        let known = self.read(path, bar).await?;
        let upload = match self.begin(&known).await? {
            Begun::Upload(upload) => upload,
            Begun::Done(upload) => return Ok(imported(&upload)),
        };
        if let Err(error) = self.send(&known, &upload, bar).await {
            let gone = error.downcast_ref::<StorageError>();
            if !matches!(gone, Some(StorageError::NotFound(_))) {
                return Err(error);
            }
            // Another import may have put the parts together; or a rule of the store dropped them for their age. Then
            // this upload cannot go on, but another one can begin.
            if self.storage.head(&upload.key).await?.is_none() {
                self.give_up(&upload, None).await?;
                bail!("what was sent of it is gone from the store; import it again");
            }
        }
        let now = std::fs::metadata(&known.path)?;
        let unchanged =
            now.len() == known.before.len() && now.modified()? == known.before.modified()?;
        if !unchanged {
            self.give_up(&upload, None).await?;
            bail!("it was changed while it was read");
        }
        let object = assemble(&self.storage, &upload, None).await?;
        if object.size != upload.size {
            self.give_up(&upload, Some("upload_size_mismatch")).await?;
            bail!("{} of {} bytes arrived", object.size, upload.size);
        }
        let new = NewVideo {
            id: VideoId::new(),
            user_id: self.owner,
            upload_id: upload.id,
            title: title_of(&known.name),
            description: String::new(),
            visibility: self.visibility,
            original_key: upload.key.clone(),
            original_etag: object.etag,
            original_name: known.name.clone(),
            file_size: i64::try_from(object.size)?,
        };
        let mut tx = self.db.begin().await?;
        match flows::complete_upload(&mut tx, &new).await? {
            Completion::Begun(wake) => {
                tx.commit().await?;
                // Workers find it by their poll, within a second.
                wake.fire(&Notifier::silent());
                Ok(Outcome::Imported {
                    bytes: known.size,
                    video: Some(new.id),
                })
            }
            Completion::Over(upload) if upload.status == UploadStatus::Completed => {
                Ok(imported(&upload))
            }
            Completion::Over(upload) => {
                tx.rollback().await?;
                self.storage.delete_prefix(upload.folder()).await?;
                bail!("its upload was ended meanwhile; import it again")
            }
        }
    }

    /// Ends the connections.
    pub(super) async fn close(&self) {
        self.db.close().await;
    }

    /// Reads a file once, to know it.
    async fn read(&self, path: &Path, bar: &ProgressBar) -> anyhow::Result<Known> {
        let file = Arc::new(File::open(path)?);
        let before = file.metadata()?;
        let size = before.len();
        ensure!(size > 0, "it is empty");
        ensure!(
            size <= self.max_size,
            "it has {}, and files may have {} (uploads.max_size)",
            HumanBytes(size),
            HumanBytes(self.max_size)
        );
        bar.set_length(size);
        bar.set_message("reading");
        let (reader, progress) = (file.clone(), bar.clone());
        let hash = spawn_blocking(move || hash(&reader, &progress)).await??;
        bar.reset();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Known {
            file,
            path: path.to_owned(),
            before,
            name: clean_name(&name),
            size,
            fingerprint: format!("import:sha256:{hash}"),
        })
    }

    /// Room and a record for the file; or those that an import which was stopped has left.
    async fn begin(&self, known: &Known) -> anyhow::Result<Begun> {
        let owner = self.owner;
        let same =
            Upload::find_same(&self.db, owner, &known.fingerprint, known.size, self.once).await?;
        if let Some(upload) = same {
            return Ok(Begun::from(upload));
        }
        let id = UploadId::new();
        let key = NewUpload::key_of(id);
        let content_type = accept(&known.name, "")?;
        // Always in parts, so that whatever stops it, it goes on from there.
        let s3_id = self.storage.create_multipart(&key, &content_type).await?;
        let new = NewUpload {
            id,
            user: owner,
            filename: known.name.clone(),
            size: known.size,
            content_type,
            key: key.clone(),
            multipart: Some((s3_id.clone(), PartPlan::for_size(known.size).part_size)),
            abandon_after: self.abandon_after,
            fingerprint: Some(known.fingerprint.clone()),
            once: self.once,
        };
        let mut tx = self.db.begin().await?;
        let reserved = reserve(&mut tx, new, self.quota).await?;
        tx.commit().await?;
        match reserved {
            Reserved::New(upload) => Ok(Begun::Upload(upload)),
            Reserved::Known(upload) => {
                self.storage.abort_multipart(&key, &s3_id).await?;
                Ok(Begun::from(upload))
            }
            Reserved::OverQuota(usage) => {
                self.storage.abort_multipart(&key, &s3_id).await?;
                Err(over_quota(known.size, usage))
            }
        }
    }

    /// Sends the parts that are missing, several at a time as memory allows.
    async fn send(&self, known: &Known, upload: &Upload, bar: &ProgressBar) -> anyhow::Result<()> {
        let (Some(plan), Some(s3_id)) = (upload.parts(), upload.s3_upload_id.as_deref()) else {
            bail!("its upload has no parts");
        };
        let received = Received::of(&self.storage, upload).await?;
        bar.set_message("sending");
        bar.set_position(received.bytes);
        let at_once = usize::try_from(IN_MEMORY / plan.part_size)?.clamp(1, 4);
        stream::iter(received.missing)
            .map(async |number| {
                let bytes = plan.bytes_of(number, upload.size);
                let start = u64::from(number - 1) * plan.part_size;
                let piece = piece(known.file.clone(), start, bytes).await?;
                let number = i32::try_from(number)?;
                self.storage
                    .upload_part(&upload.key, s3_id, number, piece)
                    .await?;
                // A large file on a slow line must not be swept from under us.
                let alive = Upload::keep(&self.db, upload.id, self.abandon_after).await?;
                ensure!(alive, "its upload was ended meanwhile; import it again");
                bar.inc(bytes);
                anyhow::Ok(())
            })
            .buffer_unordered(at_once)
            .try_collect::<()>()
            .await
    }

    async fn give_up(&self, upload: &Upload, why: Option<&str>) -> anyhow::Result<()> {
        let mut tx = self.db.begin().await?;
        if let Some(wake) = flows::abort_upload(&mut tx, upload.id, upload.user, why).await? {
            tx.commit().await?;
            wake.fire(&Notifier::silent());
        }
        Ok(())
    }
}

/// Where a file stands.
enum Begun {
    /// It is to be sent, or the rest of it.
    Upload(Upload),
    /// It became a video before.
    Done(Upload),
}

impl From<Upload> for Begun {
    fn from(upload: Upload) -> Self {
        if upload.status == UploadStatus::Completed {
            Self::Done(upload)
        } else {
            Self::Upload(upload)
        }
    }
}

fn imported(upload: &Upload) -> Outcome {
    Outcome::Skipped(match upload.video {
        Some(video) => format!("imported before as {video} ({})", upload.filename),
        None => "imported before".to_owned(),
    })
}

fn over_quota(size: u64, usage: Usage) -> anyhow::Error {
    anyhow::anyhow!(
        "{} do not fit: videos use {} and uploads under way {} of {}",
        HumanBytes(size),
        HumanBytes(usage.used),
        HumanBytes(usage.reserved),
        HumanBytes(usage.quota.unwrap_or(u64::MAX))
    )
}

fn hash(file: &File, bar: &ProgressBar) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut reader = file;
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(hex::encode(hash.finalize())),
            Ok(read) => {
                hash.update(&piece[..read]);
                bar.inc(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

async fn piece(file: Arc<File>, start: u64, bytes: u64) -> anyhow::Result<Bytes> {
    let length = usize::try_from(bytes)?;
    let read = spawn_blocking(move || {
        let mut piece = vec![0; length];
        file.read_exact_at(&mut piece, start).map(|()| piece)
    });
    let piece = read.await?.context("it cannot be read")?;
    Ok(piece.into())
}
