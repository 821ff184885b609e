//! Whether a camera sends B-frames, which WebRTC can't carry.

use std::sync::Arc;
use std::time::Duration;

use hub::{Channel, Event};
use media::{Format, Kind};
use tokio::time::timeout;

/// How long, and at how many pictures, it is looked for B-frames where the parameters allow them.
const REORDER: Duration = Duration::from_millis(600);
const REORDER_PICTURES: usize = 12;

/// Whether pictures of `format` come in another order than they are shown in, as far as can be told soon.
pub(crate) async fn reorders(channel: &Channel, format: &Arc<Format>) -> bool {
    let mut frames = channel.frames();
    let look = async {
        let (mut latest, mut pictures) = (i64::MIN, 0);
        while pictures < REORDER_PICTURES {
            match frames.next().await {
                Event::Item(frame) if frame.kind() == Kind::Video && frame.format == *format => {
                    if frame.pts < latest {
                        return true;
                    }
                    latest = frame.pts;
                    pictures += 1;
                }
                Event::Closed => return false,
                _ => {}
            }
        }
        false
    };
    timeout(REORDER, look).await.unwrap_or(false)
}
