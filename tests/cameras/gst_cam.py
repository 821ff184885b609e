#!/usr/bin/python3
"""Stand-ins for IP cameras on gst-rtsp-server, whose RTSP and RTP nobody here wrote.

    gst_cam.py --port 8554 --file /cam=video.mp4+tone.alaw [--file ...] [--copies 100]
    gst_cam.py --port 8554 --stamp /live --gop 250 --stamp-audio tone.m4a

`--file MOUNT=A[+B][,C...]` loops files for ever with continuous timestamps: `+` puts a sound beside a picture,
`,` plays one after the other (a camera that changes its resolution). Sounds are anything GStreamer demuxes, or
raw bytes: .alaw .mulaw .g722 (8000 bytes/s), .l16 (16 kHz mono, big endian).
`--stamp MOUNT` encodes live pictures whose top row of blocks is the wall clock in ms (see stamps.py): latency
can be read from the pixels.
`--tls CERTIFICATE,KEY` speaks RTSPS alone, with what stands in these PEM files (the chain behind the certificate).

Prints `ready PORT` when it listens. All clients of a mount share one medium. Needs the system's python3 with
GObject introspection: python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-{good,bad,ugly}.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from dataclasses import dataclass
from fractions import Fraction

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

from stamps import stamp_bits  # noqa: E402

Gst.init(None)

NONE = Gst.CLOCK_TIME_NONE
# How far ahead of its time a buffer may be handed to the payloader.
STEP = 0.02


@dataclass
class Unit:
    """One access unit or audio packet; times in ns from the start of its file."""

    pts: int
    dts: int
    duration: int
    flags: Gst.BufferFlags
    data: bytes


@dataclass
class Track:
    """What one file says of one elementary stream."""

    caps: str
    payloader: str
    units: list[Unit]

    @property
    def video(self) -> bool:
        return self.caps.startswith(("video/", "image/"))


@dataclass(frozen=True)
class Kind:
    """How a kind of elementary stream is parsed, named to the payloader, and paid."""

    parser: str
    wanted: str
    payloader: str


KINDS = {
    "video/x-h264": Kind(
        "h264parse config-interval=-1",
        "video/x-h264,stream-format=byte-stream,alignment=au",
        "rtph264pay aggregate-mode=zero-latency",
    ),
    "video/x-h265": Kind(
        "h265parse config-interval=-1",
        "video/x-h265,stream-format=byte-stream,alignment=au",
        "rtph265pay",
    ),
    "image/jpeg": Kind("jpegparse", "", "rtpjpegpay"),
    "audio/mpeg": Kind("aacparse", "audio/mpeg,stream-format=raw", "rtpmp4gpay"),
    "audio/x-opus": Kind("opusparse", "", "rtpopuspay"),
}

# Raw sounds by file name: caps, payloader, bytes in 20 ms.
RAW = {
    ".alaw": ("audio/x-alaw,rate=8000,channels=1", "rtppcmapay", 160),
    ".mulaw": ("audio/x-mulaw,rate=8000,channels=1", "rtppcmupay", 160),
    ".g722": ("audio/G722,rate=16000,channels=1", "rtpg722pay", 160),
    ".l16": ("audio/x-raw,format=S16BE,layout=interleaved,rate=16000,channels=1", "rtpL16pay", 640),
}
RAW_STEP = 20 * Gst.MSECOND


def load_raw(path: str) -> list[Track]:
    caps, payloader, size = RAW[os.path.splitext(path)[1]]
    data = open(path, "rb").read()
    units = [
        Unit(n * RAW_STEP, n * RAW_STEP, RAW_STEP, Gst.BufferFlags(0), data[at : at + size])
        for n, at in enumerate(range(0, len(data) - size + 1, size))
    ]
    return [Track(caps, payloader, units)]


def load_media(path: str) -> list[Track]:
    """Demuxes a file into memory."""
    pipeline = Gst.parse_launch(f'filesrc location="{path}" ! parsebin name=parse')
    found: list[tuple[Track, list]] = []

    def pad_added(_, pad):
        caps = pad.get_current_caps() or pad.query_caps(None)
        name = caps.get_structure(0).get_name()
        kind = KINDS.get(name)
        if kind is None:
            sys.exit(f"{path}: no payloader is known for {name}")
        track = Track(name, kind.payloader, [])
        found.append(track)
        wanted = f"! {kind.wanted} " if kind.wanted else ""
        sink = Gst.parse_bin_from_description(
            "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 "
            f"! {kind.parser} {wanted}! appsink name=sink sync=false emit-signals=true",
            True,
        )

        def new_sample(appsink):
            sample = appsink.emit("pull-sample")
            buffer = sample.get_buffer()
            track.caps = describe(sample.get_caps())
            dts = buffer.dts if buffer.dts != NONE else buffer.pts
            data = buffer.extract_dup(0, buffer.get_size())
            track.units.append(Unit(buffer.pts, dts, buffer.duration, buffer.get_flags(), data))
            return Gst.FlowReturn.OK

        sink.get_by_name("sink").connect("new-sample", new_sample)
        pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    pipeline.get_by_name("parse").connect("pad-added", pad_added)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR
    )
    if message is None or message.type == Gst.MessageType.ERROR:
        sys.exit(f"{path}: {message.parse_error() if message else 'GStreamer did not finish'}")
    pipeline.set_state(Gst.State.NULL)
    return found


def describe(caps: Gst.Caps) -> str:
    """The caps as text, without the picture's size where parameter sets travel in the stream: a camera may
    change it while it runs."""
    if caps.get_structure(0).get_name() in ("video/x-h264", "video/x-h265"):
        return KINDS[caps.get_structure(0).get_name()].wanted
    return caps.to_string()


def load(path: str) -> list[Track]:
    raw = os.path.splitext(path)[1] in RAW
    tracks = load_raw(path) if raw else load_media(path)
    for track in tracks:
        first = min(unit.pts for unit in track.units)
        for unit in track.units:
            unit.pts, unit.dts = unit.pts - first, unit.dts - first
    return tracks


@dataclass
class Part:
    """Tracks that play at the same time, and how long until they start again, in ns."""

    tracks: list[Track]
    length: int


def load_part(files: str) -> Part:
    tracks = [track for path in files.split("+") for track in load(path)]
    tracks.sort(key=lambda track: not track.video)
    lead = tracks[0]
    length = max(u.pts for u in lead.units) + max(u.duration for u in lead.units if u.duration != NONE)
    for track in tracks:
        # What an encoder appended for its own delay would overlap the next round.
        track.units = [unit for unit in track.units if unit.pts < length - Gst.MSECOND]
    return Part(tracks, length)


class Feeder(threading.Thread):
    """Pushes units into a medium's appsrcs at their time, until the medium goes."""

    def __init__(self, element: Gst.Element, parts: list[Part], hush: tuple[float, float] = (0, 0)):
        super().__init__(daemon=True)
        self.element, self.parts, self.stopped = element, parts, threading.Event()
        self.hush = [second * Gst.SECOND for second in hush]
        self.sources = []
        for i, track in enumerate(parts[0].tracks):
            source = element.get_by_name_recurse_up(f"src{i}")
            source.set_property("caps", Gst.Caps.from_string(track.caps))
            source.set_property("max-bytes", 0)
            self.sources.append(source)

    def run(self) -> None:
        start = self.running_time()
        if start is None:
            return
        self.hush = [start + at for at in self.hush]
        while not self.stopped.is_set():
            for part in self.parts:
                start = self.play(part, start)
                if start is None:
                    return

    def play(self, part: Part, start: int) -> int | None:
        """Plays one round; returns when the next one starts, or None at the end."""
        units = [(u.dts, i, u) for i, t in enumerate(part.tracks) for u in t.units]
        units.sort(key=lambda entry: entry[:2])
        for dts, i, unit in units:
            now = self.running_time()
            if now is None:
                return None
            if not part.tracks[i].video and self.hush[0] <= start + dts < self.hush[1]:
                continue
            wait = start + dts - now
            if wait > 0:
                time.sleep(wait / Gst.SECOND)
            buffer = Gst.Buffer.new_wrapped(unit.data)
            buffer.pts, buffer.dts = start + unit.pts, max(0, start + dts)
            buffer.duration = unit.duration
            buffer.set_flags(unit.flags)
            if self.sources[i].emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return None
        return start + part.length

    def running_time(self) -> int | None:
        """The medium's running time; waits for its clock while it is being prepared."""
        while not self.stopped.is_set():
            clock = self.element.get_clock()
            if clock is not None:
                return clock.get_time() - self.element.get_base_time()
            self.stopped.wait(STEP)
        return None


class FileFactory(GstRtspServer.RTSPMediaFactory):
    """A camera that plays files."""

    def __init__(self, parts: list[Part], hush: tuple[float, float]):
        super().__init__()
        self.parts, self.hush = parts, hush
        self.set_shared(True)
        self.set_launch(
            "( "
            + " ".join(
                f"appsrc name=src{i} is-live=true format=time ! {t.payloader} name=pay{i} pt={96 + i}"
                for i, t in enumerate(parts[0].tracks)
            )
            + " )"
        )

    def do_configure(self, media):
        feeder = Feeder(media.get_element(), self.parts, self.hush)
        media.connect("unprepared", lambda _: feeder.stopped.set())
        feeder.start()


class StampFactory(GstRtspServer.RTSPMediaFactory):
    """A camera that films the clock, encoding as it goes."""

    def __init__(self, args):
        super().__init__()
        self.args = args
        self.sound = [load_part(args.stamp_audio)] if args.stamp_audio else []
        self.width, self.height = map(int, args.size.split("x"))
        self.set_shared(True)
        # threads=1: frame threads would hold 75 ms of pictures back.
        self.set_launch(
            f"( appsrc name=film is-live=true format=time do-timestamp=true "
            f"caps=video/x-raw,format=I420,width={self.width},height={self.height},framerate={args.fps.numerator}/{args.fps.denominator} "
            f"! queue ! x264enc tune=zerolatency speed-preset=ultrafast threads=1 sliced-threads=false "
            f"bitrate={args.kbps} key-int-max={args.gop} ! video/x-h264,profile=baseline "
            "! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 aggregate-mode=zero-latency "
            + "".join(
                f"appsrc name=src0 is-live=true format=time ! {part.tracks[0].payloader} name=pay1 pt=97 "
                for part in self.sound
            )
            + ")"
        )

    def do_configure(self, media):
        if self.sound:
            feeder = Feeder(media.get_element(), self.sound)
            media.connect("unprepared", lambda _: feeder.stopped.set())
            feeder.start()
        source = media.get_element().get_by_name_recurse_up("film")
        stopped = threading.Event()
        media.connect("unprepared", lambda _: stopped.set())
        threading.Thread(target=self.film, args=(source, stopped), daemon=True).start()

    def film(self, source: Gst.Element, stopped: threading.Event) -> None:
        width, height, block = self.width, self.height, 24 * self.width // 1280
        luma = bytes(x * 7 & 0x7F | 0x30 for x in range(width)) * height
        picture = luma + b"\x80" * (width * height // 2)
        square, side = bytes([220]) * 64, 64
        due, n = time.monotonic(), 0
        while not stopped.is_set():
            frame = bytearray(picture)
            bits = stamp_bits(time.time_ns() // 1_000_000)
            row = b"".join(bytes([bit]) * block for bit in bits)
            for y in range(block):
                frame[y * width : y * width + len(row)] = row
            left = n * 6 % (width - side)
            for y in range(height // 2, height // 2 + side):
                frame[y * width + left : y * width + left + side] = square
            if source.emit("push-buffer", Gst.Buffer.new_wrapped(bytes(frame))) != Gst.FlowReturn.OK:
                return
            n, due = n + 1, due + float(1 / self.args.fps)
            stopped.wait(max(0.0, due - time.monotonic()))


class Server:
    """The RTSP server with its mounts."""

    TRANSPORTS = {
        "tcp": GstRtsp.RTSPLowerTrans.TCP,
        "udp": GstRtsp.RTSPLowerTrans.UDP,
        "both": GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP,
    }

    def __init__(self, args):
        self.args = args
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(args.port))
        self.mounts = self.server.get_mount_points()
        if args.auth or args.tls:
            self.server.set_auth(self.auth())

    def auth(self) -> GstRtspServer.RTSPAuth:
        """Who may come in, and by which door."""
        auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        if self.args.tls:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(*self.args.tls.split(",")))
        if not self.args.auth:
            auth.set_default_token(token)
            return auth
        user, password = self.args.auth.split(":", 1)
        if self.args.scheme == "digest":
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        return auth

    def mount(self, path: str, factory: GstRtspServer.RTSPMediaFactory) -> None:
        factory.set_protocols(self.TRANSPORTS[self.args.proto])
        if self.args.auth or self.args.tls:
            role = Gst.Structure.new_from_string(
                "user,media.factory.access=(boolean)true,media.factory.construct=(boolean)true"
            )
            factory.add_role_from_structure(role[0] if isinstance(role, tuple) else role)
        self.mounts.add_factory(path, factory)

    def run(self) -> None:
        if self.server.attach(None) == 0:
            sys.exit(f"port {self.args.port} can't be listened on")
        print(f"ready {self.server.get_bound_port()}", flush=True)
        GLib.MainLoop().run()


def seconds(text: str) -> tuple[float, float]:
    begin, end = text.split(":")
    return float(begin), float(end)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--file", action="append", default=[], metavar="MOUNT=FILES")
    add("--copies", type=int, default=1, help="serve each --file as MOUNT0, MOUNT1, ...")
    add("--hush", type=seconds, default=(0, 0), metavar="FROM:TO", help="when --file has no sound, in s from its start")
    add("--stamp", action="append", default=[], metavar="MOUNT")
    add("--stamp-audio", metavar="FILE", help="a sound to loop beside --stamp")
    add("--auth", metavar="USER:PASSWORD")
    add("--scheme", choices=["digest", "basic"], default="digest")
    add("--tls", metavar="CERTIFICATE,KEY")
    add("--proto", choices=["tcp", "udp", "both"], default="both")
    add("--size", default="1280x720")
    add("--fps", type=Fraction, default=Fraction(25), help="of --stamp; 1/5 is a picture every five seconds")
    add("--kbps", type=int, default=2000)
    add("--gop", type=int, default=50, help="pictures from key frame to key frame of --stamp")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    server = Server(args)
    for spec in args.file:
        mount, files = spec.split("=", 1)
        parts = [load_part(part) for part in files.split(",")]
        for i in range(args.copies):
            server.mount(mount if args.copies == 1 else f"{mount}{i}", FileFactory(parts, args.hush))
    for mount in args.stamp:
        server.mount(mount, StampFactory(args))
    server.run()


if __name__ == "__main__":
    main()
