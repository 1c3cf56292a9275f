"""Encrypts what is between a node of lesson 20 and its broker, and looks whether that works.

The program is built with its feature `tls`. The broker has a certificate that it has signed itself.
A node that trusts it serves a chat, and one that does not says that it cannot reach the broker.
Whoever comes to the broker without TLS gets no answer.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cluster import LESSON, USER, PASSWORD, Cluster, Node

from client import ROOT, TARGET, TEXT, TIMEOUT, Frames, certificate, frame, free_ports

TRIES = 5.0  # Seconds for which a node tries in vain.


def pair(folder, name):
    """A certificate, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    certificate(cert, key)
    return cert, key


def build_with_tls(folder):
    """The program under another name: the one without TLS shall be there for others."""
    build = ["cargo", "build", "--quiet"]
    subprocess.run([*build, "-p", LESSON, "--features", "tls"], cwd=ROOT, check=True)
    program = Path(shutil.copy(TARGET / "debug" / LESSON, folder))
    subprocess.run([*build, "--workspace", "--bins"], cwd=ROOT, check=True)
    return program


def chats(node):
    """Somebody comes, says something, and waits for the acknowledgement."""
    connection = node.upgrade(node.path("tea", "ana", resume=0))
    frames = Frames(connection)
    connection.sendall(frame(TEXT, b'{"type":"chat","id":"1","content":"Is it encrypted?"}'))
    while (text := frames.until(TEXT, TIMEOUT)) is not None:
        if json.loads(text)["type"] == "ack":
            return True
    return False


def answers_without_tls(broker):
    """Whether the broker lets somebody in who knows the password, and has no TLS."""
    connect = json.dumps({"verbose": True, "user": USER, "pass": PASSWORD})
    with socket.create_connection(("127.0.0.1", broker.port), TIMEOUT) as connection:
        said = connection.recv(1 << 16)
        try:
            connection.sendall(f"CONNECT {connect}\r\nPING\r\n".encode())
            while chunk := connection.recv(1 << 16):
                said += chunk
        except OSError:
            pass  # It has closed the connection, or says nothing.
    return b"+OK" in said or b"PONG" in said


def main():
    problems = []
    with tempfile.TemporaryDirectory(dir=TARGET) as folder:
        folder = Path(folder)
        program = build_with_tls(folder)
        files, other = pair(folder, "broker"), pair(folder, "other")
        trust = {"SSL_CERT_FILE": str(files[0])}
        with Cluster(1, balancer=False, program=program, tls=files, **trust) as cluster:
            if not chats(cluster.nodes[0]):
                problems.append("a node with TLS should acknowledge a chat")
            if answers_without_tls(cluster.brokers[0]):
                problems.append("the broker should let nobody in without TLS")

            stranger = Node(cluster, 2, free_ports(1)[0], [])
            stranger.env = {"SSL_CERT_FILE": str(other[0])}
            stranger.launch()
            try:
                stranger.wait_until(lambda: stranger.get("/ready"), "does not listen")
                time.sleep(TRIES)
                status, said = stranger.get("/ready")
                if status != 503 or "cannot be reached" not in said:
                    problems.append(f"a node that does not trust the broker says {status} {said}")
                if "cannot be reached" not in (log := stranger.all_said()):
                    problems.append(f"its log should say what is wrong: {log[-500:]}")
            finally:
                stranger.stop()
    for sentence in problems:
        print(f"WRONG: {sentence}.")
    if not problems:
        print("With TLS between them, a node and its broker serve a chat, and strangers do not.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
