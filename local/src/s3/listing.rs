//! Listing keys in order, by prefix, delimiter and page.
//!
//! Names of one folder, sorted with a final `/` for folders, are in the order of whole keys, so a walk needs to sort one
//! folder at a time and can skip every folder that lies outside the page.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use super::error::{Step, StoreError};
use super::key;
use super::object::Meta;
use super::store::Store;

/// What to list.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub prefix: String,
    /// Keys that share their beginning up to this string after the prefix are answered as one.
    pub delimiter: Option<String>,
    /// Only what comes after this key or common prefix.
    pub after: Option<String>,
    pub limit: usize,
}

/// One page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub objects: Vec<(String, Meta)>,
    pub prefixes: Vec<String>,
    /// `after` of the next page.
    pub next: Option<String>,
}

struct Walk<'a> {
    query: &'a Query,
    page: Page,
    last: Option<String>,
}

impl Store {
    /// One page of the keys of a bucket.
    pub(super) fn list(&self, bucket: &str, query: &Query) -> Result<Page, StoreError> {
        let folder = self.bucket(bucket)?;
        let mut walk = Walk {
            query,
            page: Page::default(),
            last: None,
        };
        if query.limit > 0 {
            let _ended = walk.folder(&folder, "").step("list objects")?;
        }
        Ok(walk.page)
    }
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, above: &str) -> io::Result<ControlFlow<()>> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(folder) {
            // Deleted since its parent was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(ControlFlow::Continue(()));
            }
            other => other?,
        };
        for entry in entries {
            let name = entry?.file_name();
            if let Some(segment) = key::from_name(Path::new(&name)) {
                names.push((format!("{above}{segment}"), name));
            }
        }
        names.sort();
        for (key, name) in names {
            let path = folder.join(&name);
            let flow = match name.as_encoded_bytes().ends_with(b"+") {
                true if self.outside(&key) => ControlFlow::Continue(()),
                true => self.folder(&path, &key)?,
                false => self.object(&path, key)?,
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether no key of the folder can be on this page.
    fn outside(&self, folder: &str) -> bool {
        let prefix = &self.query.prefix;
        let foreign = !folder.starts_with(prefix.as_str()) && !prefix.starts_with(folder);
        let before = self
            .query
            .after
            .as_deref()
            .is_some_and(|after| folder < after && !after.starts_with(folder));
        foreign || before || self.grouped(folder)
    }

    /// Whether the key (or the folder) belongs to a common prefix that was already answered, here or a page ago.
    fn grouped(&self, key: &str) -> bool {
        let answered = self.page.prefixes.last().or(self.query.after.as_ref());
        let delimiter = self.query.delimiter.as_deref();
        // Longer than the prefix asked for, or else an object named `a/` would hide everything below `a/`.
        let group = answered.filter(|group| group.len() > self.query.prefix.len());
        delimiter
            .zip(group)
            .is_some_and(|(delimiter, group)| group.ends_with(delimiter) && key.starts_with(group))
    }

    fn object(&mut self, path: &Path, key: String) -> io::Result<ControlFlow<()>> {
        let Some(rest) = key.strip_prefix(&self.query.prefix) else {
            return Ok(ControlFlow::Continue(()));
        };
        if self.query.after.as_ref().is_some_and(|after| key <= *after) || self.grouped(&key) {
            return Ok(ControlFlow::Continue(()));
        }
        if self.page.objects.len() + self.page.prefixes.len() == self.query.limit {
            self.page.next = self.last.take();
            return Ok(ControlFlow::Break(()));
        }
        let delimiter = self
            .query
            .delimiter
            .as_deref()
            .filter(|delimiter| !delimiter.is_empty());
        if let Some((head, delimiter)) = delimiter.and_then(|d| Some((rest.split_once(d)?.0, d))) {
            let prefix = format!("{}{head}{delimiter}", self.query.prefix);
            self.last = Some(prefix.clone());
            self.page.prefixes.push(prefix);
            return Ok(ControlFlow::Continue(()));
        }
        match File::open(path).and_then(|file| Meta::read_from(&file)) {
            Ok(meta) => {
                self.last = Some(key.clone());
                self.page.objects.push((key, meta));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(ControlFlow::Continue(()))
    }
}
