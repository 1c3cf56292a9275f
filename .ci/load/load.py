"""Runs the generator of lesson 23 against servers, and prints tables. See `run`.

The server has one processor, and the generator another one, so that neither takes the time of the
other. All servers have one thread. Each figure is for five rooms of twenty members, two of whom
write, unless it says so: from lesson 08 on there are twenty people, and somebody can be in a room
only once. The capstone has three people, so it stands beside lesson 07 with rooms of three.
Messages are a hundred bytes and what the server adds.
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "measure"))
import client  # noqa: E402 (now it is found)
from client import Server, WholeServer, build  # noqa: E402
from delivery_client import SECRET, head, line, token  # noqa: E402

HERE = Path(__file__).parent
GENERATOR = "lesson_23_load"
PEOPLE = HERE.parents[1] / "lessons" / GENERATOR / "people.txt"
TWENTY = {"rooms": 5, "members": 20, "senders": 2}
THREE = {"rooms": 33, "members": 3, "senders": 1}
SERVER_CPU, GENERATOR_CPU = {0}, {min(1, os.cpu_count() - 1)}
NAMES = [line.split()[0] for line in PEOPLE.read_text().splitlines()]
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

# What a server is asked to carry, to compare latencies: all of them can.
COMMON_RATE = 1_000

# The first rate of the search for a knee, and how near it has to come: a factor.
FIRST_RATE, NEAR = 500, 1.25

IDLE = 15_000


class Other(Server):
    """A server that somebody else has written, or with something else."""

    def __init__(self, name, command):
        self.package, self.port = name, client.free_ports(1)[0]
        self.errors = tempfile.TemporaryFile()
        command = [str(word).replace("PORT", str(self.port)) for word in command]
        self.process = subprocess.Popen(
            command,
            cwd=HERE,
            env={**os.environ, "PORT": str(self.port), "WS_NO_BUFFER_UTIL": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
        )
        deadline = time.monotonic() + client.TIMEOUT
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                return self.dial().close()
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{name} does not listen: {self.said()}")


def lesson(package, **env):
    threads = {"TOKIO_WORKER_THREADS": "1", "JWT_SECRET": SECRET, "RUST_LOG": "warn"}
    return lambda: Server(package, files=FILES, profile="release", **threads, **env)


def capstone():
    many = 1_000_000
    lifted = dict.fromkeys(client.SETTINGS, many)
    for name in ("address", "secret", "database"):
        del lifted[name]
    # It checks that an outbox has room for what a full room may send at once.
    burst = 2_000
    lifted |= {"connections": FILES - 1_000, "connections_per_user": FILES // 4}
    lifted |= {"members_per_room": 3, "message_burst": burst, "outbox": 3 * (burst + 1)}
    env = {"TOKIO_WORKER_THREADS": "1", "CHAT_LOG_FILTER": "warn"}
    return WholeServer(profile="release", files=FILES, secret=SECRET, env=env, **lifted)


PYTHON = client.TARGET / "load/bin/uvicorn"
BUN = HERE / "node_modules/@oven/bun-linux-x64/bin/bun"
UVICORN = [PYTHON.absolute(), "chat:app", "--port", "PORT", "--log-level", "warning"]

SERVERS = {
    "lesson_07_rooms": lesson("lesson_07_rooms"),
    "lesson_12_slow_clients": lesson("lesson_12_slow_clients"),
    "lesson_20_scale_out": lesson("lesson_20_scale_out"),
    client.WHOLE: capstone,
    "FastAPI": lambda: Other("FastAPI", UVICORN),
    "ws (Node)": lambda: Other("ws", ["node", "chat.mjs"]),
    "Bun": lambda: Other("Bun", [BUN.absolute(), "chat.bun.js"]),
}
NEEDED = {"FastAPI": PYTHON, "ws (Node)": HERE / "node_modules/ws", "Bun": BUN}


@contextlib.contextmanager
def serving(name):
    """A server, on its own processor."""
    with SERVERS[name]() as server:
        for thread in os.listdir(f"/proc/{server.process.pid}/task"):
            os.sched_setaffinity(int(thread), SERVER_CPU)
        yield server


def generate(server, **options):
    """Runs the generator beside a server, and returns what it has measured."""
    with contextlib.ExitStack() as stack:
        if server.package.startswith("lesson_") and server.package != "lesson_07_rooms":
            # Twenty passwords would take seconds to check.
            people = stack.enter_context(tempfile.NamedTemporaryFile("w"))
            for name in NAMES[: options["members"]]:
                print(name, token(server.package, name), file=people)
            people.flush()
            options["people"] = people.name
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        command = [client.TARGET / "release" / GENERATOR, "--server", f"127.0.0.1:{server.port}"]
        prepare = lambda: (os.sched_setaffinity(0, GENERATOR_CPU), resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)))
        done = subprocess.run(
            [*command, "--json", "true", *words], stdout=subprocess.PIPE, preexec_fn=prepare, timeout=600
        )
    if done.returncode:
        raise RuntimeError(f"the generator failed with {server.package}")
    return json.loads(done.stdout)


def shapes(names):
    """Servers, and with which rooms."""
    for name in names:
        if name == client.WHOLE:
            yield "lesson_07_rooms", THREE
        yield name, THREE if name == client.WHOLE else TWENTY


def with_twenty(names):
    """Servers that know twenty people, or ask nobody who it is. The capstone has only three."""
    return [name for name in names if name != client.WHOLE]


def title(name, shape):
    return name if shape is TWENTY else f"{name}, rooms of {shape['members']}"


def times(row):
    return [f"{row[name]:,.2f}" for name in ("p50", "p99", "p999", "max")]


def find_knee(name, shape, seconds):
    """The last rate at which a server keeps up, and the first at which it does not."""
    good, bad, rate = 0, None, FIRST_RATE
    while bad is None or bad > NEAR * max(good, 1):
        with serving(name) as server:
            last, _ = generate(server, rate=rate, seconds=seconds, **shape)["knee"]
        good, bad = (rate, bad) if last else (good, rate)
        rate = 2 * good if bad is None else round((good * bad) ** 0.5 if good else bad / 2)
        if rate < 2:
            break
    return good, bad


def knee(names, seconds):
    """Up to which rate each server keeps up, and how it is at half of that."""
    head("server", "keeps up with", "not with", "deliveries/s", "at half of that: p50", "p99", "p99.9", "max ms", "processor")
    for name, shape in shapes(names):
        good, bad = find_knee(name, shape, seconds)
        rate = max(good // 2, 1)
        with serving(name) as server:
            before, start = server.cpu(), time.monotonic()
            row = generate(server, rate=rate, seconds=seconds, **shape)["rows"][0]
            busy = (server.cpu() - before) / (time.monotonic() - start)
        line(title(name, shape), f"{good:,}", f"{bad:,}", f"{good * shape['members']:,}", *times(row), f"{busy:.0%}")


def latency(names, seconds):
    """The same load for all."""
    print(f"\n{COMMON_RATE:,} messages a second:")
    head("server", "p50", "p99", "p99.9", "max ms", "missing")
    for name, shape in shapes(names):
        with serving(name) as server:
            row = generate(server, rate=COMMON_RATE, seconds=seconds, **shape)["rows"][0]
        line(title(name, shape), *times(row), str(row["missing"]))


def omission(names, seconds):
    """The same server stops for a second, once with an open loop and once with a closed one."""
    print("\nA second without a server (SIGSTOP), one who writes 50 messages a second:")
    head("server", "loop", "p50", "p99", "p99.9", "max ms")
    for name in names[:1]:
        for loop, closed in (("open", 0), ("closed", 1)):
            with serving(name) as server:
                stop = subprocess.Popen(
                    ["sh", "-c", f"sleep 4; kill -STOP {server.process.pid}; sleep 1; kill -CONT {server.process.pid}"]
                )
                options = {"members": 20, "senders": 1, "rate": 50, "closed": closed, "seconds": max(seconds, 6)}
                row = generate(server, **options)["rows"][0]
                stop.wait()
            line(name, loop, *times(row))


def idle(names, seconds):
    """Many connections on which hardly anything happens."""
    count = min(IDLE, FILES - 1_000)
    print(f"\n{count:,} connections in rooms of ten, and ten messages a second:")
    head("server", "KiB for each", "handshake p50", "p99", "max ms", "delivery p99")
    for name in with_twenty(names):
        if name == "lesson_20_scale_out":
            continue  # Each room has a log.
        with serving(name) as server:
            time.sleep(0.5)
            before = server.memory("VmRSS")
            options = {"members": 10, "senders": 1, "rooms": count // 10, "rate": 10, "seconds": seconds, "arrivals": 1_000}
            result = generate(server, **options)
            most = server.memory("VmHWM")
            handshakes = next(row for row in result["rows"] if row["name"] == "handshakes")
            cells = [f"{handshakes[it]:,.2f}" for it in ("p50", "p99", "max")]
            line(name, f"{1024 * (most - before) / count:.1f}", *cells, f"{result['rows'][0]['p99']:,.2f}")


def storm(names, seconds):
    """A thousand connections end in one moment, and come back."""
    print("\n1,000 members in rooms of ten come back at once:")
    head("server", "back p50", "p99", "max ms", "delivery max ms", "missing")
    for name in with_twenty(names):
        with serving(name) as server:
            options = {"members": 10, "senders": 1, "rooms": 100, "rate": 100, "storm": 2, "seconds": max(seconds, 4)}
            rows = {row["name"]: row for row in generate(server, **options)["rows"]}
        back = rows["back after the storm"]
        first = rows["100 messages/s"]
        line(name, *(f"{back[it]:,.2f}" for it in ("p50", "p99", "max")), f"{first['max']:,.2f}", str(first["missing"]))


def slow(names, seconds):
    """One of twenty does not read."""
    print("\nOne member of twenty does not read; 500 messages of 1,900 bytes a second:")
    head("server", "delivery p99", "max ms", "missing", "MiB more", "what became of it")
    for name in with_twenty(names):
        with serving(name) as server:
            before = server.memory("VmRSS")
            options = {"members": 20, "senders": 1, "slow": 1, "rate": 500, "size": 1_900, "seconds": max(seconds, 5)}
            result = generate(server, **options)
            more = server.memory("VmHWM") - before
        row, events = result["rows"][0], "; ".join(result["events"]) or "it is still connected"
        line(name, f"{row['p99']:,.2f}", f"{row['max']:,.2f}", str(row["missing"]), f"{more:.1f}", events)


PARTS = {it.__name__: it for it in (latency, knee, omission, idle, storm, slow)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=int, default=10, help="how long each figure is measured")
    parser.add_argument("--only", nargs="+", help="some of the servers")
    parser.add_argument("--no-build", action="store_true")
    wanted = parser.parse_args()
    if unknown := set(wanted.parts) - set(PARTS):
        sys.exit(f"{', '.join(unknown)}: there are {', '.join(PARTS)}.")
    names = [name for name in SERVERS if wanted.only is None or name in wanted.only]
    for name in [name for name in names if not NEEDED.get(name, HERE).exists()]:
        print(f"{name} is left out: it is not installed.")
        names.remove(name)
    if not wanted.no_build:
        build(GENERATOR, *(name for name in names if name.startswith("lesson_")), profile="release")
    if os.cpu_count() < 2:
        print("There is one processor, so the generator and the server take time from each other.")
    for part in wanted.parts or PARTS:
        PARTS[part](names, wanted.seconds)


main()
