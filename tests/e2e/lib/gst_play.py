#!/usr/bin/python3
"""Plays an RTSP URL with GStreamer until so many pictures are decoded: gst_play.py URL tcp|udp PICTURES"""

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402


def main() -> None:
    url, transport, pictures = sys.argv[1:]
    Gst.init(None)
    pipeline = Gst.parse_launch(
        f"rtspsrc location={url} protocols={transport} ! rtph264depay ! h264parse ! avdec_h264 "
        f"! fakesink sync=false num-buffers={pictures}"
    )
    pipeline.set_state(Gst.State.PLAYING)
    kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(30 * Gst.SECOND, kinds)
    pipeline.set_state(Gst.State.NULL)
    if message is None or message.type == Gst.MessageType.ERROR:
        sys.exit(f"{transport}: {message.parse_error() if message else 'no end within 30 s'}")


if __name__ == "__main__":
    main()
