#!/usr/bin/env bash
# Makes demo.mp4, the clip that the demo camera loops. Needs ffmpeg and python3, nothing else; everything
# in the clip is drawn and sung here.
#
# 8 s is chosen: 200 pictures at 25/s and 375 AAC units of 1024 samples at 48 kHz end at the very same
# instant, so that picture and sound loop without a seam. The scene and the sound repeat after 8 s, too.
set -euo pipefail
cd "$(dirname "$0")"

readonly SECONDS_LONG=8 RATE=25 WIDTH=1280 HEIGHT=720
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 parts.py stamp "$work/stamp.gray" "$SECONDS_LONG" "$RATE"
python3 parts.py sound "$work/sound.wav" "$SECONDS_LONG"

# A slow aurora of three waves, drawn small and scaled up: each has a whole number of turns in 8 s.
turn="2*PI*T/$SECONDS_LONG"
aurora="geq=\
r='64+38*sin(X/70+$turn)+22*sin(Y/41-$turn*2)':\
g='58+40*sin((X+Y)/90-$turn)+18*sin(X/53+$turn*2)':\
b='104+52*sin(Y/60+$turn)+30*sin((X-Y)/77+$turn)'"

# A white disc goes round once in 4 s and a smaller one once in 8 s; a yellow light on the right flashes for
# 100 ms at each full second, together with the tick.
scene="[0:v]$aurora,scale=$WIDTH:$HEIGHT:flags=bicubic[sky];\
[2:v]format=rgba,geq=r=255:g=255:b=255:a='255*clip(46-hypot(X-50,Y-50),0,1)'[disc];\
[3:v]format=rgba,geq=r=255:g=214:b=92:a='255*clip(22-hypot(X-25,Y-25),0,1)'[moon];\
[4:v]format=rgba,geq=r=255:g=226:b=40:a='255*clip(58-hypot(X-60,Y-60),0,1)'[flash];\
[sky][disc]overlay=x='590+360*sin(2*PI*t/4)':y='330-190*cos(2*PI*t/4)':shortest=1[a];\
[a][moon]overlay=x='615+230*sin(-2*PI*t/8)':y='355-110*cos(2*PI*t/8)':shortest=1[b];\
[b][flash]overlay=x=1110:y=90:enable='lt(mod(t+0.0001,1),0.1)':shortest=1[c];\
[c]drawtext=fontfile=/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf:fontsize=64:fontcolor=white:\
box=1:boxcolor=black@0.45:boxborderw=18:x=(w-tw)/2:y=h-130:text='%{pts\:hms}',\
drawtext=fontfile=/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fontsize=30:fontcolor=white@0.85:\
x=(w-tw)/2:y=h-44:text='Lunette demo camera'[d];\
[1:v]format=gray[bits];[d][bits]overlay=x=0:y=0:shortest=1,format=yuv420p[v]"

ffmpeg -v error -y \
  -f lavfi -i "color=black:s=320x180:r=$RATE:d=$SECONDS_LONG" \
  -f rawvideo -pix_fmt gray -s 960x24 -r "$RATE" -i "$work/stamp.gray" \
  -f lavfi -i "color=white:s=100x100:r=$RATE:d=$SECONDS_LONG" \
  -f lavfi -i "color=white:s=50x50:r=$RATE:d=$SECONDS_LONG" \
  -f lavfi -i "color=white:s=120x120:r=$RATE:d=$SECONDS_LONG" \
  -filter_complex "$scene" -map '[v]' -t "$SECONDS_LONG" \
  -c:v libx264 -profile:v main -preset veryslow -level 3.1 -refs 3 -bf 0 -g 50 -keyint_min 50 -sc_threshold 0 \
  -b:v 750k -maxrate 900k -bufsize 1500k -x264-params "repeat-headers=0:aud=0" -an "$work/picture.mp4"

# The sound is coded three times over and the middle part kept: its first unit overlaps with its last, and
# there is no priming to skip.
ffmpeg -v error -y -stream_loop 2 -i "$work/sound.wav" -c:a aac -b:a 64k -f adts "$work/three.aac"
python3 parts.py middle "$work/three.aac" "$work/sound.aac" "$SECONDS_LONG"

ffmpeg -v error -y -i "$work/picture.mp4" -i "$work/sound.aac" -map 0:v -map 1:a -c copy \
  -fflags +bitexact -map_metadata -1 -movflags +faststart -video_track_timescale 90000 demo.mp4
ls -l demo.mp4
