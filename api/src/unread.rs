//! Bodies that were answered before they were read: a refusal needs only the headers. Left alone, the connection would
//! be closed with bytes under way, and the client would see it break instead of the answer. So what is left of a body
//! is read and thrown away, up to a bound.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use futures::StreamExt as _;
use hyper::body::{Frame, SizeHint};

/// What is read of it at most: as much as the largest body that any route takes. Who sends more is cut off.
const MOST: usize = 2 * 1024 * 1024;
/// How long it may take.
const WITHIN: Duration = Duration::from_secs(5);

/// A middleware: it must be the outermost one, since every other may answer early.
pub(crate) async fn read_rest(request: Request, next: Next) -> Response {
    next.run(request.map(|body| Body::new(Unread(Some(body)))))
        .await
}

/// A body whose rest is read when nobody wants it any more.
struct Unread(Option<Body>);

impl HttpBody for Unread {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // Bounded in bytes and time, so it needs no owner. Outside a runtime nobody is connected.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(WITHIN, throw_away(body)));
        }
    }
}

async fn throw_away(body: Body) {
    let mut left = MOST;
    let mut data = body.into_data_stream();
    while let Some(Ok(bytes)) = data.next().await {
        match left.checked_sub(bytes.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
