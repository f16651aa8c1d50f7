//! The trace that a job belongs to: from whoever enqueues it, by way of its row, to its runs and to what they enqueue.
//!
//! Spans have a target and a level that subscribers take only when they are told to, so what nobody exports costs a
//! comparison. They are linked by the OpenTelemetry API alone (feature `opentelemetry`), whose current context every
//! bridge and SDK keeps; without the feature, rows carry what callers give, and spans stand by themselves.

use std::future::Future;

use tracing::{Instrument as _, Span, field::Empty};
use uuid::Uuid;

use crate::{NewJob, Run};

/// The target of the spans made for traces; their level is TRACE. Others use it for the same purpose, so one filter
/// directive, `otel::tracing=trace`, takes them all.
pub const TRACE_TARGET: &str = "otel::tracing";

/// The store, by the word of the semantic conventions.
const SYSTEM: &str = "postgresql";

/// The span of an insert of `jobs`.
pub(crate) fn enqueueing(jobs: &[NewJob]) -> Span {
    let Some(first) = jobs.first() else {
        return Span::none();
    };
    let single = jobs.len() == 1;
    let alike = jobs.iter().all(|job| job.kind == first.kind);
    tracing::trace_span!(
        target: TRACE_TARGET,
        "enqueue",
        otel.name = if alike { format!("enqueue {}", first.kind) } else { "enqueue".to_owned() },
        otel.kind = "producer",
        otel.status_description = Empty,
        messaging.system = SYSTEM,
        "messaging.operation.type" = "send",
        messaging.operation.name = "enqueue",
        messaging.destination.name = first.queue,
        messaging.message.id = single.then(|| tracing::field::display(first.id)),
        messaging.batch.message_count = (!single).then_some(jobs.len() as i64),
        job.kind = alike.then_some(&*first.kind),
    )
}

/// The span of a run, a child of whatever enqueued the job.
pub(crate) fn running(run: &Run, worker: Uuid) -> Span {
    #[cfg(feature = "opentelemetry")]
    let _parent = context::of(run).map(opentelemetry::Context::attach);
    tracing::trace_span!(
        target: TRACE_TARGET,
        "run",
        otel.name = format!("run {}", run.kind),
        otel.kind = "consumer",
        otel.status_description = Empty,
        messaging.system = SYSTEM,
        "messaging.operation.type" = "process",
        messaging.operation.name = "run",
        messaging.destination.name = run.queue,
        messaging.message.id = %run.id,
        messaging.client.id = %worker,
        job.id = %run.id,
        job.kind = run.kind,
        job.queue = run.queue,
        job.attempt = i64::from(run.attempt),
        job.run_no = run.run_no,
        job.outcome = Empty,
        worker.id = %worker,
        error.r#type = Empty,
    )
}

/// Notes how a run ended: its outcome, and for one that failed a word and a sentence.
pub(crate) fn ended(span: &Span, outcome: &str, failure: Option<(&str, &str)>) {
    span.record("job.outcome", outcome);
    if let Some((code, error)) = failure {
        span.record("error.type", code);
        failed(span, error);
    }
}

/// Marks the span as an error.
pub(crate) fn failed(span: &Span, error: &str) {
    span.record("otel.status_description", error);
}

/// `work` within `span` and within the trace of its job, be it that this process exports no spans.
pub(crate) fn within<F: Future>(
    run: &Run,
    span: Span,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    let work = work.instrument(span);
    #[cfg(feature = "opentelemetry")]
    return context::within(run, work);
    #[cfg(not(feature = "opentelemetry"))]
    {
        let _ = run;
        work
    }
}

/// Gives `jobs` the current trace, and what is inserted should they fail, unless the caller has said otherwise.
pub(crate) fn stamp(jobs: &mut [NewJob]) {
    #[cfg(feature = "opentelemetry")]
    if let Some(current) = context::current() {
        for job in jobs {
            mark(job, &current);
        }
    }
    #[cfg(not(feature = "opentelemetry"))]
    let _ = jobs;
}

#[cfg(feature = "opentelemetry")]
fn mark(job: &mut NewJob, current: &str) {
    let own = job.traceparent.get_or_insert_with(|| current.to_owned());
    if let Some(then) = &mut job.on_failure {
        mark(then, own);
    }
}

/// The id under which collectors and logs know the trace of a run.
pub(crate) fn id_of(run: &Run, span: &Span) -> Option<String> {
    let given = run.traceparent.as_deref().and_then(trace_id);
    #[cfg(feature = "opentelemetry")]
    if given.is_none() && !span.is_disabled() {
        return context::id_within(span);
    }
    #[cfg(not(feature = "opentelemetry"))]
    let _ = span;
    given.map(str::to_owned)
}

/// The trace id in a W3C `traceparent`.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, id, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let right = (version.len(), id.len(), parent.len()) == (2, 32, 16)
        && [version, id, parent].into_iter().all(hex)
        && id.bytes().any(|c| c != b'0');
    right.then_some(id)
}

/// W3C trace context in a column of text, by the OpenTelemetry API. Its SDK, which has a propagator too, is for
/// applications and not for libraries.
#[cfg(feature = "opentelemetry")]
mod context {
    use std::future::Future;

    use futures::future::Either;
    use opentelemetry::{
        Context,
        context::FutureExt as _,
        trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
    };
    use tracing::Span;

    use crate::Run;

    /// The current span as a `traceparent`; nothing outside of any.
    pub(super) fn current() -> Option<String> {
        Context::map_current(|cx| {
            let span = cx.span();
            let span = span.span_context();
            span.is_valid().then(|| {
                let flags = span.trace_flags() & TraceFlags::SAMPLED;
                format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
            })
        })
    }

    /// Where the job of `run` was enqueued.
    pub(super) fn of(run: &Run) -> Option<Context> {
        let parent = parse(run.traceparent.as_deref()?)?;
        Some(Context::new().with_remote_span_context(parent))
    }

    pub(super) fn within<F: Future>(
        run: &Run,
        work: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        match of(run) {
            Some(parent) => Either::Left(work.with_context(parent)),
            None => Either::Right(work),
        }
    }

    pub(super) fn id_within(span: &Span) -> Option<String> {
        let id = span.in_scope(|| Context::map_current(|cx| cx.span().span_context().trace_id()));
        (id != TraceId::INVALID).then(|| id.to_string())
    }

    fn parse(traceparent: &str) -> Option<SpanContext> {
        let id = TraceId::from_hex(super::trace_id(traceparent)?).ok()?;
        let mut rest = traceparent.split('-').skip(2);
        let parent = SpanId::from_hex(rest.next()?).ok()?;
        let flags = u8::from_str_radix(rest.next()?.get(..2)?, 16).ok()?;
        let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
        let context = SpanContext::new(id, parent, flags, true, TraceState::default());
        context.is_valid().then_some(context)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_traceparent_is_read_as_it_was_written() {
            let written = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            let read = parse(written).expect("a context");
            assert!(read.is_remote() && read.is_sampled());
            let _within = Context::new().with_remote_span_context(read).attach();
            assert_eq!(current().as_deref(), Some(written));
        }

        #[test]
        fn what_is_no_traceparent_is_no_parent() {
            for text in [
                "",
                "00",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
                "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-é",
            ] {
                assert!(parse(text).is_none(), "{text}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::prelude::*;

    use super::*;
    use crate::Kind;

    #[derive(Serialize, Deserialize)]
    struct Noop {}

    impl Kind for Noop {
        const KIND: &'static str = "noop";
        const QUEUE: &'static str = "default";
    }

    #[test]
    fn a_subscriber_that_does_not_ask_for_traces_gets_no_spans() {
        let enqueue = || enqueueing(&[NewJob::new(&Noop {})]);
        for (level, disabled) in [(LevelFilter::DEBUG, true), (LevelFilter::TRACE, false)] {
            let subscriber = tracing_subscriber::registry().with(level);
            let span = tracing::subscriber::with_default(subscriber, enqueue);
            assert_eq!(span.is_disabled(), disabled, "{level}");
        }
    }

    #[test]
    fn a_trace_id_is_read_from_what_is_a_traceparent() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let found = trace_id("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(found, Some(id));
        for text in ["", id, "00-0af7651916cd43dd-b7ad6b7169203331-01"] {
            assert_eq!(trace_id(text), None, "{text}");
        }
    }
}
