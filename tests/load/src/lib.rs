//! What the load tools share.
//!
//! [`ws::Client`] is a WebSocket client that looks at frame headers and throws payloads away, so that one core
//! can stand for a thousand viewers; [`whep`] is a WebRTC peer that costs as little; [`rtsp`] and [`http`] with [`m3u8`] do as much for players of RTSP and LL-HLS; [`mp4`] reads just enough of fragmented MP4 to tell a key frame;
//! [`crowd::Crowd`] is the frame of a tool: many begin, and all of them are measured for a while;
//! [`process::Usage`] reads a process's CPU time and memory; [`record`] is when a server wrote how much.
//!
//! Nothing here is used by the product.

pub mod crowd;
pub mod http;
pub mod m3u8;
pub mod mp4;
pub mod process;
pub mod record;
pub mod rtsp;
pub mod stats;
pub mod whep;
pub mod ws;
