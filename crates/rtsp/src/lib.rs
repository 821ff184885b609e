//! RTSP messages, interleaved framing and session descriptions, in and out of bytes.
