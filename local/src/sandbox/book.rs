//! What exists, as the objects that the protocol shows. With a folder, each change is a line of a journal there, so that a
//! restart forgets nothing.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
};

use chrono::Utc;
use rand::RngExt as _;
use serde_json::{Value, json};

/// The journal's file.
const JOURNAL: &str = "journal.jsonl";

/// All objects.
#[derive(Default)]
pub(super) struct Book {
    objects: HashMap<String, Value>,
    /// Ids by kind and by parent, oldest first.
    lists: HashMap<String, Vec<String>>,
    journal: Option<File>,
    /// Events that nobody was told of yet.
    pub(super) news: Vec<String>,
}

impl Book {
    /// Opens the journal, or begins one.
    pub(super) fn open(folder: Option<&Path>) -> io::Result<Self> {
        let mut book = Self::default();
        let Some(folder) = folder else {
            return Ok(book);
        };
        fs::create_dir_all(folder)?;
        let path = folder.join(JOURNAL);
        if path.exists() {
            for line in BufReader::new(File::open(&path)?).split(b'\n') {
                // The last line may be half of one, of a kill.
                if let Ok(object) = serde_json::from_slice(&line?) {
                    book.remember(object);
                }
            }
        }
        let mut journal = OpenOptions::new().create(true).append(true).open(path)?;
        journal.write_all(b"\n")?;
        book.journal = Some(journal);
        Ok(book)
    }

    /// A new id.
    pub(super) fn id(prefix: &str) -> String {
        let random: u128 = rand::rng().random();
        format!("{prefix}_sandbox_{random:032x}")
    }

    /// Keeps an object, new or changed.
    pub(super) fn put(&mut self, object: &Value) {
        if let Some(journal) = &mut self.journal {
            let line = format!("{object}\n");
            if let Err(error) = journal.write_all(line.as_bytes()) {
                tracing::error!(%error, "the payment sandbox cannot write its journal");
            }
        }
        self.remember(object.clone());
    }

    /// An object of this kind.
    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Value> {
        self.objects.get(id).filter(|found| found["object"] == kind)
    }

    /// The objects of a list, oldest first: of a kind (`refund`), or of a kind of a parent (`refund:pi_1`).
    pub(super) fn list(&self, name: &str) -> impl DoubleEndedIterator<Item = &Value> {
        let ids = self.lists.get(name).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.objects.get(id))
    }

    /// A line of the books.
    pub(super) fn transaction(
        &mut self,
        kind: &str,
        category: &str,
        amount: i64,
        source: &Value,
    ) -> Value {
        let transaction = json!({
            "id": Self::id("txn"), "object": "balance_transaction", "type": kind, "reporting_category": category,
            "amount": amount, "fee": 0, "net": amount, "currency": source["currency"], "created": now(),
            "source": source["id"], "status": "available",
        });
        self.put(&transaction);
        transaction
    }

    /// Says that something happened to an object, as it is now.
    pub(super) fn event(&mut self, kind: &str, object: &Value) {
        let id = Self::id("evt");
        self.put(&json!({
            "id": id, "object": "event", "api_version": "2025-09-30.clover", "created": now(), "type": kind,
            "data": {"object": object}, "livemode": false, "pending_webhooks": 1,
            "request": {"id": null, "idempotency_key": null},
        }));
        self.news.push(id);
    }

    fn remember(&mut self, object: Value) {
        let Some(id) = object["id"].as_str().map(str::to_owned) else {
            return;
        };
        if !self.objects.contains_key(&id) {
            let kind = object["object"].as_str().unwrap_or_default();
            let mut lists = vec![kind.to_owned()];
            let order = &object["metadata"]["order"];
            let parents = [
                &object["payment_intent"],
                &object["parent"]["subscription_details"]["subscription"],
                order,
            ];
            for parent in parents {
                if let Some(parent) = parent.as_str() {
                    lists.push(format!("{kind}:{parent}"));
                }
            }
            for list in lists {
                self.lists.entry(list).or_default().push(id.clone());
            }
        }
        self.objects.insert(id, object);
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    Utc::now().timestamp()
}
