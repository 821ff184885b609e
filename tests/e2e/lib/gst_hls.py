#!/usr/bin/python3
"""Plays a URL with GStreamer's playbin3 until so many pictures and units of sound came out: gst_hls.py URL PICTURES"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402


def main() -> None:
    url, wanted = sys.argv[1], int(sys.argv[2])
    Gst.init(None)
    player = Gst.ElementFactory.make("playbin3")
    counts = {"video-sink": 0, "audio-sink": 0}
    for name in counts:
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.set_property("sync", True)

        def handoff(_sink, _buffer, _pad, name=name) -> None:
            counts[name] += 1

        sink.connect("handoff", handoff)
        player.set_property(name, sink)
    player.set_property("uri", url)
    player.set_state(Gst.State.PLAYING)
    bus = player.get_bus()
    end = Gst.util_get_timestamp() + 40 * Gst.SECOND
    while counts["video-sink"] < wanted and Gst.util_get_timestamp() < end:
        message = bus.timed_pop_filtered(Gst.SECOND // 5, Gst.MessageType.ERROR | Gst.MessageType.EOS)
        if message:
            leave(f"{message.type}: {message.parse_error() if message.type == Gst.MessageType.ERROR else ''}")
    print(counts["video-sink"], counts["audio-sink"])
    leave("too little came out" if counts["video-sink"] < wanted or counts["audio-sink"] == 0 else None)


def leave(complaint: str | None) -> NoReturn:
    """Ends the process as it stands: GStreamer 1.22 may abort where it stops while it waits for a playlist."""
    if complaint:
        print(complaint, file=sys.stderr)
    sys.stdout.flush()
    os._exit(1 if complaint else 0)


if __name__ == "__main__":
    main()
