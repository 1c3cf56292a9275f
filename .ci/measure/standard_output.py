"""Measures whether clients notice that nobody reads what their server prints.

    .ci/measure/standard_output                       lessons 01 to 08, 13 and 24
    .ci/measure/standard_output lesson_07_rooms       this one alone
    .ci/measure/standard_output --check               the exit code is 1 if a client does

`println!` panics when standard output is gone, and waits when nobody reads it. A server
that writes its log like this sends no Close any more, or nothing at all. So we start each
server with a standard output that does not work, let clients leave, and expect:

* whoever closes with 1000 gets a Close with 1000 back, within five seconds;
* those who stay are served, and new clients get in;
* Ctrl-C (SIGINT) and SIGTERM end the process.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time

from client import CLOSE, PING, PONG, Frames, Report, Server
from client import build, close_frame, drain, frame, free_ports, port_in

PATHS = {
    "lesson_01_echo": "/ws",
    "lesson_02_disconnect": "/ws",
    "lesson_03_connection_manager": "/ws",
    "lesson_04_path_params": "/ws/{}",
    "lesson_05_query_params": "/ws/{}?token=let-me-in",
    "lesson_06_json": "/ws/user-{}",
    "lesson_07_rooms": "/ws/chat/rust/user-{}",
    "lesson_08_auth": "/ws/chat/room-{}",
    # Lessons 09 to 12 write their log as lesson 08 does, and end as it does.
    "lesson_13_shutdown": "/ws/chat/room-{}",
    "lesson_24_capstone": "/ws/chat/room-{}",
}
WITH_SIGN_IN = [package for package in PATHS if package >= "lesson_08"]
# Here all clients are Ana, and come as fast as they can.
LIMITS = {
    "lesson_13_shutdown": {"SHUTDOWN_TIMEOUT": "1"},
    "lesson_24_capstone": {
        "CHAT_MAX_CONNECTIONS_PER_USER": "100",
        "CHAT_MAX_MEMBERS_PER_ROOM": "1",
        "CHAT_MESSAGES_PER_SECOND": "100000",
        "CHAT_MESSAGE_BURST": "500",
        # A client that stays does not answer the Close, and would be waited for.
        "CHAT_SHUTDOWN_TIMEOUT": "1",
    }
}
# It has no log, and does not know how a client left. It only has to stay alive.
WITHOUT_CLOSE = "lesson_01_echo"

CLIENTS = 2000  # Enough to fill 64 KiB with any line of a log, once the pipe is full.
FEW_CLIENTS = 100  # Where the first line of the log shows what happens.
AT_ONCE = 20  # Together they come, and together they leave.
# A server that waits for a reader waits for ever, and one that does not answers in milliseconds.
ANSWER = 5.0  # Seconds until a client must have its Close, a pong, or its upgrade.
STOP = 10.0  # Seconds until a signal must have ended the process.
PAGE = 4096  # The smallest pipe that Linux has, in bytes.


class Failed(Exception):
    """A client or the process did not get what it should. The text is half a sentence."""


class Gone:
    """A pipe whose reader is gone before the program starts."""

    title, clients = "no reader from the start", FEW_CLIENTS

    def __init__(self):
        self.reader, self.writer = os.pipe()

    def before(self):
        os.close(self.reader)

    def after(self, server):
        pass

    def close(self):
        pass


class Head(Gone):
    """A pipe whose reader has read one line and ends, as in `… | head -1`."""

    title = "the reader ends after a line"

    def before(self):
        pass

    def after(self, server):
        self.read_address()
        os.close(self.reader)

    def read_address(self):
        read = b""
        while not port_in(read):
            chunk = os.read(self.reader, 1 << 16)
            if not chunk:
                raise Failed("it ended before it said where it listens")
            read += chunk


class Full(Head):
    """A pipe that nobody reads any more, and that is full."""

    title, clients = "nobody reads, and it is full", CLIENTS

    def after(self, server):
        self.read_address()
        # Who answers has printed all lines of its start. With one of them in hand, it would
        # wait for room for a second before it serves anybody.
        server.ask("GET", "/")
        fcntl.fcntl(self.reader, fcntl.F_SETPIPE_SZ, PAGE)
        # A file description of our own: on the server's, O_NONBLOCK would hold for it, too.
        filler = os.open(f"/proc/self/fd/{self.reader}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(filler, b"\n")
        except BlockingIOError:
            os.close(filler)

    def close(self):
        os.close(self.reader)


class Closed(Gone):
    """No file descriptor 1 at all, as in `… >&-`."""

    title = "file descriptor 1 is closed"

    def before(self):
        os.close(self.reader)
        os.close(self.writer)
        self.writer = None


class MuteServer(Server):
    """A program whose standard output does not work."""

    def __init__(self, package, output):
        self.package, self.port = package, free_ports(1)[0]
        output.before()
        env = {"ADDR": f"127.0.0.1:{self.port}", **LIMITS.get(package, {})}
        self.start(output.writer, env=env)
        if output.writer is not None:
            os.close(output.writer)
        self.wait_until_it_listens()
        output.after(self)

    def wait_until_it_listens(self):
        deadline = time.monotonic() + STOP
        while True:
            try:
                return self.dial().close()
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise Failed(f"it does not listen{last_words(self)}")
                time.sleep(0.01)

    def paths(self):
        path = PATHS[self.package]
        if self.package in WITH_SIGN_IN:
            path += f"?token={self.token('ana')}"
        number = 0
        while True:
            number += 1
            yield path.format(number)

    def stops(self, number):
        """How long a signal takes to end the process."""
        start = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            raise Failed(f"{number.name} does not end it within {STOP:.0f} s")
        return time.monotonic() - start


def gets_in(server, path, who):
    """A new client, whose first ping is answered."""
    try:
        client = Frames(server.upgrade(path, timeout=ANSWER))
    except (OSError, AssertionError) as error:
        raise Failed(f"{who} does not get in: {error}")
    is_served(client, who)
    return client


def is_served(client, who):
    client.connection.sendall(frame(PING))
    try:
        pong = client.until(PONG, ANSWER)
    except TimeoutError:
        raise Failed(f"{who} waits for its pong for more than {ANSWER:.0f} s")
    if pong is None:
        raise Failed(f"the connection of {who} has ended")


def leaves(client, since, who):
    """Reads on until the Close comes back. Returns how long it took."""
    try:
        payload = client.until(CLOSE, since + ANSWER - time.monotonic())
    except TimeoutError:
        raise Failed(f"{who} closes with 1000, and has no Close back after {ANSWER:.0f} s")
    if payload is None:
        raise Failed(
            f"{who} closes with 1000, and the connection ends without a Close: 1006 in a browser"
        )
    if payload != (1000).to_bytes(2, "big"):
        raise Failed(f"{who} closes with 1000, and gets {payload!r} back")
    return time.monotonic() - since


def measure(package, output, clients, number):
    """One server, from its start to its end: how many left in peace, how long the slowest
    of them waited, how long the signal took, and half a sentence if something was wrong."""
    left, slowest = 0, 0.0
    server = None
    try:
        server = MuteServer(package, output)
        paths = server.paths()
        witness = gets_in(server, next(paths), "the first client")
        while left < clients:
            names = [f"client {left + number} of {clients}" for number in range(1, AT_ONCE + 1)]
            crowd = [(name, gets_in(server, next(paths), name)) for name in names]
            since = time.monotonic()
            for _, client in crowd:
                client.connection.sendall(close_frame())
            for name, client in crowd:
                if package != WITHOUT_CLOSE:
                    slowest = max(slowest, leaves(client, since, name))
                client.connection.close()
                left += 1
            # It also receives who comes and goes, in some lessons, and must keep up.
            is_served(witness, "a client that stays")
        gets_in(server, next(paths), "a new client").connection.close()
        return left, slowest, server.stops(number), None
    except Failed as failed:
        return left, slowest, None, f"{failed}{last_words(server)}"
    finally:
        if server is not None:
            server.stop()
        output.close()


def last_words(server):
    """What a thread of the server said when it panicked, if one did."""
    said = server.said().splitlines() if server else []
    panics = [why for head, why in zip(said, said[1:]) if " panicked at " in head]
    return f" (it panicked: {panics[0]})" if panics else ""


def main():
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")] or [*PATHS]
    report = Report("--check" in sys.argv)
    build(*wanted)
    widths = [28, 29, 14, 8, 8, 8]
    titles = ["debug build", "standard output", "left with 1000", "slowest", "SIGINT", "SIGTERM"]
    report.row(*zip(titles, widths))
    for package in wanted:
        for output in [Gone, Head, Full, Closed]:
            few = measure(package, output(), FEW_CLIENTS, signal.SIGINT)
            many = measure(package, output(), output.clients, signal.SIGTERM)
            report.row(*zip([package, output.title, *cells(few, many)], widths))
            for *_, problem in few, many:
                report.expect(problem is None, f"{package}, {output.title}: {problem}")
    return report.end()


def cells(few, many):
    """What the table says of two servers."""
    yield str(few[0] + many[0])
    for seconds in [max(few[1], many[1]), few[2], many[2]]:
        yield "-" if seconds is None else f"{1000 * seconds:.0f} ms"


sys.exit(main())
