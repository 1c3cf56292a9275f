#!/usr/bin/env python3
"""Measures what lesson 10 is about: what strangers can do to the server's memory, and to
the others. Needs Linux, and nothing but Python.

    .ci/measure/limits.py                 all of it, with lesson 08 beside it: some 4 minutes
    .ci/measure/limits.py stalled pings   these parts alone
    .ci/measure/limits.py --check         lesson 10 alone, less long, and with limits:
                                          the exit code is 1 if one of them is exceeded

It builds the programs first. Each client is a socket with frames of our own
making, because a proper library would read, answer pings, and keep to the rules.
"""

import base64
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
PASSWORDS = {"ana": "ana-likes-tea", "ben": "ben-likes-jam", "cem": "cem-likes-figs"}
LESSON_01, LESSON_08, LESSON_10 = "lesson_01_echo", "lesson_08_auth", "lesson_10_limits"
ROOMY = {"CONNECTIONS": "2000", "CONNECTIONS_PER_USER": "2000", "ROOMS": "2000"}

# All 500 talkers are Ana, so she needs the pace of 500. Three people are in each room.
MANY_VOICES = {
    "MESSAGES_PER_SECOND": "5000",
    "BURST": "500",
    "MEMBERS_PER_ROOM": "3",
    "OUTBOX": "1500",
}

TEXT, BINARY, CONTINUATION, CLOSE, PING = 1, 2, 0, 8, 9


class Server:
    """A program of the course on a free port, with at most so many open files."""

    def __init__(self, package, files=4096, **env):
        self.process = subprocess.Popen(
            [os.path.join(TARGET, "debug", package)],
            env={**os.environ, "ADDR": "127.0.0.1:0", **env},
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
        )
        while "http://127.0.0.1:" not in (line := self.process.stdout.readline()):
            assert line, f"{package} does not say where it listens"
        self.port = int(line.split("http://127.0.0.1:")[1].split()[0])
        # Nobody reads on, so what it prints must not fill the pipe.
        subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)
        if package != LESSON_01:
            self.tokens = {name: self.log_in(name) for name in PASSWORDS}
        # To check a password takes 19 MiB, so this is where we begin.
        self.begin = self.memory()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def log_in(self, name):
        body = json.dumps({"username": name, "password": PASSWORDS[name]}).encode()
        url = f"http://127.0.0.1:{self.port}/login"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["token"]

    def memory(self):
        """The most memory it has had so far, in MiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def cpu(self):
        """The processor's time that it has used, in seconds."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def members(self):
        """How many people are in all rooms together."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/rooms") as answer:
            return sum(room["members"] for room in json.load(answer))

    def path(self, room, name):
        return f"/ws/chat/{room}?token={self.tokens[name]}"

    def dial(self, small=False, timeout=10):
        line = socket.socket()
        if small:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(timeout)
        line.connect(("127.0.0.1", self.port))
        return line

    def upgrade(self, path, small=False, timeout=10):
        """A WebSocket's line, after the handshake."""
        line = self.dial(small, timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = line.recv(1)
            if not byte:
                raise ConnectionError("the line was cut during the handshake")
            head += byte
        assert b" 101 " in head, head.decode()
        return line


def frame(kind, payload=b"", last=True):
    """A frame of a client. The mask is all zeros, so it changes nothing."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = bytes([0xFE]) + size.to_bytes(2, "big")
    return bytes([kind | (0x80 if last else 0)]) + length + bytes(4) + payload


def chat(content):
    return frame(TEXT, json.dumps({"type": "chat", "content": content}).encode())


class Flood:
    """Writes the same bytes again and again, as fast as the server reads."""

    def __init__(self, line, data):
        self.line, self.data, self.rest, self.sent = line, data, b"", 0

    def goes_on(self):
        """Writes what fits. False if the line is at its end."""
        self.rest = self.rest or self.data
        try:
            count = self.line.send(self.rest)
        except (BlockingIOError, TimeoutError):
            return True
        except OSError:
            return False
        self.rest, self.sent = self.rest[count:], self.sent + count
        return True


def drain(line):
    """Reads whatever is there. None if the line is at its end."""
    heard = b""
    try:
        while True:
            chunk = line.recv(1 << 16)
            if not chunk:
                return None
            heard += chunk
    except (BlockingIOError, TimeoutError):
        return heard
    except OSError:
        return None


def floods(line, data, seconds):
    """Writes as fast as the server reads. Says how long, and how many bytes."""
    line.settimeout(0.5)
    start, flood = time.monotonic(), Flood(line, data)
    while time.monotonic() - start < seconds and flood.goes_on():
        pass
    return time.monotonic() - start, flood.sent


def stalled(server, count, seconds, talk=True):
    """Half of the members of each room read nothing. One talks at the limit."""
    lines, talkers = [], []
    for number in range(count // 2):
        for name in ("ben", "cem"):
            lines.append(server.upgrade(server.path(f"r{number}", name), small=True))
        if talk:
            talkers.append(server.upgrade(server.path(f"r{number}", "ana")))
    joined = server.memory()
    for line in lines + talkers:
        line.setblocking(False)

    words, start, rounds = chat("x" * 2000), time.monotonic(), 0
    while time.monotonic() - start < seconds:
        for line in talkers:
            drain(line)
            try:
                line.send(words)
            except OSError:
                pass
        rounds += 1
        time.sleep(max(0, start + rounds * 0.1 - time.monotonic()))
    memory = server.memory()

    out = count // 2 * (3 if talk else 2) - server.members()
    for line in lines + talkers:
        line.close()
    return joined, memory, out


def evictions(server, run):
    """Whether Ana or Ben, who read all the time, lose their places to a flooder."""
    room = f"flood{run}"
    ana, ben = (server.upgrade(server.path(room, name)) for name in ("ana", "ben"))
    eve = server.upgrade(server.path(room, "cem"))
    for line in (ana, ben, eve):
        line.setblocking(False)
    flood, heard, floods = Flood(eve, chat("x" * 20) * 50), {ana: b"", ben: b""}, True
    start = time.monotonic()
    while time.monotonic() - start < 3:
        floods = floods and drain(eve) is not None and flood.goes_on()
        for line in heard:
            heard[line] += drain(line) or b""
        if not floods:
            time.sleep(0.01)
    for line in (ana, ben, eve):
        line.close()
    return any(b"too slow" in text for text in heard.values())


def slowloris(package, honest_seconds):
    """How long an honest client waits behind 300 half-sent handshakes."""
    with Server(package, files=256) as server:
        half = []
        for _ in range(300):
            line = server.dial()
            line.sendall(b"GET /ws/chat/rust HTTP/1.1\r\nHost:")
            half.append(line)
        start = time.monotonic()
        try:
            server.upgrade(server.path("rust", "ana"), timeout=honest_seconds).close()
            return time.monotonic() - start
        except (OSError, AssertionError):
            return None
        finally:
            for line in half:
                line.close()


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


class Report:
    """Prints a table, and remembers what was too much."""

    def __init__(self, check):
        self.check, self.failed = check, False

    def row(self, what, package, result, fine=True):
        judged = self.check and not fine
        self.failed |= judged
        print(f"{what:<44} {package[:9]:<10} {result}{'  TOO MUCH' if judged else ''}", flush=True)


def with_small_buffers():
    """Begins anew in a network of its own, where the kernel keeps little for each line.

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
    build = ["cargo", "build", "--quiet", "--workspace", "--bins"]
    subprocess.run(build, cwd=ROOT, check=True)
    with_small_buffers()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    wanted = [word for word in sys.argv[1:] if word != "--check"]
    check = "--check" in sys.argv
    report = Report(check)
    both = [LESSON_10] if check else [LESSON_08, LESSON_10]

    def part(name):
        return not wanted or name in wanted

    if part("idle"):
        for package in both:
            with Server(package, **ROOMY) as server:
                _, memory, _ = stalled(server, 1000, 1, talk=False)
                report.row("1,000 idle clients", package, f"{server.begin:.0f} -> {memory:.0f} MiB", memory < 96)

    if part("stalled"):
        policies = ["close"] if check else ["close", "drop", "tell"]
        for package in both:
            for policy in policies if package == LESSON_10 else [""]:
                with Server(package, **ROOMY, **MANY_VOICES, SLOW_CLIENT=policy) as server:
                    seconds = 15 if check else 25
                    joined, memory, out = stalled(server, 1000, seconds)
                    report.row(
                        f"1,000 stalled clients, {seconds} s {policy}",
                        package,
                        f"{joined:.0f} -> {memory:.0f} MiB, {out} cut off",
                        memory < 320,
                    )

    if part("pings"):
        for package in both if check else [LESSON_01, *both]:
            with Server(package) as server:
                took, sent = floods(connects(server, package), frame(PING, b"x" * 125) * 100, 8)
                memory = server.memory()
                report.row(
                    "ping flood, pongs not read",
                    package,
                    f"{server.begin:.0f} -> {memory:.0f} MiB, over after {took:.1f} s and {sent / 1e6:.1f} MB",
                    memory < 64,
                )

    if part("fragments"):
        for package in both if check else [LESSON_01, *both]:
            with Server(package, **ROOMY) as server:
                begin = frame(TEXT, b"x" * 60_000, last=False)
                piece = frame(CONTINUATION, b"x" * 60_000, last=False) * 16
                sent = 0
                lines = []
                for number in range(20):
                    path = "/ws" if package == LESSON_01 else server.path(f"r{number}", "cem")
                    line = server.upgrade(path)
                    lines.append(line)
                    try:
                        line.sendall(begin)
                    except OSError:
                        pass
                for line in lines:
                    sent += floods(line, piece, 0.5)[1]
                memory = server.memory()
                report.row(
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
            report.row("300 half-sent handshakes, 256 files", package, result, waited is not None and waited < 10)

    if part("flooder"):
        for package in both:
            with Server(package) as server:
                runs = 3 if check else 10
                # Eve may have five connections, and each waits for her goodbye.
                evicted = sum(evictions(server, run) for run in range(runs))
                report.row(
                    "a flooder and two neighbours who read",
                    package,
                    f"neighbours thrown out in {evicted} of {runs} runs",
                    evicted == 0,
                )

    if part("frames"):
        for package in both:
            it = empty_frames(package, 8 if check else 45)
            report.row(
                "a message without an end, in empty pieces",
                package,
                f"{it['frames'] / 1e6:.1f} M frames/s for {it['seconds']:.0f} s, {it['cpu']:.1f} cores, "
                f"{it['memory']:.0f} MiB; others wait {1000 * it['wait']:.0f} ms, at most "
                f"{1000 * it['longest']:.0f}",
                it["memory"] < 64 and it["frames"] < 200_000,
            )

    sys.exit(report.failed)


if __name__ == "__main__":
    main()
