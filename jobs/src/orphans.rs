//! The sweep of objects that no row names: what a killed worker had stored before its row, what the losing run of two
//! made, what a deletion that gave up left.
//!
//! An object is always stored before its row, so "no row" alone proves nothing. Three things do, in this order: the
//! object was listed; then no job of its generation was live, so every row that could name it had been committed; then
//! no row named it. Keys carry the run that made them, so a later run never stores under a key that was listed. On top
//! of that comes an age, a day by default.

use std::collections::{HashMap, HashSet};

use millrace_domain::{
    storage::{ListedObject, Storage, StorageError},
    sweeps::{self, Place, Sweep},
};
use sqlx::PgPool;

use crate::plan::group;

/// Why a sweep stopped. It goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("the store failed the sweep")]
    Storage(#[from] StorageError),
    #[error("the database failed the sweep")]
    Database(#[from] sqlx::Error),
}

/// Takes a sweep one page further and tells whether there is more. Nothing is saved: do that after each step. A step
/// that is repeated finds what is left.
///
/// # Errors
/// [`SweepError`]
pub async fn step(db: &PgPool, storage: &Storage, sweep: &mut Sweep) -> Result<bool, SweepError> {
    let Some(after) = sweep.after.clone() else {
        overdue(db, storage, sweep).await?;
        sweep.after = Some(String::new());
        return Ok(true);
    };
    // A root is gone through when `after` is the next one's name.
    let at = Place::ROOTS
        .iter()
        .rposition(|root| after.as_str() >= *root);
    let root = Place::ROOTS[at.unwrap_or(0)];
    let page = storage.list_after(root, &after).await?;
    if let Some(last) = page.objects.last() {
        sweep.after = Some(last.key.clone());
    }
    let orphans = orphans(db, sweep, &page.objects).await?;
    for object in &page.objects {
        sweep.seen.add(object.size);
    }
    for orphan in &orphans {
        sweep.orphans.add(orphan.size);
        let counted = sweep.by_prefix.entry(root.to_owned()).or_default();
        counted.add(orphan.size);
    }
    if !sweep.dry_run && !orphans.is_empty() {
        let keys: Vec<String> = orphans.iter().map(|orphan| orphan.key.clone()).collect();
        tracing::debug!(?keys, "deleting objects that no row names");
        storage.delete_keys(&keys).await?;
        for orphan in &orphans {
            sweep.deleted.add(orphan.size);
        }
    }
    if page.more {
        return Ok(true);
    }
    let next = Place::ROOTS.get(at.unwrap_or(0) + 1);
    if let Some(next) = next {
        sweep.after = Some((*next).to_owned());
    }
    Ok(next.is_some())
}

/// Deletes what was doomed long ago: its job gave up, or was lost with its database's last seconds.
async fn overdue(db: &PgPool, storage: &Storage, sweep: &mut Sweep) -> Result<(), SweepError> {
    for prefix in sweeps::doomed(db, sweep.old()).await? {
        sweep.doomed += 1;
        if sweep.dry_run {
            continue;
        }
        let objects = storage.delete_prefix(&prefix).await?;
        millrace_domain::videos::forget_doomed(db, std::slice::from_ref(&prefix)).await?;
        tracing::info!(prefix, objects, "deleted what was doomed long ago");
    }
    Ok(())
}

/// Those of a page that are old enough, and that nobody will ever ask for.
async fn orphans<'a>(
    db: &PgPool,
    sweep: &Sweep,
    page: &'a [ListedObject],
) -> Result<Vec<&'a ListedObject>, SweepError> {
    let old = sweep.old();
    let mut suspects: Vec<(&ListedObject, Place)> = page
        .iter()
        .filter(|object| object.modified <= old)
        .filter_map(|object| Some((object, Place::of(&object.key)?)))
        .collect();
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    let writers: HashMap<uuid::Uuid, Place> = suspects
        .iter()
        .filter_map(|(_, place)| match *place {
            Place::Made { video, generation } => Some((group(video, generation), *place)),
            Place::Source(_) | Place::Avatar(_) | Place::Export(_) => None,
        })
        .collect();
    let groups: Vec<uuid::Uuid> = writers.keys().copied().collect();
    let live = millrace_queue::live_groups(db, &groups).await?;
    let live: Vec<Place> = live
        .iter()
        .filter_map(|group| writers.get(group).copied())
        .collect();
    suspects.retain(|(_, place)| !live.contains(place));
    // Only now, see above.
    let keys: Vec<String> = suspects.iter().map(|(o, _)| o.key.clone()).collect();
    let mut spared: HashSet<String> = sweeps::named(db, &keys).await?;
    spared.extend(sweeps::below_doomed(db, &keys).await?);
    Ok(suspects
        .into_iter()
        .map(|(object, _)| object)
        .filter(|object| !spared.contains(&object.key))
        .collect())
}
