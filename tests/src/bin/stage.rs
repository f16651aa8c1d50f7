//! `stage`: a stack with something on it, for a command that looks at it from outside.
//!
//! ```text
//! stage COMMAND [WORD...]
//! ```
//! The command finds the server in BASE_URL, a public video that is ready in VIDEO, its creator in PERSON_NAME and
//! PERSON_PASSWORD, an administrator in ADMIN_NAME and ADMIN_PASSWORD, and a clip to upload in CLIP. Everything goes when
//! it ends, and its exit code is ours.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Clip, Person, Stack, person::PASSWORD};
use tokio::process::Command;

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let program = words.next().context("stage wants a command")?;
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let creator = Person::register(&stack).await?;
    let admin = Person::register(&stack).await?;
    sqlx::query("update users set role = 'admin' where username = $1")
        .bind(&admin.name)
        .execute(&stack.db)
        .await?;
    let clip = Clip::new(40, "1280x720");
    let video = creator.upload(&clip).await?;
    creator.sees_ready(&video, Duration::from_secs(240)).await?;
    let status = Command::new(&program)
        .args(words)
        .env("BASE_URL", stack.address())
        .env("VIDEO", video)
        .env("PERSON_NAME", &creator.name)
        .env("PERSON_PASSWORD", PASSWORD)
        .env("ADMIN_NAME", &admin.name)
        .env("ADMIN_PASSWORD", PASSWORD)
        .env("CLIP", clip.file().await?)
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("{program} cannot be started"))?;
    stack.abandon().await?;
    std::process::exit(status.code().unwrap_or(1));
}
