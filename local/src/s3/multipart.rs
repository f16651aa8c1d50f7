//! Multipart uploads.
//!
//! `multipart/{upload}/` holds `upload.json`, one file per part (its bytes and a trailer, as an object), and once
//! completed an empty file `done`. Parts never move: the completed object lists them. The order of a completion decides
//! what a kill leaves: first the object is published by one rename, then `done` is written. In between, the object exists
//! and names the upload, so a repeated completion answers the same, and the next start adds `done`.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::error::{Step, StoreError};
use super::object::{Assembled, Headers, Meta};
use super::store::{Store, WriteIf, sync_folder};
use super::writer::Staged;

/// Smallest part that is not the last one. S3's own limit, kept so that nothing works here that fails there.
const MIN_PART: u64 = 5 * 1024 * 1024;

const RECORD: &str = "upload.json";
const DONE: &str = "done";

/// An upload that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    pub id: String,
    pub bucket: String,
    pub key: String,
    /// Milliseconds since 1970.
    pub initiated: u64,
    pub headers: Headers,
}

impl Store {
    /// Starts an upload.
    pub(super) fn start_upload(
        &self,
        bucket: &str,
        key: &str,
        headers: Headers,
    ) -> Result<Upload, StoreError> {
        self.bucket(bucket)?;
        super::key::to_path(key)?;
        let id = uuid::Uuid::now_v7().simple().to_string();
        let initiated = Meta::new(String::new(), 0, Headers::default()).modified;
        let upload = Upload {
            id,
            bucket: bucket.into(),
            key: key.into(),
            initiated,
            headers,
        };
        let write = || -> io::Result<()> {
            // Prepared aside and renamed, so that a folder in multipart/ always has its record.
            let folder = tempfile::tempdir_in(self.tmp())?;
            let record = File::create(folder.path().join(RECORD))?;
            serde_json::to_writer(&record, &upload)?;
            record.sync_all()?;
            fs::rename(folder.path(), self.upload_folder(&upload.id))?;
            let _moved = folder.keep();
            sync_folder(&self.multipart())
        };
        write().step("start an upload")?;
        Ok(upload)
    }

    /// Keeps a staged part, in place of an earlier one of the same number.
    pub(super) fn put_part(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        number: i32,
        mut staged: Staged,
    ) -> Result<Meta, StoreError> {
        check_number(number)?;
        let meta = Meta::new(staged.etag(), staged.size, Headers::default());
        meta.append_to(staged.file()).step("write a part")?;
        staged.file().sync_all().step("write a part")?;
        let _locked = self.uploads.lock(id);
        self.pending(bucket, key, id)?;
        let folder = self.upload_folder(id);
        staged
            .temp
            .persist(self.part_path(id, number))
            .map_err(|failed| failed.error)
            .step("keep a part")?;
        sync_folder(&folder).step("keep a part")?;
        Ok(meta)
    }

    /// Parts received so far, by number.
    pub(super) fn parts(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<Vec<(i32, Meta)>, StoreError> {
        self.pending(bucket, key, id)?;
        let read = || -> io::Result<Vec<(i32, Meta)>> {
            let mut parts = Vec::new();
            for entry in fs::read_dir(self.upload_folder(id))? {
                let entry = entry?;
                if let Some(number) = entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok())
                {
                    parts.push((number, Meta::read_from(&File::open(entry.path())?)?));
                }
            }
            parts.sort_by_key(|(number, _)| *number);
            Ok(parts)
        };
        read().step("list parts")
    }

    /// Uploads of a bucket that are neither completed nor aborted, by key and start.
    pub(super) fn pending_uploads(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Vec<Upload>, StoreError> {
        self.bucket(bucket)?;
        let mut uploads = Vec::new();
        for id in self.upload_ids().step("list uploads")? {
            if let Some(upload) = self.record(&id)?
                && upload.bucket == bucket
                && upload.key.starts_with(prefix)
                && !self.upload_folder(&id).join(DONE).exists()
            {
                uploads.push(upload);
            }
        }
        uploads.sort_by(|a, b| (&a.key, &a.id).cmp(&(&b.key, &b.id)));
        Ok(uploads)
    }

    /// Makes the listed parts the object. Repeated after a success, it answers the same.
    pub(super) fn complete(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        wanted: &[(i32, Option<String>)],
        condition: &WriteIf,
    ) -> Result<Meta, StoreError> {
        let _locked = self.uploads.lock(id);
        if let Some(meta) = self.completed(bucket, key, id)? {
            self.mark_done(id, &meta)?;
            return Ok(meta);
        }
        let upload = self.pending(bucket, key, id)?;
        let meta = self.assemble(&upload, wanted)?;
        let temp = NamedTempFile::new_in(self.tmp()).step("create a temporary file")?;
        let staged = Staged {
            temp,
            size: 0,
            md5: [0; 16],
        };
        self.publish(bucket, key, staged, &meta, condition)?;
        self.mark_done(id, &meta)?;
        Ok(meta)
    }

    /// Forgets an upload and its parts.
    pub(super) fn abort(&self, bucket: &str, key: &str, id: &str) -> Result<(), StoreError> {
        let _locked = self.uploads.lock(id);
        self.pending(bucket, key, id)?;
        self.discard_upload(id)
    }

    /// Removes the folder of an upload. It vanishes by one rename first, so that a kill leaves no half of it.
    pub(super) fn discard_upload(&self, id: &str) -> Result<(), StoreError> {
        let aside = self.tmp().join(format!("gone-{id}"));
        match fs::rename(self.upload_folder(id), &aside) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.step("discard an upload")?,
        }
        fs::remove_dir_all(aside).step("discard an upload")
    }

    /// Settles uploads that a kill interrupted: finishes completions whose object is published, and removes parts whose
    /// object is gone.
    pub(super) fn recover_uploads(&self) -> io::Result<()> {
        for id in self.upload_ids()? {
            let settle = || -> Result<(), StoreError> {
                let Some(upload) = self.record(&id)? else {
                    return self.discard_upload(&id);
                };
                match self.completed(&upload.bucket, &upload.key, &id) {
                    Ok(Some(meta)) => self.mark_done(&id, &meta),
                    Ok(None) if self.upload_folder(&id).join(DONE).exists() => {
                        self.discard_upload(&id)
                    }
                    Ok(None) => Ok(()),
                    Err(StoreError::NoSuchBucket) => self.discard_upload(&id),
                    Err(error) => Err(error),
                }
            };
            settle().map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// The file of one part.
    pub(super) fn part_path(&self, id: &str, number: i32) -> PathBuf {
        self.upload_folder(id).join(format!("{number:05}"))
    }

    fn upload_folder(&self, id: &str) -> PathBuf {
        self.multipart().join(id)
    }

    fn upload_ids(&self) -> io::Result<Vec<String>> {
        let names =
            fs::read_dir(self.multipart())?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        Ok(names
            .collect::<io::Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    fn record(&self, id: &str) -> Result<Option<Upload>, StoreError> {
        // The id comes from the client and becomes a file name.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        match fs::read(self.upload_folder(id).join(RECORD)) {
            Ok(json) => serde_json::from_slice(&json)
                .map(Some)
                .map_err(io::Error::from)
                .step("read an upload"),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Io("read an upload", error)),
        }
    }

    fn pending(&self, bucket: &str, key: &str, id: &str) -> Result<Upload, StoreError> {
        self.bucket(bucket)?;
        match self.record(id)? {
            Some(upload)
                if upload.bucket == bucket
                    && upload.key == key
                    && !self.upload_folder(id).join(DONE).exists() =>
            {
                Ok(upload)
            }
            _ => Err(StoreError::NoSuchUpload),
        }
    }

    /// The object that this upload became, if it is still there.
    fn completed(&self, bucket: &str, key: &str, id: &str) -> Result<Option<Meta>, StoreError> {
        match self.read(bucket, key) {
            Ok((_, meta)) => {
                Ok(Some(meta)
                    .filter(|meta| meta.assembled.as_ref().is_some_and(|a| a.upload == id)))
            }
            Err(StoreError::NoSuchKey) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn assemble(
        &self,
        upload: &Upload,
        wanted: &[(i32, Option<String>)],
    ) -> Result<Meta, StoreError> {
        let Some((last, _)) = wanted.last() else {
            return Err(StoreError::InvalidArgument(
                "at least one part must be listed",
            ));
        };
        if !wanted.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(StoreError::InvalidPartOrder);
        }
        let (mut md5, mut size, mut parts) = (Md5::new(), 0, Vec::with_capacity(wanted.len()));
        for (number, etag) in wanted {
            check_number(*number)?;
            let part = match File::open(self.part_path(&upload.id, *number)) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(StoreError::InvalidPart(*number));
                }
                other => other
                    .and_then(|file| Meta::read_from(&file))
                    .step("read a part")?,
            };
            if etag.as_ref().is_some_and(|etag| *etag != part.etag) {
                return Err(StoreError::InvalidPart(*number));
            }
            if part.size < MIN_PART && number != last {
                return Err(StoreError::PartTooSmall(*number));
            }
            md5.update(
                hex::decode(&part.etag)
                    .map_err(io::Error::other)
                    .step("read a part")?,
            );
            size += part.size;
            parts.push((*number, part.size));
        }
        let etag = format!("{}-{}", hex::encode(md5.finalize()), parts.len());
        let mut meta = Meta::new(etag, size, upload.headers.clone());
        meta.assembled = Some(Assembled {
            upload: upload.id.clone(),
            parts,
        });
        Ok(meta)
    }

    /// Ends an upload whose object is published; parts that the object does not list are removed.
    fn mark_done(&self, id: &str, meta: &Meta) -> Result<(), StoreError> {
        let folder = self.upload_folder(id);
        let listed = meta.assembled.iter().flat_map(|assembled| &assembled.parts);
        let listed: std::collections::HashSet<i32> = listed.map(|(number, _)| *number).collect();
        let mark = || -> io::Result<()> {
            if folder.join(DONE).exists() {
                return Ok(());
            }
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let number = entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok());
                if number.is_some_and(|number| !listed.contains(&number)) {
                    fs::remove_file(entry.path())?;
                }
            }
            File::create(folder.join(DONE))?.sync_all()?;
            sync_folder(&folder)
        };
        mark().step("finish an upload")
    }
}

fn check_number(number: i32) -> Result<(), StoreError> {
    if (1..=10_000).contains(&number) {
        Ok(())
    } else {
        Err(StoreError::InvalidArgument("part numbers are 1 to 10000"))
    }
}
