#!/usr/bin/python3
"""Writes the clock that a machine can read from the pixels of a clip: one 40x1 grey frame a picture.

Each of the 40 pixels is one bit, white for 1: a 32-bit value (the time in the clip in ms), most significant
bit first, then an 8-bit sum that tells a misread apart. ffmpeg blows it up to a row of blocks at the top of
the picture. `web/stamp.mjs` in ../e2e/lib reads it back.

    stamps.py FPS FRAMES | ffmpeg -f rawvideo -pix_fmt gray -s 40x1 -r FPS -i - ...
"""

import sys


def stamp_bits(value: int) -> bytes:
    """The 40 grey pixels of `value`."""
    value &= 0xFFFFFFFF
    total = sum(value >> shift for shift in (0, 8, 16, 24)) + 90
    word = value << 8 | total & 0xFF
    return bytes(235 if word >> (39 - i) & 1 else 16 for i in range(40))


def main() -> None:
    fps, frames = int(sys.argv[1]), int(sys.argv[2])
    for n in range(frames):
        sys.stdout.buffer.write(stamp_bits(n * 1000 // fps))


if __name__ == "__main__":
    main()
