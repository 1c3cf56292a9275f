"""Measures how many changes a second lesson 15 makes and announces, beside FastAPI.

    .ci/measure/writes              the release build; some 40 seconds
    .ci/measure/writes 10           so many seconds for each figure, in place of 5
    .ci/measure/writes --debug      the debug build, which is there already

Eight clients send `POST /api/v1/users` as fast as they are answered, each on a connection
that it keeps. 0, 1 and 10 subscribers receive the events, in a process of their own; each of
them must have every event when it is over. Both servers write to a file on the same disk, in
WAL mode, and wait for the disk at each commit (`synchronous = FULL`).
"""

import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time

from client import ROOT, TARGET, TIMEOUT, Server, build, free_ports

LESSON = "lesson_15_database"
WRITERS = 8
FOLLOWERS = 0, 1, 10
SECONDS = next((int(word) for word in sys.argv[1:] if word.isdigit()), 5)
PROFILE = "debug" if "--debug" in sys.argv else "release"


class FastApi(Server):
    """The same list in FastAPI: book/fastapi/lesson_15.py."""

    def __init__(self, database):
        self.port = free_ports(1)[0]
        python = TARGET / "fastapi" / "bin" / "python"
        command = [python, "-m", "uvicorn", "--log-level", "warning"]
        command += ["--app-dir", ROOT / "book" / "fastapi", "--port", str(self.port)]
        environment = {**os.environ, "DATABASE": database}
        # It complains about each subscriber that leaves.
        quiet = {"env": environment, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([*command, "lesson_15:app"], **quiet)
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.dial().close()
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def follow(server, path, followers, ready, expected, results):
    """Counts the events that each follower receives, until all have what is expected."""
    connections = [server.upgrade(path) for _ in range(followers)]
    counts = [0] * followers

    def read(i):
        rest = b""
        while counts[i] < (expected.value or sys.maxsize):
            data = rest + connections[i].recv(1 << 16)
            counts[i] += data.count(b'"created"')
            rest = data[-len(b'"created"') + 1 :]  # It may have come in two pieces.

    threads = [threading.Thread(target=read, args=(i,), daemon=True) for i in range(followers)]
    for thread in threads:
        thread.start()
    ready.set()
    deadline = time.monotonic() + SECONDS + TIMEOUT
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    results.put(counts)


def write(server, headers, writer, stop, counts):
    client = http.client.HTTPConnection("127.0.0.1", server.port, TIMEOUT)
    while not stop.is_set():
        name = f"{writer}-{counts[writer]}"
        body = json.dumps({"name": name, "email": f"{name}@example.org"})
        client.request("POST", "/api/v1/users", body, headers)
        answer = client.getresponse()
        text = answer.read()
        assert answer.status == 201, text
        counts[writer] += 1


def measure(server, headers, path, followers):
    expected = multiprocessing.Value("q", 0)
    ready, results = multiprocessing.Event(), multiprocessing.Queue()
    reader = multiprocessing.Process(
        target=follow, args=(server, path, followers, ready, expected, results), daemon=True
    )
    reader.start()
    ready.wait(TIMEOUT)

    stop, counts = threading.Event(), [0] * WRITERS
    arguments = [(server, headers, writer, stop, counts) for writer in range(WRITERS)]
    writers = [threading.Thread(target=write, args=each) for each in arguments]
    begin = time.monotonic()
    for writer in writers:
        writer.start()
    time.sleep(SECONDS)
    stop.set()
    for writer in writers:
        writer.join()
    seconds = time.monotonic() - begin

    # A last one, which the followers do not wait for, wakes those who have all.
    total = expected.value = sum(counts)
    counts[0] = 10**9
    stop.clear()
    threading.Timer(0.1, stop.set).start()
    write(server, headers, 0, stop, counts)
    received = results.get(timeout=SECONDS + 2 * TIMEOUT)
    reader.join(TIMEOUT)
    return total / seconds, all(count >= total for count in received)


def main():
    build(LESSON, profile=PROFILE)
    print(f"{WRITERS} writers, {SECONDS} s each, {os.cpu_count()} cores, {PROFILE} build\n")
    print("| server | followers | changes a second | each follower has all |")
    print("|---|---|---|---|")
    complete = True
    with tempfile.TemporaryDirectory(dir=TARGET) as folder:
        for followers in FOLLOWERS:
            for name in "lesson 15", "FastAPI":
                database = f"{folder}/{name}-{followers}.db"
                if name == "FastAPI":
                    server = FastApi(database)
                    headers, path = {"x-user": "ben"}, "/api/v1/ws/users"
                else:
                    server = Server(LESSON, profile=PROFILE, DATABASE=database)
                    token = server.token("ben")
                    headers = {"Authorization": f"Bearer {token}"}
                    path = f"/api/v1/ws/users?token={token}"
                headers["Content-Type"] = "application/json"
                with server:
                    rate, all_came = measure(server, headers, path, followers)
                complete &= all_came
                print(f"| {name} | {followers} | {rate:.0f} | {'yes' if all_came else 'NO'} |")
    sys.exit(not complete)


main()
