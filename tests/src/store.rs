//! The local S3 server of a test, and what lies in it: read from its folder, so that nothing of what is tested has a say.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The bucket that tests use.
pub const BUCKET: &str = "millrace";
/// Who may use the store.
pub const ACCESS_KEY: &str = "e2e";
/// The secret of [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "e2e-secret";

/// The keys of all objects of a store in `folder`.
///
/// # Errors
/// Those of the file system, and a name that is none of ours.
pub fn keys(folder: &Path) -> Result<BTreeSet<String>> {
    let root = folder.join("buckets").join(BUCKET);
    let mut keys = BTreeSet::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(&root)?;
            let relative = relative.to_str().context("a name that is no text")?;
            // Folders end in +. Other marks stand for characters that no key of ours has.
            let key = relative.replace("+/", "/");
            anyhow::ensure!(!key.contains(['%', '+']), "a foreign name: {relative}");
            keys.insert(key);
        }
    }
    Ok(keys)
}
