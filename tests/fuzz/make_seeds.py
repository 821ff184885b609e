#!/usr/bin/python3
"""Makes seeds/TARGET/: a few small inputs that each fuzz target understands, so that it begins behind the parsers.

    make_seeds.py        needs what tests/install.sh installs

What is media comes from GStreamer, what is RTSP from a session with gst_cam.py. The
bodies of the targets (`fuzz.rs` and `internals.rs` in the crates) say how their bytes are read.
"""

import os
import re
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

Gst.init(None)

HERE = Path(__file__).parent
DATA = HERE / "../../crates/media/tests/data"
CAMERA = HERE / "../cameras/gst_cam.py"
CLIPS = HERE / "../.work/clips"
# libFuzzer makes nothing longer than its longest seed.
MOST = 4096


def save(target: str, name: str, data: bytes) -> None:
    folder = HERE / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data[:MOST])


def sent(source: str, payloader: str) -> list[bytes]:
    """RTP packets of at most 250 bytes as GStreamer sends them."""
    with tempfile.NamedTemporaryFile() as file:
        pipeline = Gst.parse_launch(f"{source} ! {payloader} mtu=250 ! rtpstreampay ! filesink location={file.name}")
        pipeline.set_state(Gst.State.PLAYING)
        pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        pipeline.set_state(Gst.State.NULL)
        data, found = file.read(), []
    while data:
        (length,) = struct.unpack_from(">H", data)
        found.append(data[2 : 2 + length])
        data = data[2 + length :]
    return found


def tone(caps: str, encoder: str) -> str:
    return f"audiotestsrc num-buffers=20 ! audio/x-raw,{caps} ! audioconvert ! {encoder}"


def payloads(packets: list[bytes]) -> bytes:
    """Payloads as the target `depacketize` reads them, with their marks and times."""
    out, times = b"", 0
    for packet in packets:
        mark = packet[1] >> 7
        out += bytes([mark | times << 1, len(packet) - 12]) + packet[12:]
        times = times + mark & 7
    return out


def behind_lengths(pieces: list[bytes]) -> bytes:
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def nal_units(name: str) -> list[bytes]:
    parts = re.split(rb"\x00\x00\x00?\x01", (DATA / name).read_bytes())
    return [part.rstrip(b"\0") for part in parts if part]


def media() -> None:
    h264, h265 = nal_units("x264_slices_bframes.264"), nal_units("x265_open_gop.265")
    sps = next(n for n in h264 if n[0] & 31 == 7)
    sets = [next(n for n in h265 if n[0] >> 1 == kind) for kind in (32, 33)]
    films = {"h264": "x264_slices_bframes.264", "h265": "x265_open_gop.265"}
    def film(codec: str) -> str:
        return f"filesrc location={DATA / films[codec]} ! {codec}parse"

    h264_packets = sent(film("h264"), "rtph264pay aggregate-mode=zero-latency config-interval=-1")
    opus = sent(tone("rate=48000,channels=2", "opusenc bitrate=32000"), "rtpopuspay")
    # By their places in ENCODINGS of media's fuzz.rs.
    encodings = {
        0: h264_packets,
        2: sent(film("h265"), "rtph265pay aggregate-mode=max config-interval=-1"),
        5: sent(tone("rate=16000,channels=1", "avenc_aac"), "rtpmp4gpay"),
        7: sent(tone("rate=48000,channels=2", "avenc_aac"), "rtpmp4apay"),
        9: opus,
    }
    for number, packets in encodings.items():
        save("depacketize", str(number), bytes([number]) + payloads(packets))

    vps, sps5 = sets
    half = max(len(vps), len(sps5))
    save("formats", "h264", b"\0" + sps)
    save("formats", "h265", b"\1" + vps.ljust(half, b"\0") + sps5.ljust(half, b"\0"))
    save("formats", "av1", bytes([2, 0x81, 0x05, 0x0C, 0x00, 0x0A, 0x0B, 0, 0, 0, 0x24, 0xCF, 0x7F, 0xF1, 0xBF, 0xFF, 0x30, 0x08]))
    save("formats", "aac", bytes([3, 0x14, 0x08, 0x56, 0xE5, 0x00]))
    save("formats", "adts", bytes([4, 0xFF, 0xF1, 0x60, 0x40, 0x04, 0x3F, 0xFC, 0x21, 0x10]))
    save("formats", "latm", b"\5MP4A-LATM cpresent=0;config=40002320adca00")
    save("formats", "h265_sets", b"\5H265 sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwBdlZgJ;sprop-sps=QgEBAWAAAAMAkAAAAwAAAwBdoAKAgC0WWVmkkyuA;sprop-pps=RAHBcrRiQA==")

    report = struct.pack(">BBHIQIII", 0x80, 200, 6, 7, 0xE000_0000 << 32, 900_000, 1, 1)
    name = struct.pack(">BBHIBB", 0x81, 202, 3, 7, 1, 6) + b"camera"
    goodbye = struct.pack(">BBHI", 0x81, 203, 1, 7)
    save("packets", "opus", behind_lengths(opus[:20]))
    save("packets", "h264_reordered", behind_lengths(h264_packets[:3] + h264_packets[4:6] + h264_packets[3:4] + h264_packets[6:16]))
    save("packets", "reports", behind_lengths([report + name, report + goodbye, *opus[:2]]))

    # Kind and wait choose: a unit each 40 ms, a report of both tracks each second, a wrap, and a leap.
    line = [struct.pack(">BHI", 1, 40, (2**32 - 20 * 3600 + n * 3600) % 2**32) for n in range(60)]
    for at in (50, 25):
        line.insert(at, struct.pack(">BHI", 0, 0, at * 3600) + struct.pack(">BHI", 0x80, 0, at * 320))
    save("timeline", "steady", b"".join(line))
    leaps = [struct.pack(">BHI", 1, 40, 3600 * n + (n > 20) * 9_000_000 - (n > 40) * 8_000_000) for n in range(60)]
    save("timeline", "leaps", b"".join(leaps))

    # The first byte chooses lane and kind; the two first bytes of RTP stand in the target.
    def piece(way: int, packet: bytes) -> bytes:
        return bytes([way]) + packet[0 if way & 2 else 2 :].replace(b"$", b"%")

    sound = [struct.pack(">BBHII", 0x80, 8, n, n * 160, 9) + b"\xd5" * 20 for n in range(20)]
    mixed = [p for n, picture in enumerate(h264_packets[:14]) for p in (piece(20, picture), piece(21, sound[n]))]
    save("camera_packets", "both", b"$".join([*mixed[:8], piece(2, report), piece(3, report), *mixed[8:]]))
    save("camera_packets", "goodbye", b"$".join([*mixed[:4], piece(2, goodbye), piece(3, goodbye), *mixed[4:8]]))


def recorded() -> bytes:
    """All that a camera says in a session of picture and sound, as our client asks."""
    files = f"/cam={CLIPS}/small.mp4+{CLIPS}/tone.alaw"
    camera = subprocess.Popen(["/usr/bin/python3", CAMERA, "--file", files], stdout=subprocess.PIPE, text=True)
    try:
        port = int(camera.stdout.readline().split()[1])
        url, said = f"rtsp://127.0.0.1:{port}/cam", b""
        with socket.create_connection(("127.0.0.1", port)) as link:
            transport = "Transport: RTP/AVP/TCP;unicast;interleaved="
            session = []
            steps = [("OPTIONS", url, []), ("DESCRIBE", url, ["Accept: application/sdp"])]
            steps += [("SETUP", f"{url}/stream={n}", [f"{transport}{2 * n}-{2 * n + 1}"]) for n in (0, 1)]
            for number, (method, target, headers) in enumerate([*steps, ("PLAY", f"{url}/", [])], 1):
                lines = [f"{method} {target} RTSP/1.0", f"CSeq: {number}", *headers, *session, "", ""]
                link.sendall("\r\n".join(lines).encode())
                answer = link.recv(65536)
                while method == "PLAY" and len(said + answer) < MOST:
                    answer += link.recv(65536)
                found = re.search(rb"Session: ([^;\r]+)", answer)
                session = [f"Session: {found[1].decode()}"] if found else session
                said += answer
        return said.replace(str(port).encode(), b"8554")
    finally:
        camera.kill()


CAMERA_SDP = """v=0\r
o=- 1109162014219182 1109162014219192 IN IP4 192.0.2.64\r
s=Media Presentation\r
b=AS:5100\r
t=0 0\r
a=control:rtsp://192.0.2.64:554/Streaming/Channels/101/\r
m=video 0 RTP/AVP 96\r
c=IN IP4 0.0.0.0\r
b=AS:5000\r
a=recvonly\r
a=x-dimensions:1920,1080\r
a=control:rtsp://192.0.2.64:554/Streaming/Channels/101/trackID=1\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=Z01AKI2NQDwBE/LgLcBAQFAAAD6AAAw1DoYACYFAABfXgu8uNDAATAoAAL68F3lwoA==,aO44gA==\r
m=audio 0 RTP/AVP 104\r
a=recvonly\r
a=rtpmap:104 mpeg4-generic/16000/1\r
a=fmtp:104 profile-level-id=15; streamtype=5; mode=AAC-hbr; config=1408;SizeLength=13; IndexLength=3; IndexDeltaLength=3\r
a=control:rtsp://192.0.2.64:554/Streaming/Channels/101/trackID=2\r
m=application 0 RTP/AVP 107\r
a=rtpmap:107 vnd.onvif.metadata/90000\r
a=sendonly\r
"""


def text() -> None:
    session = recorded()
    save("camera_session", "gstreamer", session)
    challenge = 'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="IP Camera", nonce="0a1b", qop="auth", algorithm=SHA-256\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
    save("camera_session", "challenge", challenge.encode() + re.sub(rb"CSeq: (\d)", lambda m: b"CSeq: %d" % (int(m[1]) + 1), session))
    save("camera_session", "redirect", b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE\r\n\r\nRTSP/1.0 302 Moved\r\nCSeq: 2\r\nLocation: rtsp://other/x\r\n\r\n")
    for step in (1, 100):
        save("rtsp_messages", f"gstreamer_{step}", bytes([step]) + session)
    save("rtsp_messages", "requests", b"\x40SETUP rtsp://h/x/trackID=1 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP;unicast;client_port=5000-5001\r\n\r\n$\1\0\4abcdPLAY rtsp://h/x RTSP/1.0\r\nCSeq: 4\r\nRange: npt=0-\r\n\r\n")
    description = session[session.index(b"v=0\r\n") :]
    save("rtsp_descriptions", "gstreamer", description[: description.index(b"RTSP/1.0")])
    save("rtsp_descriptions", "camera", CAMERA_SDP.encode())
    headers = {
        "transport": "RTP/AVP;unicast;destination=192.0.2.1;source=192.0.2.2;client_port=5000-5001;server_port=6000-6001;ssrc=1F2E3D4C;mode=\"PLAY\",RTP/AVP/TCP;interleaved=0-1",
        "session": "66334873;timeout=60",
        "rtp_info": "url=rtsp://h/s/trackID=1;seq=17040;rtptime=1467265309,url=trackID=2;seq=1;rtptime=7",
        "base": "rtsp://user@h:554/s/?a=b",
    }
    for name, value in headers.items():
        save("rtsp_headers", name, value.encode())
    for number, url in enumerate(["rtsp://admin:p%40ss@192.0.2.1:554/stream1?x=1#y", "rtsps://[2001:db8::1]:322/cam/realmonitor?channel=1&subtype=0", "rtsp://user:pa/ss@cam.lan/x"]):
        save("camera_url", str(number), url.encode())
    save("hello", "browser", b'{"type":"hello","codecs":["avc1.640033","hvc1.1.6.L153.B0","mp4a.40.2","opus","flac"]}')
    save("hello", "other", b'{"type":"pause","at":[1,null,{"\\u00e9":-1e3}]}')
    save("client_frames", "hello", masked(1, (HERE / "seeds/hello/browser").read_bytes()) + masked(9, b"beat"))
    save("client_frames", "pieces", masked(1, b'{"type":', False) + masked(10, b"") + masked(0, b'"x"}') + masked(8, b"\x03\xe8bye"))


def sound() -> None:
    """A format's number, then units behind their lengths and the ticks since the one before."""
    clips = HERE / "../../crates/audio/tests/data"
    for number, name in [(9 | 2 << 4, "he_mono_32k"), (9 | 2 << 4, "he_stereo_44k1"), (9 | 2 << 4, "he_v2_48k")]:
        adts = (clips / f"{name}.aac").read_bytes()
        config = struct.pack(">H", ((adts[2] >> 6) + 1) << 11 | (adts[2] >> 2 & 15) << 7 | ((adts[2] & 1) << 2 | adts[3] >> 6) << 3)
        out = bytes([number]) + config
        while len(adts) > 7 and len(out) < MOST:
            length = (adts[3] & 3) << 11 | adts[4] << 3 | adts[5] >> 5
            out += struct.pack(">Hi", length - 7, 1024) + adts[7:length]
            adts = adts[length:]
        save("to_opus", name, out)
    packets = b"".join(struct.pack(">Hi", 160, 160) + bytes(range(n, n + 160)) for n in range(8))
    save("to_opus", "g722", b"\x06" + packets)
    save("to_opus", "l16", b"\x27" + struct.pack(">H", 44100) + packets)
    save("to_opus", "a_law", b"\x08" + packets)


def masked(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """A client's WebSocket frame (RFC 6455 section 5.2)."""
    mask = b"\x37\xfa\x21\x3d"
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else struct.pack(">BH", 0xFE, len(payload))
    return bytes([final << 7 | opcode]) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


if __name__ == "__main__":
    os.chdir(HERE)
    media()
    text()
    sound()
