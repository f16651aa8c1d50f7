//! `check_api`: PyPI's schemathesis against a running server, as a user and as an admin. Every answer must be one that
//! the OpenAPI document tells of, and none a 5xx. `deploy/install-deps.sh --schemathesis` installs it.
//!
//! ```text
//! check_api [--examples N] [--seed N] [OPERATION_ID...]
//! ```
//! Without ids, all operations. What it finds is printed with a `curl` line that repeats it.

use std::{fmt::Write as _, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use millrace_tests::{Clip, Person, Stack, installed, person::text};
use serde_json::json;
use tokio::process::Command;

/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
/// Ends the session that the other requests use: asked for last, by itself.
const LAST: &str = "end_sessions";

/// What the command line asks for.
struct Wishes {
    examples: u32,
    seed: Option<u64>,
    operations: Vec<String>,
}

/// Ids of things that are there, by the paths that name them: made up ones would get a 404 and no further.
struct Things {
    video: String,
    playlist: String,
    comment: String,
    job: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let wishes = Wishes::read()?;
    let program = installed("schemathesis/bin/schemathesis", "--schemathesis")?;
    let stack = Stack::with().set("auth.access_ttl", "3h").start().await?;
    let _worker = stack.worker("worker").await?;
    let user = Person::register(&stack).await?;
    let admin = Person::register(&stack).await?;
    sqlx::query("update users set role = 'admin' where username = $1")
        .bind(&admin.name)
        .execute(&stack.db)
        .await?;
    let mut failed = Vec::new();
    for (role, person) in [("a user", &user), ("an admin", &admin)] {
        let things = Things::of(&stack, person).await?;
        for only in [None, Some(LAST)] {
            if !wishes.run(&stack, &program, person, &things, only).await? {
                failed.push(role);
            }
        }
        // Everything may be answered 401: that something was made shows that the token counted.
        let made: i64 = sqlx::query_scalar(
            "select count(*) from playlists join users u on u.id = user_id where u.username = $1",
        )
        .bind(&person.name)
        .fetch_one(&stack.db)
        .await?;
        anyhow::ensure!(
            made > 1 || !wishes.operations.is_empty(),
            "{role} made nothing: were they logged in?"
        );
    }
    stack.abandon().await?;
    failed.dedup();
    anyhow::ensure!(
        failed.is_empty(),
        "as {}: see above",
        failed.join(" and as ")
    );
    Ok(())
}

impl Wishes {
    fn read() -> Result<Self> {
        let mut wishes = Self {
            examples: 25,
            seed: None,
            operations: Vec::new(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || {
                words
                    .next()
                    .with_context(|| format!("{word} wants a number"))
            };
            match word.as_str() {
                "--examples" => wishes.examples = number()?.parse()?,
                "--seed" => wishes.seed = Some(number()?.parse()?),
                _ => wishes.operations.push(word),
            }
        }
        Ok(wishes)
    }

    /// Whether nothing was found.
    async fn run(
        &self,
        stack: &Stack,
        program: &PathBuf,
        person: &Person,
        things: &Things,
        only: Option<&str>,
    ) -> Result<bool> {
        let mut filter = Vec::new();
        match only {
            Some(operation) if self.wants(operation) => {
                filter.extend(["--include-operation-id", operation]);
            }
            Some(_) => return Ok(true),
            None => {
                filter.extend(["--exclude-operation-id", LAST]);
                for operation in self.operations.iter().filter(|name| *name != LAST) {
                    filter.extend(["--include-operation-id", operation]);
                }
                if filter.len() == 2 && !self.operations.is_empty() {
                    return Ok(true);
                }
            }
        }
        let folder = stack.folder().join("schemathesis");
        tokio::fs::create_dir_all(&folder).await?;
        let config = folder.join("schemathesis.toml");
        tokio::fs::write(&config, things.config(&person.token)?).await?;
        let status = Command::new(program)
            .arg("--config-file")
            .arg(&config)
            .args(["run", &format!("{}/api/openapi.json", stack.address())])
            .args(["--url", stack.address()])
            .args(["--checks", CHECKS, "--warnings", "off", "--workers", "1"])
            .args(["--max-examples", &self.examples.to_string()])
            .args(["--request-timeout", "30", "--continue-on-failure"])
            .args(
                self.seed
                    .iter()
                    .flat_map(|seed| ["--seed".to_owned(), seed.to_string()]),
            )
            .args(filter)
            .current_dir(&folder)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .status()
            .await
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(status.success())
    }

    fn wants(&self, operation: &str) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|wish| wish == operation)
    }
}

impl Things {
    /// Makes some of `person`'s.
    async fn of(stack: &Stack, person: &Person) -> Result<Self> {
        let video = person.upload(&Clip::new(10, "640x360")).await?;
        person.sees_ready(&video, Duration::from_secs(120)).await?;
        let list = json!({"title": "Walks", "visibility": "public", "video_id": video});
        let list = person.post("/api/playlists", list).await?.expect(201)?;
        let path = format!("/api/videos/{video}/comments");
        let comment = json!({"body": "Well done"});
        let comment = person.post(&path, comment).await?.expect(201)?;
        let job: uuid::Uuid = sqlx::query_scalar(
            r#"select queue.enqueue('sweep_expired', '{}', '{"delay_ms": 36000000}')"#,
        )
        .fetch_one(&stack.db)
        .await?;
        Ok(Self {
            video,
            playlist: text(&list["id"])?,
            comment: text(&comment["id"])?,
            job: job.to_string(),
        })
    }

    fn config(&self, token: &str) -> Result<String> {
        let mut config = format!("headers = {{ Authorization = \"Bearer {token}\" }}\n");
        for (path, id) in [
            ("videos", &self.video),
            ("playlists", &self.playlist),
            ("comments", &self.comment),
            ("admin/jobs", &self.job),
        ] {
            // What is deleted is not there for the others.
            writeln!(
                config,
                "[[operations]]\ninclude-path-regex = '^/api/{path}/\\{{id\\}}'\nexclude-method = 'DELETE'\n\
                 parameters = {{ \"path.id\" = \"{id}\" }}"
            )?;
        }
        Ok(config)
    }
}
