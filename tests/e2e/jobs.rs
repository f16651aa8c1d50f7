//! `millrace jobs`: what operators type, against real workers.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Stack, person::text};
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
            "unknown field `delay`",
        ),
        (
            &["jobs", "pause", "--kind", "nonsense"],
            "no worker has registered the kind nonsense",
        ),
        (
            &["jobs", "pause", "--queue", "nonsense"],
            "there is no queue nonsense",
        ),
        (
            &["jobs", "limit", "--queue", "nonsense", "--max", "3"],
            "there is no queue nonsense",
        ),
        (
            &["jobs", "list", "--queue", "nonsense"],
            "there is no queue nonsense",
        ),
        (
            &["jobs", "list", "--kind", "nonsense"],
            "no worker has registered the kind nonsense",
        ),
        (&["jobs", "pause"], "--queue"),
        (&["jobs", "retry"], "--state"),
        (
            &["jobs", "retry", &later, "--kind", "sweep_expired"],
            "cannot be used",
        ),
        (
            &["jobs", "cancel", "--kind", "nonsense"],
            "no worker has registered the kind nonsense",
        ),
        (
            &["jobs", "discard", "--queue", "nonsense"],
            "there is no queue nonsense",
        ),
        (&["jobs", "retry", "--state", "nonsense"], "is no state"),
        (&["jobs", "cancel", "--tag", "x", "--grace", "3"], "--grace"),
        (
            &["jobs", "keep", "nonsense", "3"],
            "there is no queue nonsense",
        ),
        (&["jobs", "keep", "media", "many"], "many"),
        (&["jobs", "keep", "media", "3651"], "0 to 3650 days"),
        (
            &[
                "jobs",
                "enqueue",
                "sweep_expired",
                "--options",
                r#"{"queue": "a*"}"#,
            ],
            "no star",
        ),
        (
            &["jobs", "enqueue", "--lines", "nowhere.jsonl"],
            "nowhere.jsonl cannot be read",
        ),
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

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_are_enqueued_cancelled_and_retried_at_once() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let _worker = stack
        .worker_with("worker", &[("worker.queues", "default=2")])
        .await?;
    said(&stack, &["jobs", "pause", "--queue", "default"]).await?;
    let good = r#"{"kind": "sweep_expired", "options": {"tags": ["flood"]}}"#;
    let lines = [
        good,
        r#"{"kind": "nonsense"}"#,
        "",
        good,
        r#"{"kind": "sweep_expired", "args": []}"#,
        "not JSON",
        r#"{"kind": "sweep_expired", "options": {"delay": 1}}"#,
        r#"{"kind": "sweep_expired", "args": {"a": "\u0000"}}"#,
        good,
    ];
    let file = stack.folder().join("jobs.jsonl");
    tokio::fs::write(&file, lines.join("\n")).await?;
    let file = file.to_str().context("a path in UTF-8")?;
    let told = stack
        .try_command("millrace", &["jobs", "enqueue", "--lines", file, "--json"])
        .await?;
    assert_ne!(told.code, Some(0), "{told:?}");
    let mut put = Vec::new();
    for line in told.stdout.lines() {
        let line: Value = serde_json::from_str(line)?;
        put.push((line["line"].clone(), text(&line["id"])?));
    }
    let numbers: Vec<&Value> = put.iter().map(|put| &put.0).collect();
    assert_eq!(numbers, [&json!(1), &json!(4), &json!(9)]);
    for named in [
        "line 2: no worker has registered the kind nonsense",
        "line 5: a job of the kind sweep_expired cannot be stored: the arguments must be a JSON object",
        "line 6: it is not right",
        "line 7: it is not right: unknown field `delay`",
        "line 8: a job of the kind sweep_expired cannot be stored: the arguments hold \\u0000",
        "5 of 8 jobs were left out",
    ] {
        assert!(told.stderr.contains(named), "{named}: {}", told.stderr);
    }

    // The queue is paused, and it can be cleared all the same.
    let counted = said(&stack, &["jobs", "cancel", "--tag", "flood", "--dry-run"]).await?;
    assert_eq!(counted.trim(), "3 jobs would be cancelled.");
    let words = [
        "jobs",
        "cancel",
        "--tag",
        "flood",
        "--state",
        "available",
        "--reason",
        "by mistake",
    ];
    let told = said(&stack, &[&words[..], &["--wait"]].concat()).await?;
    let (id, sentence) = told.trim().split_once('\n').context("two lines")?;
    assert_eq!(sentence, "3 jobs were cancelled, 0 left as they are.");
    let shown = said(&stack, &["jobs", "show", id, "--json"]).await?;
    let shown: Value = serde_json::from_str(&shown)?;
    assert_eq!(shown["result"], json!({"changed": 3, "skipped": 0}));
    let shown = said(&stack, &["jobs", "show", &put[0].1, "--json"]).await?;
    let shown: Value = serde_json::from_str(&shown)?;
    assert_eq!(shown["reason"], "cancelled by the command line: by mistake");

    said(&stack, &["jobs", "resume", "--queue", "default"]).await?;
    let words = [
        "jobs",
        "retry",
        "--kind",
        "sweep_expired",
        "--state",
        "cancelled",
        "--json",
    ];
    let counted = said(&stack, &[&words[..], &["--dry-run"]].concat()).await?;
    assert_eq!(
        serde_json::from_str::<Value>(&counted)?,
        json!({"count": 3, "capped": false})
    );
    let told = said(&stack, &[&words[..], &["--wait"]].concat()).await?;
    let last: Value = serde_json::from_str(told.lines().last().context("a result")?)?;
    assert_eq!((&last["changed"], &last["skipped"]), (&json!(3), &json!(0)));
    stack.quiet().await?;
    for (_, id) in &put {
        let shown = said(&stack, &["jobs", "show", id]).await?;
        assert!(shown.contains("state     completed"), "{shown}");
    }

    // Some by their ids: what can be done is done, and the rest is named.
    let later = said(
        &stack,
        &[
            "jobs",
            "enqueue",
            "sweep_expired",
            "--options",
            r#"{"delay_ms": 3600000}"#,
        ],
    )
    .await?;
    let told = stack
        .try_command("millrace", &["jobs", "discard", &put[0].1, later.trim()])
        .await?;
    assert_eq!(
        told.stdout.trim(),
        format!("{} is discarded.", later.trim())
    );
    assert!(
        told.code != Some(0) && told.stderr.contains("is not a live job"),
        "{told:?}"
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_jobs_are_kept_as_long_as_operators_say() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let mut worker = stack
        .worker_with("worker", &[("worker.queues", "default=2")])
        .await?;
    let shown = said(&stack, &["jobs", "keep", "default"]).await?;
    assert_eq!(shown.trim(), "default: 14 days, as usual");
    said(&stack, &["jobs", "keep", "default", "3"]).await?;
    said(&stack, &["jobs", "keep", "*", "30"]).await?;
    // A worker that starts does not overrule an operator.
    worker.terminate()?;
    worker.ended(Duration::from_secs(60)).await?;
    let _worker = stack
        .worker_with("second", &[("worker.queues", "default=2")])
        .await?;
    let shown = said(&stack, &["jobs", "keep"]).await?;
    assert_eq!(shown, "*: 30 days\ndefault: 3 days\n");
    let shown = said(&stack, &["jobs", "keep", "default", "--usual", "--json"]).await?;
    let shown: Value = serde_json::from_str(&shown)?;
    assert_eq!(shown, json!({"queue": "default", "days": 30, "own": false}));
    let shown = said(&stack, &["jobs", "keep", "*", "--usual"]).await?;
    assert_eq!(shown.trim(), "*: 14 days");
    stack.end().await
}
