//! Bounds of what clients send: how much, and for how long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http_body_util::Limited;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// The largest body of a request, in bytes; a route may want less.
const MAX_BODY: usize = 4 << 20;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// `request`, whose body ends with an error when it is too large or too slow.
pub(super) fn bounded<B>(request: Request<B>) -> Request
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    request.map(|body| {
        if body.is_end_stream() {
            return Body::empty();
        }
        Body::new(Hurried {
            body: Body::new(Limited::new(body, MAX_BODY)),
            deadline: Box::pin(sleep(BODY_TIMEOUT)),
        })
    })
}

/// A body that has a deadline.
struct Hurried {
    body: Body,
    deadline: Pin<Box<Sleep>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the body took too long to arrive")]
struct TooSlow;

impl HttpBody for Hurried {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures_util::stream;

    use super::*;

    async fn received(body: Body) -> Result<usize, axum::Error> {
        let request: Request = bounded(Request::new(body));
        to_bytes(request.into_body(), usize::MAX)
            .await
            .map(|bytes| bytes.len())
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_an_error() {
        assert_eq!(
            received(Body::from(vec![0; MAX_BODY])).await.unwrap(),
            MAX_BODY
        );
        assert!(received(Body::from(vec![0; MAX_BODY + 1])).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_an_error() {
        let drip = stream::unfold((), |()| async {
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, axum::Error>(Bytes::from_static(b".")), ()))
        });
        assert!(received(Body::from_stream(drip)).await.is_err());
    }
}
