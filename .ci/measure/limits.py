#!/usr/bin/env python3
"""Measures what the limits of the capstone are for: what strangers can do to the server's
memory, and to the others. Needs Linux, and nothing but Python.

    .ci/measure/limits.py                 all of it, with lesson 08 beside it, and lesson 12 where
                                          clients are slow: some 6 minutes
    .ci/measure/limits.py stalled pings   these parts alone
    .ci/measure/limits.py --check         the capstone alone, less long, and with limits:
                                          the exit code is 1 if one of them is exceeded
    .ci/measure/limits.py --nightly       the same limits, as long as without --check

It builds the programs first. Each client is a socket with frames of our own
making, because a proper library would read, answer pings, and keep to the protocol.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from tempfile import TemporaryDirectory

import client
from client import CONTINUATION, PASSWORDS, PING, TEXT, Report, build, chat, drain, frame

LESSON_01, LESSON_08 = "lesson_01_echo", "lesson_08_auth"
RATE_LIMIT, SLOW_CLIENTS = "lesson_10_rate_limit", "lesson_12_slow_clients"
CAPSTONE = "lesson_24_capstone"
ROOMY = {
    "CHAT_MAX_CONNECTIONS": "2000",
    "CHAT_MAX_CONNECTIONS_PER_USER": "2000",
    "CHAT_MAX_ROOMS": "2000",
}

# All 500 talkers are Ana, so she needs more than the rate of 500, and so does whoever
# connects 500 times at once. Three people are in each room.
MANY_VOICES = {
    "CHAT_MESSAGES_PER_SECOND": "10000",
    "CHAT_MESSAGE_BURST": "600",
    "CHAT_MAX_MEMBERS_PER_ROOM": "3",
    "CHAT_OUTBOX_SIZE": "1900",
}

# One person connects twenty times at once, and each time counts as two messages.
TWENTY_CLIENTS = {"CHAT_MESSAGE_BURST": "50", "CHAT_OUTBOX_SIZE": "2100"}


class Server(client.Server):
    """A program of the course in which three people have signed in."""

    def __init__(self, package, files=4096, **env):
        super().__init__(package, files, **env)
        if package != LESSON_01:
            self.tokens = {name: self.token(name) for name in PASSWORDS}
        # To check a password takes 19 MiB, so this is where we begin.
        self.begin = self.memory()

    def members(self):
        """How many people are in all rooms together."""
        _, _, rooms = self.ask("GET", "/rooms", timeout=60)
        return sum(room["members"] for room in json.loads(rooms))

    def path(self, room, name):
        return f"/ws/chat/{room}?token={self.tokens[name]}"


class Flood:
    """Writes the same bytes again and again, as fast as the server reads."""

    def __init__(self, connection, data):
        self.connection, self.data, self.rest, self.sent = connection, data, b"", 0

    def goes_on(self):
        """Writes what fits. False if the connection is at its end."""
        self.rest = self.rest or self.data
        try:
            count = self.connection.send(self.rest)
        except (BlockingIOError, TimeoutError):
            return True
        except OSError:
            return False
        self.rest, self.sent = self.rest[count:], self.sent + count
        return True


def floods(connection, data, seconds):
    """Writes as fast as the server reads. Says how long, and how many bytes."""
    connection.settimeout(0.5)
    start, flood = time.monotonic(), Flood(connection, data)
    while time.monotonic() - start < seconds and flood.goes_on():
        pass
    return time.monotonic() - start, flood.sent


def stalled(server, count, seconds, talk=True):
    """Half of the members of each room read nothing. One talks at the limit."""
    connections, talkers = [], []
    for number in range(count // 2):
        for name in ("ben", "cem"):
            connections.append(server.upgrade(server.path(f"r{number}", name), small=True))
        if talk:
            talkers.append(server.upgrade(server.path(f"r{number}", "ana")))
    joined = server.memory()
    for connection in connections + talkers:
        connection.setblocking(False)

    words, start, rounds = chat("x" * 2000), time.monotonic(), 0
    while time.monotonic() - start < seconds:
        for connection in talkers:
            drain(connection)
            try:
                connection.send(words)
            except OSError:
                pass
        rounds += 1
        time.sleep(max(0, start + rounds * 0.1 - time.monotonic()))
    memory = server.memory()

    out = count // 2 * (3 if talk else 2) - server.members()
    for connection in connections + talkers:
        connection.close()
    return joined, memory, out


def evictions(server, run):
    """Whether Ana or Ben, who read all the time, are disconnected because of a flooder."""
    room = f"flood{run}"
    ana, ben = (server.upgrade(server.path(room, name)) for name in ("ana", "ben"))
    eve = server.upgrade(server.path(room, "cem"))
    for connection in (ana, ben, eve):
        connection.setblocking(False)
    flood, heard, floods = Flood(eve, chat("x" * 20) * 50), {ana: b"", ben: b""}, True
    start = time.monotonic()
    while time.monotonic() - start < 3:
        floods = floods and drain(eve) is not None and flood.goes_on()
        for connection in heard:
            heard[connection] += drain(connection) or b""
        if not floods:
            time.sleep(0.01)
    for connection in (ana, ben, eve):
        connection.close()
    return any(b"too slow" in text for text in heard.values())


def slowloris(package, honest_seconds):
    """How long an honest client waits behind 300 half-sent handshakes."""
    with Server(package, files=256) as server:
        half = []
        for _ in range(300):
            connection = server.dial()
            connection.sendall(b"GET /ws/chat/rust HTTP/1.1\r\nHost:")
            half.append(connection)
        start = time.monotonic()
        try:
            server.upgrade(server.path("rust", "ana"), timeout=honest_seconds).close()
            return time.monotonic() - start
        except (OSError, AssertionError):
            return None
        finally:
            for connection in half:
                connection.close()


def empty_frames(package, seconds):
    """A message without an end, in empty pieces. How are the others served?"""
    with Server(package) as server:
        ana = server.upgrade(server.path("tea", "ana"))
        eve = server.upgrade(server.path("rust", "cem"))
        eve.sendall(frame(TEXT, b"x", last=False))
        eve.settimeout(0.05)
        flood = Flood(eve, frame(CONTINUATION, last=False) * 10_000)
        ana.settimeout(10)
        waits, start, cpu = [], time.monotonic(), server.cpu()
        asked = start
        while time.monotonic() - start < seconds and flood.goes_on():
            if time.monotonic() - asked > 0.2:
                asked = time.monotonic()
                ana.sendall(frame(PING))
                ana.recv(100)
                waits.append(time.monotonic() - asked)
        took = time.monotonic() - start
        return {
            "seconds": took,
            "frames": flood.sent / 6 / took,
            "cpu": (server.cpu() - cpu) / took,
            "wait": statistics.median(waits),
            "longest": max(waits),
            "memory": server.memory(),
        }


def connects(server, package, name="cem"):
    path = "/ws" if package == LESSON_01 else server.path("rust", name)
    return server.upgrade(path, small=True)


def row(report, what, package, result, fine=True):
    report.row((what, 44), (package[:9], 10), (result, 0))
    report.expect(fine, f"{package}, {what}: this is too much: {result}")


def with_small_buffers():
    """Begins anew in a network of its own, where the kernel keeps little for each connection.

    Usually it keeps up to 4 MiB, and minutes go by before a client counts as slow.
    """
    if os.environ.get("SMALL_BUFFERS"):
        return
    small = "ip link set lo up && echo 4096 16384 65536 >/proc/sys/net/ipv4/tcp_wmem"
    begin = ["unshare", "--map-root-user", "--net", "sh", "-c"]
    if subprocess.run([*begin, small], stderr=subprocess.DEVNULL).returncode == 0:
        os.environ["SMALL_BUFFERS"] = "yes"
        os.execvp("unshare", [*begin, f'{small} && exec "$@"', "sh", *sys.argv])
    print("The kernel's buffers stay as large as they are: no network of our own.")


def main():
    build()
    with_small_buffers()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
    short, nightly = "--check" in sys.argv, "--nightly" in sys.argv
    check = short or nightly
    report = Report(check)
    both = [CAPSTONE] if check else [LESSON_08, CAPSTONE]

    def part(name):
        return not wanted or name in wanted

    if part("idle"):
        for package in both:
            with Server(package, **ROOMY, **MANY_VOICES) as server:
                _, memory, _ = stalled(server, 1000, 1, talk=False)
                row(report, "1,000 idle clients", package, f"{server.begin:.0f} -> {memory:.0f} MiB", memory < 96)

    if part("stalled"):
        # Lesson 12 alone has policies. In the capstone, who falls behind goes on from the log,
        # which is in a file here: in memory, it would be most of what we measure.
        policies = {SLOW_CLIENTS: ["close", "drop", "notify"]}
        for package in both if check else [LESSON_08, SLOW_CLIENTS, CAPSTONE]:
            most = 200 if package == CAPSTONE else 320
            for policy in policies.get(package, [""]):
                with TemporaryDirectory() as folder:
                    env = {"CHAT_DATABASE": f"{folder}/chat.db", "SLOW_CLIENT": policy or "close"}
                    with Server(package, **ROOMY, **MANY_VOICES, **env) as server:
                        seconds = 15 if short else 25
                        joined, memory, out = stalled(server, 1000, seconds)
                row(
                    report,
                    f"1,000 stalled clients, {seconds} s {policy}",
                    package,
                    f"{joined:.0f} -> {memory:.0f} MiB, {out} cut off",
                    # Those who read, and keep to their rate, stay.
                    memory < most and out <= 1000,
                )

    if part("pings"):
        limited = [RATE_LIMIT, CAPSTONE]
        for package in limited if check else [LESSON_01, LESSON_08, *limited]:
            with Server(package) as server:
                took, sent = floods(connects(server, package), frame(PING, b"x" * 125) * 100, 8)
                memory = server.memory()
                row(
                    report,
                    "ping flood, pongs not read",
                    package,
                    f"{server.begin:.0f} -> {memory:.0f} MiB, over after {took:.1f} s and {sent / 1e6:.1f} MB",
                    memory < 64 and (took < 6 or package not in limited),
                )

    if part("fragments"):
        for package in both if check else [LESSON_01, *both]:
            with Server(package, **ROOMY, **TWENTY_CLIENTS) as server:
                begin = frame(TEXT, b"x" * 60_000, last=False)
                piece = frame(CONTINUATION, b"x" * 60_000, last=False) * 16
                sent = 0
                connections = []
                for number in range(20):
                    path = "/ws" if package == LESSON_01 else server.path(f"r{number}", "cem")
                    connection = server.upgrade(path)
                    connections.append(connection)
                    try:
                        connection.sendall(begin)
                    except OSError:
                        pass
                for connection in connections:
                    sent += floods(connection, piece, 0.5)[1]
                memory = server.memory()
                row(
                    report,
                    "20 clients with unfinished messages",
                    package,
                    f"{server.begin:.0f} -> {memory:.0f} MiB, took {sent / 20 / 1e6:.2f} MB of each",
                    memory < 64,
                )

    if part("slowloris"):
        for package in both:
            patience = 20
            waited = slowloris(package, patience)
            result = f"not in after {patience} s" if waited is None else f"in after {waited:.1f} s"
            row(report, "300 half-sent handshakes, 256 files", package, result, waited is not None and waited < 10)

    if part("flooder"):
        for package in both if check else [LESSON_08, RATE_LIMIT, CAPSTONE]:
            with Server(package) as server:
                runs = 3 if short else 10
                # Eve may have five connections, and each waits for its closing handshake.
                evicted = sum(evictions(server, run) for run in range(runs))
                row(
                    report,
                    "a flooder and two neighbours who read",
                    package,
                    f"neighbours thrown out in {evicted} of {runs} runs",
                    evicted == 0,
                )

    if part("frames"):
        for package in both:
            it = empty_frames(package, 8 if short else 45)
            row(
                report,
                "a message without an end, in empty pieces",
                package,
                f"{it['frames'] / 1e6:.1f} M frames/s for {it['seconds']:.0f} s, {it['cpu']:.1f} cores, "
                f"{it['memory']:.0f} MiB; others wait {1000 * it['wait']:.0f} ms, at most "
                f"{1000 * it['longest']:.0f}",
                it["memory"] < 64 and it["frames"] < 200_000,
            )

    sys.exit(report.end())


if __name__ == "__main__":
    main()
