//! Which files of a folder are media.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use millrace_domain::uploads::accept;

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Media by their names, in the order of their paths.
    pub(super) files: Vec<PathBuf>,
    /// How many others there are.
    pub(super) others: usize,
    /// Folders that could not be read.
    pub(super) unreadable: Vec<(PathBuf, io::Error)>,
}

/// The media files of `root`, which may be one itself. Symbolic links are not followed: they may lead out of the folder
/// or round in a circle. Hidden files are left alone: what is called `._clip.mp4` is no clip.
///
/// # Errors
/// That `root` itself cannot be read.
pub(super) fn media_files(root: &Path, recursive: bool) -> io::Result<Found> {
    let mut found = Found::default();
    if fs::metadata(root)?.is_file() {
        found.take(root.to_owned());
        return Ok(found);
    }
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        match found.read(&folder) {
            Ok(inner) if recursive => folders.extend(inner),
            Ok(_) => {}
            Err(error) if folder == root => return Err(error),
            Err(error) => found.unreadable.push((folder, error)),
        }
    }
    found.files.sort();
    Ok(found)
}

impl Found {
    /// Takes the files of one folder and returns its folders.
    fn read(&mut self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if kind.is_dir() && !hidden {
                folders.push(entry.path());
            } else if kind.is_file() && !hidden {
                self.take(entry.path());
            } else if !kind.is_dir() {
                self.others += 1;
            }
        }
        Ok(folders)
    }

    fn take(&mut self, path: PathBuf) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if accept(&name, "").is_ok() {
            self.files.push(path);
        } else {
            self.others += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_found_and_links_and_hidden_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("inner/.hidden")).unwrap();
        for name in [
            "b.MP4",
            "a.mkv",
            "notes.txt",
            "._a.mp4",
            "inner/c.mov",
            "inner/.hidden/d.mp4",
        ] {
            fs::write(root.join(name), b"x").unwrap();
        }
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.mp4"), b"x").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.mp4"), root.join("e.mp4")).unwrap();
        std::os::unix::fs::symlink(root, root.join("inner/circle")).unwrap();

        let flat = media_files(root, false).unwrap();
        assert_eq!(flat.files, [root.join("a.mkv"), root.join("b.MP4")]);
        // The text, the hidden file, and two links.
        assert_eq!(flat.others, 4);
        let deep = media_files(root, true).unwrap();
        assert_eq!(deep.files.last().unwrap(), &root.join("inner/c.mov"));
        assert_eq!((deep.files.len(), deep.others), (3, 5));
        let one = media_files(&root.join("a.mkv"), false).unwrap();
        assert_eq!(one.files.len(), 1);
        assert!(media_files(&root.join("nothing"), true).is_err());
    }
}
