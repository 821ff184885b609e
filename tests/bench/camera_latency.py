#!/usr/bin/python3
"""How far behind the wall clock the pictures of a `--stamp` camera are for a plain RTSP client: the camera's own
share of any latency, decoding included.

    camera_latency.py rtsp://127.0.0.1:8554/live SECONDS        prints the latency of each picture in ms
"""

import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

BITS, DRAWN_WIDTH, BLOCK = 40, 1280, 24


def stamp(luma: bytes, width: int) -> int | None:
    """The value in the row of blocks, or None where its sum is wrong (see ../cameras/stamps.py)."""
    stride, scale = (width + 3) // 4 * 4, width / DRAWN_WIDTH
    row = int(BLOCK / 2 * scale) * stride
    word = 0
    for i in range(BITS):
        word = word << 1 | (luma[row + int((i + 0.5) * BLOCK * scale)] > 128)
    value = word >> 8
    total = sum(value >> shift for shift in (0, 8, 16, 24)) + 90
    return value if total & 0xFF == word & 0xFF else None


def main() -> None:
    url, seconds = sys.argv[1], float(sys.argv[2])
    Gst.init(None)
    pipeline = Gst.parse_launch(
        f"rtspsrc location={url} protocols=tcp latency=0 ! rtph264depay ! h264parse ! avdec_h264 max-threads=1 "
        "! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=sink sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    sink, end = pipeline.get_by_name("sink"), time.monotonic() + seconds
    while time.monotonic() < end:
        sample = sink.emit("try-pull-sample", Gst.SECOND)
        if sample is None:
            continue
        now, buffer = time.time_ns() // 1_000_000, sample.get_buffer()
        width = sample.get_caps().get_structure(0).get_int("width")[1]
        value = stamp(buffer.extract_dup(0, buffer.get_size()), width)
        if value is not None:
            print((now - value) & 0xFFFFFFFF)
    pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
