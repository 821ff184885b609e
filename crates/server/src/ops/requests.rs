use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Requests that were answered, by class and status. There are a dozen classes, and the statuses that we answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests(pub(super) Family<Labels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Labels {
    route: &'static str,
    status: u16,
}

impl Requests {
    /// One more, to a route of this class.
    pub(super) fn count(&self, route: &'static str, status: StatusCode) {
        let status = status.as_u16();
        self.0.get_or_create(&Labels { route, status }).inc();
    }
}

/// What a route is about. What clients write into a path never becomes a label.
pub(super) fn class(path: Option<&str>) -> &'static str {
    let Some(path) = path else {
        return "page";
    };
    let mut parts = path.split('/').skip(1);
    match parts.next() {
        Some("stream") => parts
            .find_map(|part| {
                [
                    "mse",
                    "hls",
                    "hlsll",
                    "state",
                    "whep",
                    "webrtc",
                    "snapshot.jpg",
                ]
                .into_iter()
                .find(|name| *name == part)
            })
            .unwrap_or("stream"),
        Some("api") => "api",
        Some("healthz" | "readyz" | "metrics") => "ops",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_classed_by_what_it_is_and_never_by_its_ids() {
        for (path, expected) in [
            (Some("/stream/{stream}/mse"), "mse"),
            (
                Some("/stream/{stream}/channel/{channel}/hlsll/live/media.m3u8"),
                "hlsll",
            ),
            (
                Some("/stream/{stream}/channel/{channel}/hls/live/{token}/{file}"),
                "hls",
            ),
            (Some("/stream/{stream}/whep/{id}"), "whep"),
            (Some("/stream/{stream}/later"), "stream"),
            (Some("/api/v1/streams"), "api"),
            (Some("/metrics"), "ops"),
            (Some("/add"), "other"),
            (None, "page"),
        ] {
            assert_eq!(class(path), expected, "{path:?}");
        }
    }
}
