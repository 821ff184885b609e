//! What fuzz targets and benchmarks drive. No promise is made of it.

use std::fmt;

use bytes::BytesMut;
use hub::Channel;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::message::Heard;
use crate::remux::Remuxer;
use crate::session::Session;
use crate::stage::{PROTOCOL, Stages};
use crate::viewer::{Feed, Viewer};
use crate::ws::Decoder;

/// Reads `data` as a client's frames, whole and as if they came in two pieces.
pub fn client_frames(data: &[u8]) {
    for cut in [data.len(), data.len() / 2] {
        let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::new());
        for piece in [&data[..cut], &data[cut..]] {
            buffer.extend_from_slice(piece);
            while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
        }
    }
}

/// Reads `data` as the text of a client.
pub fn hello(data: &[u8]) {
    let _ = serde_json::from_slice::<Heard>(data);
}

/// Viewers without HTTP.
#[derive(Debug, Default)]
pub struct Gallery(Stages);

impl Gallery {
    /// Serves a viewer with RTSPtoWeb's framing on `io`, which needs no hello, until it ends.
    pub fn view<S>(&self, channel: &Channel, io: S) -> impl Future<Output = ()> + use<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
    {
        let feed = Feed {
            watching: channel.watch(PROTOCOL),
            stage: self.0.join(channel, Remuxer::default),
            state: channel.state(),
            stop: CancellationToken::new(),
        };
        let viewer = Viewer::new(io, Session::legacy(), feed);
        async move {
            viewer.run().await;
        }
    }
}
