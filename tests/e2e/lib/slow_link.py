#!/usr/bin/python3
"""A slow link: relays TCP to 127.0.0.1:PORT and reads what comes back at so many bytes a second.

    slow_link.py TARGET_PORT BYTES_PER_SECOND        prints `ready PORT`

The receive buffer is as small as a thin line's, so the sender feels the pace within a second; what is on the
line is bounded by it.
"""

import socket
import sys
import threading
import time

RECEIVE_BUFFER = 32 << 10
STEPS_PER_SECOND = 50


def upward(client: socket.socket, server: socket.socket) -> None:
    while data := client.recv(65536):
        server.sendall(data)


def downward(client: socket.socket, server: socket.socket, rate: int) -> None:
    due = time.monotonic()
    while data := server.recv(max(1, rate // STEPS_PER_SECOND)):
        client.sendall(data)
        due = max(due, time.monotonic() - 0.1) + len(data) / rate
        time.sleep(max(0.0, due - time.monotonic()))


def relay(client: socket.socket, target: int, rate: int) -> None:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    server.connect(("127.0.0.1", target))
    threading.Thread(target=upward, args=(client, server), daemon=True).start()
    try:
        downward(client, server, rate)
    finally:
        client.close()
        server.close()


def main() -> None:
    target, rate = int(sys.argv[1]), int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"ready {listener.getsockname()[1]}", flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=relay, args=(client, target, rate), daemon=True).start()


if __name__ == "__main__":
    main()
