//! A built-in RTSP camera that loops a short clip.
