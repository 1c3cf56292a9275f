"""What the measurements share: a program of the course, and a WebSocket client.

Each client is a socket with frames of our own making, because a proper library would
read, answer pings, and keep to the protocol. Needs Linux, and nothing but Python.
"""

import base64
import contextlib
import http.client
import itertools
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PASSWORDS = {"ana": "ana-likes-tea", "ben": "ben-likes-jam", "cem": "cem-likes-figs"}

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

# Processes that begin at the same time have ports that are far from each other.
PORTS = itertools.count(os.getpid() * 211)

TIMEOUT = 10  # Seconds that we wait for anything, unless it says so.

# What a check of ours ends with if it finds out nothing.
CANNOT_BE_TRIED = (
    AssertionError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    http.client.HTTPException,
    subprocess.SubprocessError,
)

# The whole server, on which everything is tried that only a whole server can fail at.
WHOLE = "lesson_24_capstone"

# What each setting is called in its environment.
SETTINGS = {
    "address": "CHAT_ADDR",
    "secret": "CHAT_JWT_SECRET",
    "database": "CHAT_DATABASE",
    "connections": "CHAT_MAX_CONNECTIONS",
    "connections_per_user": "CHAT_MAX_CONNECTIONS_PER_USER",
    "members_per_room": "CHAT_MAX_MEMBERS_PER_ROOM",
    "rooms": "CHAT_MAX_ROOMS",
    "messages_per_second": "CHAT_MESSAGES_PER_SECOND",
    "message_burst": "CHAT_MESSAGE_BURST",
    "changes_per_second": "CHAT_CHANGES_PER_SECOND",
    "change_burst": "CHAT_CHANGE_BURST",
    "outbox": "CHAT_OUTBOX_SIZE",
    "reads_per_second": "CHAT_READS_PER_SECOND",
    "read_burst": "CHAT_READ_BURST",
}

# Its exit code when it has stopped, and somebody had not left in time.
NOT_ALL_LEFT = 3


def next_part(headers):
    """Where the next part of a list is, if there is one: `<path>; rel="next"` (RFC 8288)."""
    link = re.search(r'<([^>]*)>; *rel="next"', headers["Link"] or "")
    return link and link[1]


def build(*packages, profile="debug"):
    """Builds these programs, or all. In debug builds all are as fast: alone, a program has
    fewer features of the crates of others, and these would be compiled anew."""
    if profile == "debug":
        how = ["--workspace", "--bins"]
    else:
        how = ["--release", *(word for package in packages for word in ("-p", package))]
    subprocess.run(["cargo", "build", "--quiet", *how], cwd=ROOT, check=True)


def comes_first():
    """Whatever else this machine does can wait for us, and for the programs that we start. For
    what is about time: beside others, it would measure them."""
    with contextlib.suppress(PermissionError):
        os.nice(-10)


def in_memory():
    """A new folder in memory, where there is such a place: what is in it waits for no disk."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


class Server:
    """A program of the course on a free port, with at most so many open files."""

    def __init__(self, package, files=4096, profile="debug", **env):
        self.package = package
        self.printed = tempfile.TemporaryFile()  # Not a pipe: nobody reads all of it.
        self.start(self.printed, files, profile, {"ADDR": "127.0.0.1:0", "METRICS_ADDR": "127.0.0.1:0", **env})
        self.port = self.wait_for_port()

    def start(self, stdout, files=4096, profile="debug", env={}):
        """Starts the process. `stdout` is a file, or None if it shall be closed."""

        def prepare():
            if stdout is None:
                os.close(1)
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
            # A shell that starts us with `&` ignores Ctrl-C, and that is inherited.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            # A file that may not become longer is an error, and not the end of the process.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [TARGET / profile / self.package],
            env={**os.environ, "RUST_BACKTRACE": "0", **env},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=self.errors,
            preexec_fn=prepare,
        )

    def wait_for_port(self):
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and self.process.poll() is None:
            if port := port_in(contents(self.printed)):
                return port
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"{self.package} does not say where it listens: {self.said()}")

    def said(self):
        """What it has written to standard error."""
        return contents(self.errors).decode().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.kill()
        self.process.wait()

    def memory(self, which="VmHWM"):
        """The most memory that it has had so far (VmHWM), or has now (VmRSS), in MiB."""
        return self.status(which) / 1024

    def status(self, name):
        """A line of /proc/…/status, such as `Threads`."""
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith(f"{name}:"))
        return int(line.split()[1])

    def cpu(self):
        """The processor's time that it has used, in seconds."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, method, path, body=None, source=None, timeout=2 * TIMEOUT, token=None):
        """One request over HTTP, from an address of ours: status, headers, text."""
        source = source and (source, 0)
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout, source)
        headers = {} if body is None else {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            client.request(method, path, None if body is None else json.dumps(body), headers)
            answer = client.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            client.close()

    def log_in(self, name, password, source=None):
        credentials = {"username": name, "password": password}
        return self.ask("POST", "/login", credentials, source)

    def token(self, name, source=None):
        status, _, text = self.log_in(name, PASSWORDS[name], source)
        assert status == 200, f"{name} cannot sign in: {status} {text}"
        return json.loads(text)["token"]

    def dial(self, small=False, timeout=TIMEOUT, source=None):
        connection = socket.socket()
        if source:
            connection.bind((source, 0))
        if small:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(timeout)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def upgrade_request(self, path):
        """A request for a WebSocket."""
        key = base64.b64encode(os.urandom(16)).decode()
        return (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()

    def upgrade(self, path, small=False, timeout=TIMEOUT):
        """A connection after the opening handshake."""
        connection = self.dial(small, timeout)
        connection.sendall(self.upgrade_request(path))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                raise ConnectionError("the connection ended during the handshake")
            head += byte
        assert b" 101 " in head, head.decode()
        return connection


class WholeServer(Server):
    """The whole server, by default, with its settings in the environment."""

    def __init__(self, package=WHOLE, profile="debug", files=4096, env={}, **settings):
        settings = {"address": "127.0.0.1:0", "secret": "x" * 32, **settings}
        names = {SETTINGS[name]: str(value) for name, value in settings.items()}
        super().__init__(package, files, profile, **names, **env)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def ready(self):
        status, _, text = self.ask("GET", "/ready")
        return status, text

    def stops(self, number=signal.SIGTERM, within=2 * TIMEOUT):
        """Sends a signal. Returns the exit code, and how long it took."""
        start = time.monotonic()
        self.process.send_signal(number)
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            code = None
        return code, time.monotonic() - start


def arguments(words, usage):
    """What a program is asked for: a package, numbers, flags, and other words."""
    flags = {word for word in words if word.startswith("--")}
    rest = [word for word in words if word not in flags]
    packages = [word for word in rest if word.startswith("lesson_")]
    numbers = [int(word) for word in rest if word.isdigit()]
    others = [word for word in rest if word not in packages and not word.isdigit()]
    if unknown := flags - {"--check", "--release"}:
        sys.exit(f"{' '.join(unknown)}: unknown.\n{usage}")
    return (packages or [WHOLE])[0], numbers, flags, others


def counted(counts):
    """Counts as a table shows them: `3 x 200, 1 x 503`."""
    return ", ".join(f"{count} x {what}" for what, count in counts.items())


def contents(file):
    """What a process has written to a file of ours. It writes at the position of which we have
    a copy and no other one, so this does not move it: `seek(0)` would make it write over what
    it has written before."""
    descriptor = file.fileno()
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def port_in(printed):
    """The port of the first whole URL in what a program has printed."""
    head, found, rest = printed.partition(b"http://127.0.0.1:")
    digits = bytes(rest).split()[:1]
    return int(digits[0]) if found and digits and rest[len(digits[0]) :] else None


def free_ports(count):
    """Ports for programs that are told where to listen. They are not among those that the system
    gives to clients, and to whoever wants any: otherwise one of these could have a port before
    the program listens on it, or while it is away for a moment."""
    found = []
    while len(found) < count:
        port = 20_000 + next(PORTS) % 12_000
        try:
            socket.create_server(("127.0.0.1", port)).close()
            found.append(port)
        except OSError:
            pass  # The next one.
    return found


def certificate(cert, key):
    """Makes a certificate for this machine, which it has signed itself, and its key."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext"]
        + ["subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext"]
        + ["basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )


def frame(kind, payload=b"", last=True):
    """A frame of a client. The mask is all zeros, so it changes nothing."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = bytes([0xFE]) + size.to_bytes(2, "big")
    return bytes([kind | (0x80 if last else 0)]) + length + bytes(4) + payload


def close_frame(code=1000):
    return frame(CLOSE, code.to_bytes(2, "big"))


def chat(content):
    return frame(TEXT, json.dumps({"type": "chat", "content": content}).encode())


class Frames:
    """Reads the frames of a server, one by one."""

    def __init__(self, connection):
        self.connection, self.bytes = connection, b""

    def until(self, kind, timeout):
        """The payload of the next frame of a kind. None if the connection ends first."""
        deadline = time.monotonic() + timeout
        while (got := self.next(deadline)) is not None:
            if got[0] == kind:
                return got[1]
        return None

    def next(self, deadline):
        """The next frame: its kind and its payload. None at the connection's end. Of a frame that
        is not whole in time, nothing is lost: the next call goes on with it."""
        if not self.has(2, deadline):
            return None
        size, head = self.bytes[1], 2  # A server does not mask.
        if size >= 126:
            head += 2 if size == 126 else 8
            if not self.has(head, deadline):
                return None
            size = int.from_bytes(self.bytes[2:head], "big")
        if not self.has(head + size, deadline):
            return None
        kind, payload = self.bytes[0] & 15, self.bytes[head : head + size]
        self.bytes = self.bytes[head + size :]
        return kind, payload

    def has(self, count, deadline):
        """Reads until there are so many bytes. False if the connection ends first."""
        while len(self.bytes) < count:
            self.connection.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                chunk = self.connection.recv(1 << 16)
            except ConnectionError:
                return False
            if not chunk:
                return False
            self.bytes += chunk
        return True


def drain(connection):
    """Reads whatever is there. None if the connection has ended."""
    received = b""
    try:
        while True:
            chunk = connection.recv(1 << 16)
            if not chunk:
                return None
            received += chunk
    except (BlockingIOError, TimeoutError):
        return received
    except OSError:
        return None


class Report:
    """Prints a table, and remembers what was not as it should be."""

    def __init__(self, check):
        self.check, self.problems = check, []

    def row(self, *cells):
        """`cells` are pairs: a text, and how wide its column is."""
        print("  ".join(f"{text:<{width}}" for text, width in cells).rstrip(), flush=True)

    def expect(self, holds, sentence):
        if not holds and sentence not in self.problems:
            self.problems.append(sentence)

    def end(self):
        """The exit code. With `--check` it says what was wrong."""
        for sentence in self.problems:
            head = "WRONG" if self.check else "Beyond the limits"
            print(f"{head}: {sentence.removesuffix('.')}.")
        return int(self.check and bool(self.problems))
