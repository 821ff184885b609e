//! fMP4 over WebSocket for Media Source Extensions.

mod ws;
