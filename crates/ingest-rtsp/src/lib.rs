//! An RTSP camera as a Source.
