use std::time::Duration;

use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Version};
use axum::response::Response;
use tokio_util::sync::CancellationToken;

/// Whether new viewers should come here. Clones are handles to the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(CancellationToken);

impl Readiness {
    /// Why no new viewers should come; none while they should.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        self.0
            .is_cancelled()
            .then_some("the server is stopping: it serves those who are here until it ends")
    }

    /// Says for `time` that no new viewers should come, so that whoever spreads them takes them elsewhere.
    pub(crate) async fn drain(&self, time: Duration) {
        self.0.cancel();
        tokio::time::sleep(time).await;
    }

    /// While the server drains, makes the client open another connection for its next request, which may lead elsewhere.
    pub(super) fn let_go(&self, response: &mut Response) {
        if self.refusal().is_some() && !response.headers().contains_key(CONNECTION) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
    }
}

/// HTTP/2 has no such header; its connections end with the drain.
pub(super) fn can_close(version: Version) -> bool {
    version <= Version::HTTP_11
}
