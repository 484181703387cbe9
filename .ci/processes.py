"""What scripts that start servers need."""

import socket
import sys
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, what, process):
    for _ in range(1200):
        if condition():
            return
        if process.poll() is not None:
            sys.exit(f"ended before {what}")
        time.sleep(0.05)
    sys.exit(f"this never came: {what}")


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
