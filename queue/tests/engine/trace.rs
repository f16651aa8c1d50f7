//! One trace from whoever enqueues to the runs and what they enqueue. The spans of a test are collected on its own thread,
//! which its runtime does not leave.

use millrace_queue::{
    Done, Failure, JobId, NewJob, State, TRACE_TARGET, enqueue, enqueue_each, trace_id,
};
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing::{Instrument as _, Level, level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::harness::{Bench, Db, Mourn, Step};

/// The spans that have ended, and what goes on collecting them.
struct Collected {
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
    _subscriber: DefaultGuard,
}

impl Collected {
    fn start() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry()
            .with(Targets::new().with_target(TRACE_TARGET, LevelFilter::TRACE))
            .with(layer)
            .set_default();
        Self {
            provider,
            exporter,
            _subscriber: subscriber,
        }
    }

    /// The spans with this name, in the order of their ends.
    fn named(&self, name: &str) -> Vec<SpanData> {
        self.provider.force_flush().expect("flushed");
        let spans = self.exporter.get_finished_spans().expect("spans");
        spans.into_iter().filter(|span| span.name == name).collect()
    }

    fn one(&self, name: &str) -> SpanData {
        let mut spans = self.named(name);
        assert_eq!(spans.len(), 1, "{name}: {spans:?}");
        spans.remove(0)
    }
}

fn ids(span: &SpanData) -> (TraceId, SpanId) {
    (span.span_context.trace_id(), span.span_context.span_id())
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|a| a.key.as_str() == name);
    found.map(|attribute| attribute.value.to_string())
}

/// Enqueues within a span that stands for a request.
async fn request(db: &Db, job: NewJob) -> JobId {
    let span = tracing::span!(target: TRACE_TARGET, Level::TRACE, "request");
    db.put(job).instrument(span).await
}

#[tokio::test]
async fn a_run_and_its_children_belong_to_the_trace_of_whoever_enqueued() {
    let collected = Collected::start();
    let db = Db::new().await;
    let pool = db.pool.clone();
    let bench = Bench::new(move |step, run| {
        let pool = pool.clone();
        async move {
            if step.n == 2 {
                return Ok(Done::Completed);
            }
            run.complete(&pool, async |conn| {
                let job = Step::job(2).after(&[run.id]);
                Ok::<_, Failure>(enqueue(conn, job).await?.wake)
            })
            .await
        }
    });
    let worker = db.worker(&bench).await;
    let id = request(&db, Step::job(1)).await;
    let row = db.reaches(id, State::Completed).await;
    let child: JobId = sqlx::query_scalar(
        "select id from (select id from queue.job union all select id from queue.history) as j where id <> $1",
    )
    .bind(id)
    .fetch_one(&db.pool)
    .await
    .expect("the child");
    db.reaches(child, State::Completed).await;
    worker.drain().await;

    let (trace, request) = ids(&collected.one("request"));
    let stored = row.traceparent.as_deref().and_then(trace_id);
    assert_eq!(stored, Some(trace.to_string().as_str()));
    let enqueues = collected.named("enqueue step");
    let runs = collected.named("run step");
    assert_eq!(
        (enqueues.len(), runs.len()),
        (2, 2),
        "{enqueues:?} {runs:?}"
    );
    let [outer, inner] = [0, 1].map(|n| ids(&enqueues[n]).1);
    assert_eq!(enqueues[0].parent_span_id, request);
    let (first, second) = match attribute(&runs[0], "job.id") {
        Some(job) if job == id.to_string() => (&runs[0], &runs[1]),
        _ => (&runs[1], &runs[0]),
    };
    assert_eq!(first.parent_span_id, outer);
    assert_eq!(enqueues[1].parent_span_id, ids(first).1);
    assert_eq!(second.parent_span_id, inner);
    for span in enqueues.iter().chain(&runs) {
        assert_eq!(ids(span).0, trace, "{span:?}");
    }
    assert_eq!(enqueues[0].span_kind, SpanKind::Producer);
    assert_eq!(first.span_kind, SpanKind::Consumer);
    for (name, value) in [
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "default"),
        ("messaging.message.id", &id.to_string()),
        ("job.kind", "step"),
        ("job.attempt", "1"),
        ("job.run_no", "1"),
        ("job.outcome", "completed"),
    ] {
        assert_eq!(attribute(first, name).as_deref(), Some(value), "{name}");
    }
    assert!(attribute(first, "worker.id").is_some());
    assert_eq!(first.status, Status::Unset);
}

#[tokio::test]
async fn failed_runs_are_errors_and_retries_and_on_failure_keep_the_trace() {
    let collected = Collected::start();
    let db = Db::new().await;
    let mut bench = Bench::new(async |_, run: std::sync::Arc<millrace_queue::Run>| {
        if run.attempt == 1 {
            return Err("the first time".into());
        }
        Err(Failure::fail("for good").with_code("unwanted"))
    });
    let worker = db.worker(&bench).await;
    let id = request(&db, Step::job(1).on_failure(Mourn::job("it"))).await;
    db.reaches(id, State::Discarded).await;
    bench.next_mourner().await;
    worker.drain().await;

    let (trace, _) = ids(&collected.one("request"));
    let parent = ids(&collected.one("enqueue step")).1;
    let runs = collected.named("run step");
    let said: Vec<_> = runs
        .iter()
        .map(|run| {
            let of = |name| attribute(run, name).unwrap_or_default();
            (run.status.clone(), of("job.outcome"), of("error.type"))
        })
        .collect();
    let expected = [
        ("the first time", "retryable", "retryable"),
        ("for good", "discarded", "unwanted"),
    ]
    .map(|(error, outcome, code)| (Status::error(error), outcome.to_owned(), code.to_owned()));
    assert_eq!(said, expected);
    let mourner = collected.one("run mourn");
    for run in runs.iter().chain([&mourner]) {
        assert_eq!((ids(run).0, run.parent_span_id), (trace, parent));
    }
}

#[tokio::test]
async fn jobs_of_which_only_the_good_are_taken_carry_the_trace_too() {
    let collected = Collected::start();
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let jobs = vec![Step::job(1), Step::job(2).queue("\0"), Step::job(3)];
    let span = tracing::span!(target: TRACE_TARGET, Level::TRACE, "request");
    let answer = enqueue_each(&mut conn, jobs).instrument(span).await;
    let answer = answer.expect("enqueued");
    let (trace, request) = ids(&collected.one("request"));
    let enqueued = collected.one("enqueue step");
    assert_eq!(
        (ids(&enqueued).0, enqueued.parent_span_id),
        (trace, request)
    );
    let placed: Vec<JobId> = answer.rows.iter().flatten().map(|job| job.id).collect();
    assert_eq!(placed.len(), 2);
    for id in placed {
        let stored = db.job(id).await.traceparent;
        let stored = stored.as_deref().and_then(trace_id);
        assert_eq!(stored, Some(trace.to_string().as_str()));
    }
}

#[tokio::test]
async fn what_the_caller_says_is_kept_and_what_nobody_says_begins_a_trace() {
    const SAID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let collected = Collected::start();
    let db = Db::new().await;
    let bench = Bench::new(async |_, _| Ok(Done::Completed));
    let worker = db.worker(&bench).await;
    let said = request(&db, Step::job(1).traceparent(SAID)).await;
    let row = db.reaches(said, State::Completed).await;
    assert_eq!(row.traceparent.as_deref(), Some(SAID));
    let plain: JobId = {
        let sql = "select queue.enqueue('step', '{\"n\": 2}')";
        let id = sqlx::query_scalar(sql).fetch_one(&db.pool).await;
        id.expect("enqueued")
    };
    let row = db.reaches(plain, State::Completed).await;
    assert_eq!(row.traceparent, None);
    worker.drain().await;
    let runs = collected.named("run step");
    let of = |id: JobId| {
        let id = Some(id.to_string());
        let run = runs.iter().find(|run| attribute(run, "job.id") == id);
        run.expect("a run")
    };
    assert_eq!(of(said).parent_span_id.to_string(), "b7ad6b7169203331");
    assert!(of(said).parent_span_is_remote);
    assert_eq!(of(plain).parent_span_id, SpanId::INVALID);
}

#[tokio::test]
async fn a_trace_goes_through_a_worker_that_exports_nothing() {
    const SAID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let db = Db::new().await;
    let pool = db.pool.clone();
    let bench = Bench::new(move |step, _| {
        let pool = pool.clone();
        async move {
            if step.n == 1 {
                let mut conn = pool.acquire().await?;
                drop(
                    enqueue(&mut conn, Step::job(2).group(uuid::Uuid::nil()))
                        .await?
                        .wake,
                );
            }
            Ok(Done::Completed)
        }
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1).traceparent(SAID)).await;
    db.reaches(id, State::Completed).await;
    let child: JobId = sqlx::query_scalar(
        "select id from (select id, group_id from queue.job union all select id, group_id from queue.history) as j
          where group_id = $1",
    )
    .bind(uuid::Uuid::nil())
    .fetch_one(&db.pool)
    .await
    .expect("the child");
    let row = db.reaches(child, State::Completed).await;
    assert_eq!(row.traceparent.as_deref(), Some(SAID));
    worker.drain().await;
}
