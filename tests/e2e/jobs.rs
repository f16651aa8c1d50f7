//! `millrace jobs`: what operators type, against real workers.

use anyhow::{Context as _, Result};
use millrace_tests::Stack;
use serde_json::{Value, json};

async fn said(stack: &Stack, words: &[&str]) -> Result<String> {
    let said = stack.try_command("millrace", words).await?;
    anyhow::ensure!(said.code == Some(0), "{words:?}: {said:?}");
    Ok(said.stdout)
}

/// One line, not a stack trace, and a code that is not 0.
async fn refused(stack: &Stack, words: &[&str], with: &str) -> Result<()> {
    let said = stack.try_command("millrace", words).await?;
    let error = said.stderr.trim();
    anyhow::ensure!(
        said.code.is_some_and(|code| code != 0)
            && error.contains(with)
            && !error.contains("panicked"),
        "{words:?}: {said:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_look_and_act_on_the_command_line() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let _worker = stack
        .worker_with("worker", &[("worker.queues", "default=2")])
        .await?;
    let args = [
        "jobs",
        "enqueue",
        "sweep_expired",
        "{}",
        "--json",
        "--options",
    ];
    let enqueue = async |options: &str| -> Result<String> {
        let mut words = args.to_vec();
        words.push(options);
        let answer: Value = serde_json::from_str(&said(&stack, &words).await?)?;
        Ok(answer["id"].as_str().context("an id")?.to_owned())
    };
    let now = enqueue("{}").await?;
    stack.quiet().await?;
    let shown: Value =
        serde_json::from_str(&said(&stack, &["jobs", "show", &now, "--json"]).await?)?;
    assert_eq!(
        (&shown["state"], &shown["kind"]),
        (&json!("completed"), &json!("sweep_expired"))
    );

    said(
        &stack,
        &[
            "jobs",
            "pause",
            "--kind",
            "sweep_expired",
            "--note",
            "for a while",
        ],
    )
    .await?;
    let paused = enqueue(r#"{"tags": ["mine"]}"#).await?;
    let why = said(&stack, &["jobs", "explain", &paused]).await?;
    assert!(
        why.starts_with("kind_paused") && why.contains("for a while"),
        "{why}"
    );
    let listed = said(&stack, &["jobs", "list", "--tag", "mine", "--json"]).await?;
    let line: Value = serde_json::from_str(listed.trim())?;
    assert_eq!(line["id"], json!(paused));
    said(&stack, &["jobs", "resume", "--kind", "sweep_expired"]).await?;
    stack.quiet().await?;

    let later = enqueue(r#"{"delay_ms": 3600000}"#).await?;
    said(&stack, &["jobs", "cancel", &later]).await?;
    refused(&stack, &["jobs", "cancel", &later], "is not a live job").await?;
    said(&stack, &["jobs", "retry", &later]).await?;
    stack.quiet().await?;
    let shown = said(&stack, &["jobs", "show", &later]).await?;
    assert!(shown.contains("state     completed"), "{shown}");

    said(
        &stack,
        &[
            "jobs", "limit", "--queue", "default", "--max", "1", "--fair",
        ],
    )
    .await?;
    let queues = said(&stack, &["jobs", "queues"]).await?;
    assert!(
        queues.lines().any(|line| line.starts_with("default")),
        "{queues}"
    );
    let schedules = said(&stack, &["jobs", "schedules", "list"]).await?;
    let name = schedules.split_whitespace().next().context("a schedule")?;
    said(
        &stack,
        &[
            "jobs",
            "schedules",
            "set",
            name,
            "--cron",
            "0 0 1 1 *",
            "--zone",
            "Asia/Taipei",
        ],
    )
    .await?;
    said(&stack, &["jobs", "schedules", "disable", name]).await?;
    said(&stack, &["jobs", "schedules", "run", name]).await?;
    let schedules = said(&stack, &["jobs", "schedules", "list"]).await?;
    let line = schedules
        .lines()
        .find(|line| line.starts_with(name))
        .context("the schedule")?;
    assert!(
        line.contains("Asia/Taipei") && line.contains("disabled"),
        "{line}"
    );
    said(&stack, &["jobs", "prune"]).await?;

    for (words, with) in [
        (&["jobs", "show", "nonsense"][..], "is not an id"),
        (
            &["jobs", "show", "01a206c3-514a-715f-a2e6-87d4c94b013c"],
            "there is no job",
        ),
        (
            &["jobs", "explain", "01a206c3-514a-715f-a2e6-87d4c94b013c"],
            "there is no job",
        ),
        (&["jobs", "list", "--state", "nonsense"], "is no state"),
        (
            &["jobs", "enqueue", "nonsense"],
            "no worker has registered the kind nonsense",
        ),
        (
            &["jobs", "enqueue", "sweep_expired", "[]"],
            "must be a JSON object",
        ),
        (
            &["jobs", "enqueue", "sweep_expired", "{"],
            "cannot be read as JSON",
        ),
        (
            &["jobs", "enqueue", "sweep_expired", r#"{"a": "\u0000"}"#],
            "\\u0000",
        ),
        (
            &[
                "jobs",
                "enqueue",
                "sweep_expired",
                "--options",
                r#"{"delay": 1}"#,
            ],
            "no option delay",
        ),
        (
            &["jobs", "pause", "--kind", "nonsense"],
            "no worker has registered the kind nonsense",
        ),
        (&["jobs", "pause"], "--queue"),
        (
            &[
                "jobs",
                "schedules",
                "set",
                "nonsense",
                "--cron",
                "* * * * *",
            ],
            "no schedule nonsense",
        ),
        (
            &["jobs", "schedules", "set", name, "--cron", "often"],
            "often",
        ),
    ] {
        refused(&stack, words, with).await?;
    }
    stack.end().await
}
