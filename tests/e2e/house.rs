//! The rules that the crates keep: who may depend on whom, and what every file begins with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use toml::Table;

/// The crates from the leaves up, each with those of ours that it may see.
const MAY_SEE: [(&str, &[&str]); 11] = [
    ("config", &[]),
    ("bus", &[]),
    ("queue", &["bus"]),
    ("domain", &["bus"]),
    ("jobs", &["queue", "domain", "config", "bus"]),
    ("worker", &["jobs", "queue", "domain", "config", "bus"]),
    ("api", &["jobs", "queue", "domain", "config", "bus"]),
    (
        "local",
        &["api", "worker", "jobs", "queue", "domain", "config", "bus"],
    ),
    (
        "tests",
        &[
            "local", "api", "worker", "jobs", "queue", "domain", "config", "bus",
        ],
    ),
    ("tests/bench", &["queue", "bus"]),
    ("tests/faults", &["queue", "bus"]),
];

#[test]
fn dependencies_point_one_way() -> Result<()> {
    let workspace: Table = fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let members = workspace["workspace"]["members"]
        .as_array()
        .context("no members")?;
    let named: Vec<&str> = members.iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(
        named,
        MAY_SEE.map(|(name, _)| name),
        "a crate that no rule is about"
    );
    for (name, allowed) in MAY_SEE {
        let manifest: Table = fs::read_to_string(root().join(name).join("Cargo.toml"))?.parse()?;
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for dependency in dependencies
                .keys()
                .filter_map(|key| key.strip_prefix("millrace-"))
            {
                assert!(
                    // Its own tests may ask a library for a feature.
                    allowed.contains(&dependency) || dependency == name,
                    "{name} must not see {dependency} ({section})"
                );
            }
        }
        assert!(
            manifest["lints"]["workspace"].as_bool() == Some(true),
            "{name} does not keep the workspace's lints"
        );
    }
    Ok(())
}

#[test]
fn every_file_says_what_it_is_for() -> Result<()> {
    let mut files = Vec::new();
    for (name, _) in MAY_SEE {
        collect(&root().join(name), &mut files)?;
    }
    assert!(files.len() > 100, "only {} files", files.len());
    for file in files {
        let text = fs::read_to_string(&file)?;
        assert!(
            text.starts_with("//! "),
            "{} does not say what it is for",
            file.display()
        );
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let bucket = ["utils", "util", "common", "helpers", "misc", "types"].contains(&name);
        assert!(
            !bucket,
            "{}: a file is named after one thing",
            file.display()
        );
    }
    Ok(())
}

/// `queue/tests/README.md` says which of our tests stands for which of theirs: names between backquotes, then their file.
#[test]
fn the_tests_of_our_peers_have_the_counterparts_that_are_named() -> Result<()> {
    let table = fs::read_to_string(root().join("queue/tests/README.md"))?;
    let mut found = 0;
    for row in table.lines().filter(|line| line.starts_with('|')) {
        let Some(ours) = row.trim_end_matches([' ', '|']).rsplit(" | ").next() else {
            continue;
        };
        let mut names = Vec::new();
        for word in ours.split('`').skip(1).step_by(2) {
            if let Some(text) = word
                .ends_with(".rs")
                .then(|| fs::read_to_string(root().join(word)))
            {
                let text = text.with_context(|| word.to_owned())?;
                for name in names.drain(..) {
                    assert!(
                        text.contains(&format!("async fn {name}()")),
                        "{name} is not in {word}"
                    );
                    found += 1;
                }
            } else if word.contains('_') && !word.contains(char::is_uppercase) && word != "crash_db"
            {
                names.push(word);
            }
        }
        assert!(names.is_empty(), "{names:?} are in no file");
    }
    assert!(found >= 25, "only {found} tests are named");
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("/"))
        .to_owned()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
