//! The web application in a real browser: the journeys of `frontend/e2e` against this stack.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use millrace_domain::accounts::{NewUser, Role, User};
use millrace_tests::{Clip, Person, Stack, person::PASSWORD, within};
use tokio::{process::Command, sync::Mutex};

/// One browser at a time: on a busy machine two of them miss their deadlines.
static TURN: Mutex<()> = Mutex::const_new(());

/// Until all journeys are over. Twelve minutes on two cores.
const LONGEST: Duration = Duration::from_secs(1_200);

/// Bytes that each person may store.
const QUOTA: i64 = 512 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn people_upload_follow_and_watch_in_a_browser() -> Result<()> {
    // Room for the journeys' files, and none for the one that must not fit.
    let stack = Stack::with().set("uploads.quota", QUOTA).start().await?;
    let _worker = stack.worker("worker").await?;
    let admin = Person::register(&stack).await?;
    sqlx::query("update users set role = 'admin' where username = $1")
        .bind(&admin.name)
        .execute(&stack.db)
        .await?;
    // What the administrator looks for.
    sqlx::query(
        r#"select queue.enqueue('sweep_expired', '{}', '{"delay_ms": 36000000, "tags": ["journey"]}')"#,
    )
    .execute(&stack.db)
    .await?;
    let variables = [
        ("ADMIN_NAME", admin.name.as_str()),
        ("ADMIN_PASSWORD", PASSWORD),
    ];
    journeys_with(&stack, &[], &variables).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_by_invitation() -> Result<()> {
    let stack = Stack::with()
        .light()
        .set("auth.registration", "invite")
        .start()
        .await?;
    let _worker = stack
        .worker_with("post", &[("worker.queues", "default=2")])
        .await?;
    let admin = NewUser {
        username: "ada",
        email: "ada@example.org",
        password_hash: &millrace_api::hash_password(PASSWORD)?,
        role: Role::Admin,
        language: "en",
    };
    User::create(&stack.db, admin).await?;
    let variables = [("INVITED_BY", "ada"), ("INVITED_BY_PASSWORD", PASSWORD)];
    journeys_with(&stack, &["invites"], &variables).await?;
    stack.end().await
}

/// Goes on the journeys that `arguments` choose, all of them without any, and returns what was said of them.
///
/// # Errors
/// That one did not get there.
pub(crate) async fn journeys(stack: &Stack, arguments: &[&str]) -> Result<String> {
    journeys_with(stack, arguments, &[]).await
}

/// The same, with these variables for the journeys.
///
/// # Errors
/// That one did not get there.
pub(crate) async fn journeys_with(
    stack: &Stack,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Result<String> {
    let frontend = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("frontend");
    for (file, command) in [
        ("node_modules", "npm ci"),
        ("dist/index.html", "npm run build"),
    ] {
        anyhow::ensure!(
            frontend.join(file).exists(),
            "frontend/{file} is missing: run `{command}` in frontend/ first"
        );
    }
    let clip = Clip::new(40, "1280x720").file().await?;
    let _turn = TURN.lock().await;
    // Itself and not by npm, which would leave it running when it is killed.
    let mut playwright = Command::new(frontend.join("node_modules/.bin/playwright"));
    playwright
        .args(["test", "--output"])
        // Not the common folder: whoever starts there clears it, with what others have open in it.
        .arg(stack.folder().join("journeys"))
        .args(arguments)
        .current_dir(&frontend)
        .kill_on_drop(true)
        .stdin(Stdio::null());
    playwright
        .env("BASE_URL", stack.address())
        .env("CLIP", clip)
        .envs(variables.iter().copied())
        .env("SHOTS", stack.folder().join("shots"));
    // Into a file, so that it is there also of journeys that never end.
    let log = stack.folder().join("journeys.log");
    let out = std::fs::File::create(&log)?;
    playwright.stdout(out.try_clone()?).stderr(out);
    let status = within("the journeys end", LONGEST, playwright.status()).await;
    let said = std::fs::read_to_string(&log)?;
    let status = status
        .with_context(|| said.clone())?
        .context("Playwright cannot be started")?;
    anyhow::ensure!(status.success(), "{said}");
    anyhow::ensure!(said.contains("passed"), "{said}");
    // A journey that finds itself without a clip skips itself, and that is no proof.
    anyhow::ensure!(!said.contains("skipped"), "{said}");
    Ok(said)
}
