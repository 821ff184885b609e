#!/usr/bin/env bash
# Makes the clips that the cameras play, once, into tests/.work/clips (needs ffmpeg with libx264 and libx265).
#
# Each is 10.24 s: 256 pictures at 25 fps and exactly 480 AAC frames at 48 kHz, so that a loop has no seam in
# either track. The top row of blocks carries the clip's time in ms (stamps.py), the sound is a 440 Hz tone.
# Key frames come every 64 pictures (2.56 s) unless the name says otherwise.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../.work/clips}
version=5 # raise it to have the clips made again

mkdir -p "$out"
if [ "$(cat "$out/version" 2>/dev/null)" = "$version" ]; then exit 0; fi

fps=25 frames=256 seconds=10.24
# A pipe that ends when ffmpeg has what it needs is no failure.
stamps() { "$here/stamps.py" $fps $frames; }

# clip NAME SIZE BITRATE GOP -- encoder options...
clip() {
  local name=$1 size=$2 bitrate=$3 gop=$4
  shift 5
  stamps | ffmpeg -hide_banner -v error -y \
    -f rawvideo -pix_fmt gray -s 40x1 -r $fps -i - \
    -f lavfi -i "testsrc2=s=$size:r=$fps,noise=alls=8:allf=t" \
    -filter_complex "[0]scale=iw*${size%x*}*24/1280:24*${size%x*}/1280:flags=neighbor[row];[1][row]overlay=0:0:shortest=1,format=yuv420p" \
    -frames:v $frames -g "$gop" -keyint_min "$gop" -sc_threshold 0 \
    -b:v "$bitrate" -maxrate "$bitrate" -bufsize "$bitrate" "$@" -an "$out/$name"
}

h264() { clip "$1" "$2" "$3" "$4" -- -c:v libx264 -preset veryfast "${@:5}"; }
h265() { clip "$1" "$2" "$3" "$4" -- -c:v libx265 -preset ultrafast -tag:v hvc1 "${@:5}"; }
x265_quiet=log-level=none:open-gop=0:scenecut=0

h264 main.mp4 640x360 600k 64 -profile:v main -bf 0
h264 baseline.mp4 640x360 600k 64 -profile:v baseline
h264 high_bframes.mp4 640x360 600k 64 -profile:v high -bf 3 -b_strategy 0
h264 slices.mp4 640x360 600k 64 -profile:v main -bf 0 -x264-params slices=4
h264 other_size.mp4 848x480 600k 64 -profile:v high -bf 0
h264 hd.mp4 1280x720 2M 64 -profile:v main -bf 0
h264 hd_long_gop.mp4 1280x720 2M 256 -profile:v main -bf 0
h264 small.mp4 320x180 150k 64 -profile:v baseline
h264 small_long_gop.mp4 320x180 150k 256 -profile:v baseline
h265 h265.mp4 640x360 600k 64 -x265-params $x265_quiet:bframes=0:keyint=64:min-keyint=64
h265 h265_bframes.mp4 640x360 600k 64 -x265-params $x265_quiet:bframes=3:keyint=64:min-keyint=64

# The same pictures with a delimiter before each, for the camera that is a script.
ffmpeg -hide_banner -v error -y -i "$out/main.mp4" -c copy \
  -bsf:v h264_mp4toannexb,h264_metadata=aud=insert -f h264 "$out/main.h264"

# sound NAME RATE CHANNELS -- encoder options...
sound() {
  local name=$1 rate=$2 channels=$3
  shift 4
  ffmpeg -hide_banner -v error -y -f lavfi -i "sine=f=440:b=4:r=$rate:d=$seconds" -ac "$channels" -ar "$rate" "$@" "$out/$name"
}
sound tone.m4a 48000 1 -- -c:a aac -b:a 64k
sound tone_stereo.m4a 48000 2 -- -c:a aac -b:a 96k
sound tone_surround.m4a 48000 6 -- -c:a aac -b:a 192k
sound tone.ogg 48000 2 -- -c:a libopus -b:a 64k
# Raw bytes, cut into packets by the camera.
sound tone.alaw 8000 1 -- -c:a pcm_alaw -f alaw
sound tone.mulaw 8000 1 -- -c:a pcm_mulaw -f mulaw
sound tone.g722 16000 1 -- -c:a g722 -f g722
sound tone.l16 16000 1 -- -c:a pcm_s16be -f s16be

echo $version >"$out/version"
