//! export_account: a copy of what an account holds, as a ZIP of JSON files.

use std::{
    io::{Cursor, Write as _},
    time::Duration,
};

use millrace_domain::{
    accounts::{Export, User},
    email::Message,
    ids::ExportId,
};
use millrace_queue::{OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::spawn_blocking;
use zip::{ZipWriter, result::ZipResult, write::SimpleFileOptions};

use crate::{Job, JobContext, flows};

/// Makes a copy of an account and mails a link to it. Safe twice: a second run stores a newer copy under the same key,
/// and only the one that finishes the row, in the transaction that ends the job, queues the mail.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExportAccount {
    pub export: ExportId,
}

impl Job for ExportAccount {
    const KIND: &'static str = "export_account";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(10 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let export = Export::find(cx.db(), self.export)
            .await?
            .or_cancel("nobody wants it any more")?;
        let user = User::find(cx.db(), export.user)
            .await?
            .or_cancel("the account is gone")?;
        let mut tx = millrace_bus::begin(cx.db()).await?;
        let parts = Export::parts(&mut tx, export.user).await?;
        tx.rollback().await?;
        let bytes = spawn_blocking(move || pack(&parts)).await??;
        let size = bytes.len();
        let key = format!("{}millrace-{}.zip", Export::folder(self.export), user.username);
        cx.storage().put(&key, bytes, "application/zip").await?;
        cx.complete(cx.db(), async |tx| {
            if !Export::finish(&mut *tx, self.export, &key, size).await? {
                return Ok(Wake::none());
            }
            let message = Message::ExportReady { user: user.id };
            flows::mail_account(tx, &user, &message).await
        })
        .await
    }
}

fn pack(parts: &[(&'static str, Value)]) -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, rows) in parts {
        zip.start_file(format!("{name}.json"), SimpleFileOptions::default())?;
        zip.write_all(format!("{rows:#}\n").as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn each_part_is_a_file() {
        let parts = [("profile", json!([{"username": "安"}])), ("videos", json!([]))];
        let mut zip = zip::ZipArchive::new(Cursor::new(pack(&parts).unwrap())).unwrap();
        assert_eq!(zip.len(), 2);
        let mut text = String::new();
        zip.by_name("profile.json").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), parts[0].1);
    }
}
