//! One OpenTelemetry trace from a request to the jobs that it brought about, across processes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{
    Clip, Machines, Person, collector::Collector, free_port, person::text, until,
};
use reqwest::Method;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const DEADLINE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_request_to_the_job_and_its_children() -> Result<()> {
    let collector = Collector::start().await?;
    let [of_api, of_worker] = [free_port()?, free_port()?].map(|port| format!("127.0.0.1:{port}"));
    let machines = Machines::with()
        .set("server.metrics_listen", of_api.as_str())
        .set("telemetry.otlp_endpoint", collector.address.as_str())
        .set("log.format", "json")
        .set("log.filter", "info,millrace_queue=debug,sqlx=warn")
        .start()
        .await?;
    let health = ("worker.health_listen", of_worker.as_str());
    let mut worker = machines.worker("worker", &[], &[health])?;
    let person = Person::register_at(machines.address()).await?;
    let bytes = tokio::fs::read(Clip::new(2, "320x240").file().await?).await?;
    let target = person.begin("clip.mp4", bytes.len()).await?.expect(201)?;
    person.put(&target, &bytes).await?;
    let path = format!("/api/uploads/{}/complete", text(&target["upload_id"])?);
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", &caller),
    ];
    let body = br#"{"title": "A clip"}"#.to_vec();
    let answer = person.send(Method::POST, &path, &headers, body).await?;
    let video = answer.expect(201)?;
    person.sees_ready(&text(&video["id"])?, DEADLINE).await?;
    machines.quiet(DEADLINE).await?;
    let inserted = r#"queue_jobs_enqueued_total{queue="media",kind="probe"} 1"#;
    let begun = r#"queue_runs_started_total{queue="media",kind="probe"} 1"#;
    for (address, line) in [(of_api, inserted), (of_worker, begun)] {
        let shown = reqwest::get(format!("http://{address}/metrics")).await?;
        let shown = shown.text().await?;
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    worker.terminate()?;
    let status = worker.ended(DEADLINE).await?;
    assert!(status.success(), "{status}");
    let said = worker.log();
    machines.stop().await?;

    let request = collector.one(TRACE, "POST /api/uploads/{id}/complete")?;
    assert_eq!(
        (request.service.as_str(), request.parent.as_str()),
        ("millrace-api", CALLER)
    );
    assert_eq!(request.attributes["http.response.status_code"], "201");
    let enqueue = collector.one(TRACE, "enqueue probe")?;
    assert_eq!(enqueue.parent, request.id);
    let probe = collector.one(TRACE, "run probe")?;
    assert_eq!(
        (probe.service.as_str(), probe.parent.as_str()),
        ("millrace-worker", enqueue.id.as_str())
    );
    assert_eq!(probe.attributes["job.outcome"], "completed");
    // What the probe enqueued, and what that led to.
    let spans = collector.trace(TRACE);
    let by = |id: &str| spans.iter().find(|span| span.id == id);
    for child in ["run poster", "run encode_audio", "run publish"] {
        let run = spans.iter().find(|span| span.name == child);
        let run = run.with_context(|| format!("no {child} in {spans:#?}"))?;
        assert!(!run.is_error, "{run:?}");
        let enqueued = by(&run.parent).context("the parent was not sent")?;
        assert!(enqueued.name.starts_with("enqueue"), "{enqueued:?}");
        assert_eq!(enqueued.parent, probe.id);
    }
    let line = said
        .lines()
        .find(|line| line.contains("finished probe"))
        .context("no line of the probe")?;
    let line: serde_json::Value = serde_json::from_str(line)?;
    assert_eq!(line["span"]["trace_id"], TRACE, "{line}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_hinders_nobody() -> Result<()> {
    let gone = Collector::start().await?.address.clone();
    let machines = Machines::with()
        .set("telemetry.otlp_endpoint", gone)
        .start()
        .await?;
    let mut worker = machines.worker("worker", &[], &[])?;
    worker.at_work(&machines.db, DEADLINE).await?;
    let person = Person::register_at(machines.address()).await?;
    person.get("/api/videos").await?.expect(200)?;
    until("the operator hears of it", DEADLINE, async || {
        let told = machines.api.log().contains("telemetry data will be lost");
        Ok(told.then_some(()))
    })
    .await?;
    worker.terminate()?;
    let status = worker.ended(DEADLINE).await?;
    assert!(status.success(), "{status}\n{}", worker.log());
    let said = worker.log();
    assert!(!said.contains("panicked"), "{said}");
    machines.stop().await
}
