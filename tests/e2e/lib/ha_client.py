#!/usr/bin/env python3
"""Home Assistant's client of RTSPtoWeb and RTSPtoWebRTC (rtsp-to-webrtc, PyPI), as its integration calls it.

    ha_client.py SERVER web|webrtc STREAM RTSP_URL < OFFER > ANSWER

Offers twice, as two viewers do: the second time nothing of the stream may be another.
"""
import asyncio
import sys
from urllib.parse import urlsplit

import aiohttp
from rtsp_to_webrtc.client import get_adaptive_client
from rtsp_to_webrtc.web_client import WebClient
from rtsp_to_webrtc.webrtc_client import WebRTCClient


async def main(server: str, kind: str, stream: str, url: str) -> None:
    offer = sys.stdin.read()
    parts = urlsplit(server)
    auth = aiohttp.BasicAuth(parts.username, parts.password) if parts.username else None
    base = f"{parts.scheme}://{parts.hostname}:{parts.port}"
    async with aiohttp.ClientSession(auth=auth, timeout=aiohttp.ClientTimeout(total=10)) as session:
        client = await get_adaptive_client(session, server_url=base)
        wanted = WebClient if kind == "web" else WebRTCClient
        if not isinstance(client, wanted):
            raise SystemExit(f"it takes the server for a {type(client).__name__}")
        for _ in range(2):
            answer = await client.offer_stream_id(stream, offer, url)
        if kind == "web":
            streams = await client.list_streams()
            assert streams[stream]["channels"]["0"]["url"] == url, streams
            await client.get_stream_info(stream)
            await client.reload_stream(stream)
    sys.stdout.write(answer)


asyncio.run(main(*sys.argv[1:]))
