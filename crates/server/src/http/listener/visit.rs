//! HTTP on one connection.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http;
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::guest::{Answering, Guest, HURRY, Patience, Verdict};
use super::room::Counts;
use super::stream::Connection;
use super::{App, Peer};
use crate::http::body;

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// How many requests of one HTTP/2 connection are answered at the same time.
const MAX_STREAMS: u32 = 128;

/// What one connection asks for.
#[derive(Debug)]
pub(super) struct Visit<A> {
    pub(super) app: A,
    pub(super) peer: Peer,
    pub(super) guest: Arc<Guest>,
}

impl<A: App> Visit<A> {
    /// Answers what is asked for over `connection`, until it ends, makes no use of it any more, or `stop` lets it end.
    pub(super) async fn serve(
        self,
        connection: Connection,
        counts: &Counts,
        stop: &CancellationToken,
    ) {
        let (guest, mut patience) = (Arc::clone(&self.guest), Patience::default());
        let builder = builder();
        let served = builder.serve_connection_with_upgrades(TokioIo::new(connection), self);
        let mut served = pin!(served);
        let mut look = pin!(tokio::time::sleep(HURRY));
        let mut ends = false;
        loop {
            tokio::select! {
                served = &mut served => {
                    if let Err(error) = served {
                        tracing::debug!(error, "a connection ended early");
                    }
                    return;
                }
                () = stop.cancelled(), if !ends => {
                    ends = true;
                    served.as_mut().graceful_shutdown();
                }
                () = &mut look => {
                    let after = match patience.look(&guest) {
                        Verdict::Stays(after) => after,
                        Verdict::ShouldLeave(after) => {
                            counts.idle.fetch_add(1, Ordering::Relaxed);
                            served.as_mut().graceful_shutdown();
                            after
                        }
                        Verdict::Over => return,
                    };
                    look.as_mut().reset(Instant::now() + after);
                }
            }
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HURRY)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(HURRY);
    builder
}

impl<A: App> Service<Request<Incoming>> for Visit<A> {
    type Response = http::Response<Followed>;
    type Error = Infallible;
    type Future = Answer<A::Answer>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answering = Answering::begin(&self.guest);
        let answer = self.app.answer(self.peer, body::bounded(request));
        Answer {
            answer,
            answering: Some(answering),
        }
    }
}

/// As hyper wants answers.
pub(super) struct Answer<F> {
    answer: F,
    /// Until it is there.
    answering: Option<Answering>,
}

impl<F: Future<Output = Response> + Unpin> Future for Answer<F> {
    type Output = Result<http::Response<Followed>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.answer).poll(cx));
        let mut answering = self.answering.take().expect("nobody polls what is ready");
        answering.waits_for_us(false);
        Poll::Ready(Ok(response.map(|body| Followed { body, answering })))
    }
}

/// A body of which it is known who waits for whom.
pub(super) struct Followed {
    body: Body,
    answering: Answering,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.answering.waits_for_us(polled.is_pending());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
