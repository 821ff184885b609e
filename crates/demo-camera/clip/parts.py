#!/usr/bin/env python3
"""Parts of the demo clip that ffmpeg's filters can't make. Called by make.sh.

parts.py stamp OUT SECONDS RATE   a row of 40 black and white blocks for each picture: its time in
                                  milliseconds (32 bits, high bit first), then a checksum (8 bits)
parts.py sound OUT SECONDS        a soft chord with a tick at each full second, 48 kHz mono, as WAV
parts.py middle IN OUT SECONDS    the second of three equal parts of an ADTS file
"""

import math
import struct
import sys
import wave

BLOCK = 24
"""Side of a block in pixels of a picture 1280 wide."""
SAMPLE_RATE = 48000
UNIT = 1024
"""Samples in an AAC access unit."""
PRIMING_UNITS = 1
"""Units that ffmpeg's encoder puts before the first sample."""


def stamp(out, seconds, rate):
    with open(out, "wb") as file:
        for picture in range(seconds * rate):
            value = picture * 1000 // rate
            check = (sum(value.to_bytes(4, "big")) + 90) & 0xFF
            code = value << 8 | check
            row = b"".join(
                (b"\xff" if code >> bit & 1 else b"\x00") * BLOCK
                for bit in range(39, -1, -1)
            )
            file.write(row * BLOCK)


def sound(out, seconds):
    samples = bytearray()
    for n in range(seconds * SAMPLE_RATE):
        t = n / SAMPLE_RATE
        # Whole numbers of cycles in 8 s: the chord goes on where it began.
        chord = sum(math.sin(2 * math.pi * f * t) for f in (110, 164.75, 220.25)) / 3
        swell = 0.5 - 0.5 * math.cos(2 * math.pi * t / 4)
        into = t % 1
        pitch = 1320 if int(t) % 4 == 0 else 880
        tick = math.sin(2 * math.pi * pitch * into) * math.exp(-into * 28) if into < 0.25 else 0
        level = 0.06 * chord * (0.4 + 0.6 * swell) + 0.4 * tick
        samples += struct.pack("<h", round(32767 * level))
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(bytes(samples))


def middle(source, out, seconds):
    data = open(source, "rb").read()
    units, at = [], 0
    while at < len(data):
        length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        units.append(data[at : at + length])
        at += length
    count = seconds * SAMPLE_RATE // UNIT
    assert count * UNIT == seconds * SAMPLE_RATE, "the loop is no whole number of AAC units"
    first = PRIMING_UNITS + count
    with open(out, "wb") as file:
        file.write(b"".join(units[first : first + count]))


if __name__ == "__main__":
    command, *files = sys.argv[1:]
    numbers = [int(n) for n in files if n.isdigit()]
    names = [n for n in files if not n.isdigit()]
    {"stamp": stamp, "sound": sound, "middle": middle}[command](*names, *numbers)
