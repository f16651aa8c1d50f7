//! `import`: media files of a folder become videos, as if their owner had uploaded them.
//!
//! It may be stopped and started again at any point: a file is known by its content, so what was imported is skipped
//! wherever it lies and whatever it is called, and what was half sent goes on with the parts that are missing.

/// Which files of a folder are media.
mod find;
/// One file on its way.
mod send;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use millrace_config::Config;
use millrace_domain::{
    accounts::User,
    storage::Storage,
    uploads::{Once, Quota, Usage},
    videos::Visibility,
};
use sqlx::postgres::PgPoolOptions;

use self::send::{Importer, Outcome, Planned};

/// What to import, and for whom.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// A folder, or a single file.
    folder: PathBuf,
    /// Whose videos they become: user name or email.
    #[arg(long)]
    user: String,
    /// Who may see them.
    #[arg(long, value_enum, default_value = "private")]
    visibility: Seen,
    /// Folders inside the folder too.
    #[arg(long)]
    recursive: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Even if they do not fit into the user's quota.
    #[arg(long)]
    ignore_quota: bool,
    /// Also what was imported before and deleted since.
    #[arg(long)]
    again: bool,
}

/// Visibility by its names.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Seen {
    Public,
    Unlisted,
    Private,
}

/// What became of the files.
#[derive(Debug, Default)]
struct Tally {
    imported: u32,
    skipped: u32,
    failed: u32,
    bytes: u64,
}

/// Imports what was asked for.
pub(super) async fn run(config: &Config, import: Import) -> anyhow::Result<()> {
    let found = find::media_files(&import.folder, import.recursive)
        .with_context(|| format!("cannot read {}", shown(&import.folder)))?;
    let importer = importer(config, &import).await?;
    let mut tally = Tally::default();
    for (path, error) in &found.unreadable {
        println!("FAILED    {}: {error}", shown(path));
        tally.failed += 1;
    }
    let total = found.files.len();
    let mut planned = Planned::default();
    for (n, path) in (1..).zip(&found.files) {
        let bar = bar(path, n, total);
        let done = if import.dry_run {
            importer.consider(path, &mut planned, &bar).await
        } else {
            importer.import(path, &bar).await
        };
        bar.finish_and_clear();
        report(&mut tally, path, done, import.dry_run);
    }
    importer.close().await;
    println!(
        "{} {}imported ({}), {} skipped, {} failed; {} other {} left alone.",
        tally.imported,
        if import.dry_run { "would be " } else { "" },
        HumanBytes(tally.bytes),
        tally.skipped,
        tally.failed,
        found.others,
        if found.others == 1 { "file" } else { "files" },
    );
    if tally.failed > 0 {
        bail!("{} could not be imported", tally.failed);
    }
    Ok(())
}

async fn importer(config: &Config, import: &Import) -> anyhow::Result<Importer> {
    config
        .require_services()
        .context("no stack runs in the data directory, and none is configured")?;
    let (options, _) =
        millrace_jobs::database_options(config).context("database.url is not an address")?;
    let db = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await
        .context("the database cannot be reached")?;
    let owner = User::find_login(&db, &import.user)
        .await?
        .with_context(|| format!("there is no user {:?}", import.user))?
        .user;
    if !owner.is_active {
        bail!("the account of {} is deactivated", owner.username);
    }
    let storage = Storage::new(&millrace_jobs::storage_options(config));
    storage
        .check()
        .await
        .context("the store cannot be reached")?;
    let quota = config.uploads.quota();
    Ok(Importer {
        usage: Usage::of(&db, owner.id, quota).await?,
        db,
        storage,
        owner: owner.id,
        visibility: match import.visibility {
            Seen::Public => Visibility::Public,
            Seen::Unlisted => Visibility::Unlisted,
            Seen::Private => Visibility::Private,
        },
        quota: if import.ignore_quota {
            Quota::Ignored
        } else {
            Quota::Kept(quota)
        },
        once: if import.again { Once::Kept } else { Once::Ever },
        max_size: config.uploads.max_size,
        abandon_after: config.uploads.abandon_after,
    })
}

fn report(tally: &mut Tally, path: &Path, done: anyhow::Result<Outcome>, dry_run: bool) {
    let path = shown(path);
    match done {
        Ok(Outcome::Imported { bytes, video }) => {
            tally.imported += 1;
            tally.bytes += bytes;
            let size = HumanBytes(bytes);
            match video {
                Some(video) => println!("imported  {path} ({size}) as {video}"),
                None if dry_run => println!("would be  {path} ({size})"),
                None => println!("imported  {path} ({size})"),
            }
        }
        Ok(Outcome::Skipped(why)) => {
            tally.skipped += 1;
            println!("skipped   {path}: {why}");
        }
        Err(error) => {
            tally.failed += 1;
            // One line, whatever the chain of causes.
            let error = one_line(&format!("{error:#}"));
            println!("FAILED    {path}: {error}");
        }
    }
}

/// Drawn on a terminal only, apart from the lines that are the answer.
fn bar(path: &Path, n: usize, total: usize) -> ProgressBar {
    let name = path
        .file_name()
        .map(Path::new)
        .map_or_else(String::new, shown);
    let name: String = name.chars().take(40).collect();
    let style = ProgressStyle::with_template(
        "{prefix} {msg:8} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("=> ");
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar.set_prefix(format!("{n}/{total} {name}"));
    bar
}

/// A path as one line: names may hold anything.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
