#!/usr/bin/env python3
"""Lesson 22 as it is, over TLS, and behind three proxies: what comes through, what is cut, who is
believed, and which attacks end where. Needs Linux, nginx, Caddy, HAProxy, openssl and Node.

    .ci/edge/edge.py              everything but the following
    .ci/edge/edge.py --nightly    also the idle time-outs as they are shipped, with the heartbeat
                                  of lesson 09, and what .ci/interop has, directly over wss and
                                  through each proxy: the cases of Autobahn, and the clients

The configurations are those of the lesson, with other ports, and with shorter time-outs, so that
nobody waits for a minute. Each attack is tried on lesson 08, which has no cure, on lesson 22,
and on lesson 08 behind each proxy, so that the proxy alone can be the cure. .ci/edge/run builds
what is needed. Ends with 1 if something is not as the chapter says.
"""

import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "measure")]

from compiled import copy_file, link_compiled, tracked_files, write_all_features
from client import CANNOT_BE_TRIED, CONTINUATION, PASSWORDS, PING, PONG, ROOT, TARGET, TEXT
from client import Frames, Report, Server, certificate, chat, contents, frame, free_ports

FOLDER = ROOT / "lessons" / "lesson_22_edge"
LESSON, BEFORE, HEARTBEAT = "lesson_22_edge", "lesson_08_auth", "lesson_09_heartbeat"
KINDS = ["nginx", "Caddy", "HAProxy"]
DIRECT = "directly"  # Over TLS, too, but to the lesson itself.

HEAD = 2  # Seconds of the time-outs for heads and bodies, in the attacks.
IDLE = 3  # Seconds of silence after which a proxy cuts, where we wait for it.
LATER = 8  # Seconds after which something that is not cut has no time-out.
GENEROUS = 12  # Seconds within which anything must happen, on a slow machine.

# What the chapter says of each proxy, and of the versions that Debian 12 has.
CUTS_IDLE = {"nginx": True, "Caddy": False, "HAProxy": True}
SURVIVES_RELOAD = {"nginx": True, "Caddy": False, "HAProxy": True}
LIMITS_ADDRESSES = {"nginx": True, "Caddy": False, "HAProxy": True}
OVER_HTTP2 = {"nginx": False, "Caddy": False, "HAProxy": True}
# nginx counts from one byte of a body to the next. It keeps such a body for itself.
ENDS_A_SLOW_BODY = {"nginx": False, "Caddy": True, "HAProxy": True}

report = Report(check=True)
STARTED = []  # All processes, so that none outlives us.


def expect(holds, sentence):
    report.expect(holds, sentence)
    return holds


def guarded(check, *arguments, failed="failed"):
    """What a check finds out. If it cannot, that is wrong, too, and the others go on."""
    try:
        return check(*arguments)
    except CANNOT_BE_TRIED as error:
        names = ", ".join(str(it) for it in arguments if isinstance(it, (Way, Proxy, Front)))
        expect(False, f"{check.__name__} ({names}) could not be tried: {error!r}")
        return failed


class Files:
    """A certificate for localhost, its key, and a folder for everything else."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.folder.chmod(0o755)  # nginx's workers are somebody else.
        self.cert, self.key = self.folder / "cert.pem", self.folder / "key.pem"
        certificate(self.cert, self.key)

    def trust(self):
        """A client's side of TLS that trusts this certificate alone."""
        context = ssl.create_default_context(cafile=self.cert)
        context.set_alpn_protocols(["http/1.1"])
        return context


class Proxy:
    """A proxy with the lesson's configuration, in front of a server."""

    def __init__(self, kind, files, upstream, changes={}):
        self.kind = kind
        self.port, self.tls, self.admin = free_ports(3)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=files.folder))
        self.folder.chmod(0o755)
        for source in files.cert, files.key:
            shutil.copy(source, self.folder)
        pair = files.cert.read_text() + files.key.read_text()
        (self.folder / "haproxy.pem").write_text(pair)
        file = {"nginx": "nginx.conf", "Caddy": "Caddyfile", "HAProxy": "haproxy.cfg"}[kind]
        text = (FOLDER / file).read_text()
        ports = {":8000": f":{upstream}", ":8080": f":{self.port}", ":8443": f":{self.tls}"}
        for old, new in {**ports, ":2019": f":{self.admin}", **changes}.items():
            # A change that finds nothing may be one that another proxy needs.
            if old not in text and old.startswith(":") and old != ":2019":
                raise RuntimeError(f"{file} has no {old}")
            text = text.replace(old, new)
        self.config = self.folder / file
        self.config.write_text(text)
        self.log = open(self.folder / "log", "w")
        command = {
            "nginx": ["nginx", "-p", ".", "-c", file, "-g", "daemon off;"],
            "Caddy": ["caddy", "run", "--config", file, "--adapter", "caddyfile"],
            "HAProxy": ["haproxy", "-W", "-f", file],
        }[kind]
        self.process = self.run(command)
        STARTED.append(self)
        self.wait()

    def __str__(self):
        return self.kind

    def run(self, command):
        env = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )

    def wait(self):
        deadline = time.monotonic() + GENEROUS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                for port in self.port, self.tls:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        said = (self.folder / "log").read_text()[-2000:]
        self.stop()
        raise RuntimeError(f"{self.kind} does not listen: {said}")

    def reload(self):
        if self.kind == "HAProxy":
            self.process.send_signal(12)  # SIGUSR2
            return
        command = {
            "nginx": ["nginx", "-p", ".", "-c", self.config.name, "-s", "reload"],
            # Without --force it does nothing, because nothing has changed.
            "Caddy": ["caddy", "reload", "--config", self.config.name, "--adapter", "caddyfile"]
            + ["--force", "--address", f"localhost:{self.admin}"],
        }[self.kind]
        code = self.run(command).wait(GENEROUS)
        expect(code == 0, f"{self.kind} does not reload: it ended with {code}")

    def workers(self):
        """The processes that serve, in nginx and HAProxy."""
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Way:
    """A way to a server: over TLS or not, and from an address of ours."""

    def __init__(self, name, port, trust=None, source="127.0.0.1"):
        self.name, self.port, self.trust, self.source = name, port, trust, source
        self.scheme = "https" if trust else "http"
        self.host = f"localhost:{port}"

    def __str__(self):
        return f"{self.name}, {self.scheme}"

    def dial(self, source=None, handshake=True):
        connection = socket.socket()
        connection.bind((source or self.source, 0))
        connection.settimeout(GENEROUS)
        connection.connect(("127.0.0.1", self.port))
        if self.trust and handshake:
            connection = self.trust.wrap_socket(connection, server_hostname="localhost")
        return connection

    def head(self, line, **headers):
        lines = [f"{line} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    def ask(self, request, source=None):
        """Status, head and body of an answer. The connection is closed then."""
        with self.dial(source) as connection:
            connection.sendall(request)
            return read_answer(connection)

    def log_in(self, name, password, source=None, **headers):
        body = json.dumps({"username": name, "password": password}).encode()
        head = self.head(
            "POST /login",
            Content_Type="application/json",
            Content_Length=len(body),
            Connection="close",
            **headers,
        )
        return self.ask(head + body, source)

    def token(self, name="ana"):
        status, _, body = self.log_in(name, PASSWORDS[name])
        if status != 200:
            raise RuntimeError(f"{self}: {name} cannot sign in: {status} {body}")
        return json.loads(body)["token"]

    def connect(self, room, token):
        """A connection after the handshake."""
        connection, status = self.upgrade(room, token)
        if not connection:
            raise RuntimeError(f"the handshake got {status}")
        return connection

    def upgrade(self, room, token, **headers):
        """A connection after the handshake, and the status. None if there is no 101."""
        connection = self.dial()
        connection.sendall(
            self.head(
                f"GET /ws/chat/{room}?token={token}",
                Connection="Upgrade",
                Upgrade="websocket",
                Sec_WebSocket_Version=13,
                Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
                **headers,
            )
        )
        head = b""
        while b"\r\n\r\n" not in head and (byte := connection.recv(1)):
            head += byte
        status = int(head.split()[1])
        return (connection if status == 101 else connection.close()), status


def read_answer(connection):
    received = b""
    try:
        while chunk := connection.recv(1 << 16):
            received += chunk
            head, end, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.I)
            if end and length and len(body) >= int(length[1]):
                break
    except (ConnectionError, TimeoutError, ssl.SSLError):
        pass
    head, _, body = received.decode(errors="replace").partition("\r\n\r\n")
    status = int(head.split()[1]) if head.startswith("HTTP/") else 0
    return status, head, body


def is_open(connection, seconds):
    """Whether a connection is still open after this time, or the seconds until it was not."""
    start = time.monotonic()
    connection.settimeout(seconds)
    try:
        while connection.recv(1 << 16):
            connection.settimeout(max(0.01, seconds - (time.monotonic() - start)))
    except TimeoutError:
        return True, seconds
    except (ConnectionError, ssl.SSLError):
        pass
    return False, time.monotonic() - start


# What comes through, and who is believed.


def talks(way, number):
    """A page of our own signs in, connects, and talks; pages of others may not."""
    name, room = "ben", f"room{number}"
    source = f"127.0.1.{number}"
    forged = {
        "X_Forwarded_For": "127.0.0.1",
        "X_Forwarded_Proto": "http" if way.trust else "https",
        "X_Forwarded_Host": "evil.example",
    }
    for headers in {}, forged:
        status, head, body = way.log_in(name, PASSWORDS[name], source, **headers)
        if not expect(status == 200, f"{way}: nobody can sign in: {status} {body}"):
            return
        secure = re.search(r"set-cookie:.*; secure", head, re.I) is not None
        why = "with forged headers, " if headers else ""
        is_right = secure == bool(way.trust)
        expect(is_right, f"{way}: {why}the cookie is {'' if secure else 'not '}Secure")
    token = json.loads(body)["token"]

    connection, status = way.upgrade(room, token, Origin=f"{way.scheme}://{way.host}")
    if expect(status == 101, f"{way}: its own page is not let in: {status}"):
        connection.sendall(chat("hello"))
        said = Frames(connection).until(TEXT, GENEROUS) or b""
        expect(b"hello" in said, f"{way}: a chat does not come back: {said}")
        connection.close()
    other = "http" if way.trust else "https"
    for origin, headers, why in [
        (f"{other}://{way.host}", {}, "a page of the other scheme"),
        ("http://evil.example", {}, "a page of a stranger"),
        ("http://evil.example", forged, "a page of a stranger, with forged headers"),
        ("https://evil.example", forged, "a page of a stranger over TLS, with forged headers"),
        (f"{other}://{way.host}", forged, "a page of the other scheme, with forged headers"),
    ]:
        connection, status = way.upgrade(room, token, Origin=origin, **headers)
        expect(status == 403, f"{way}: {why} should get 403, and gets {status}")
        if connection:
            connection.close()


def counts_guesses(way, number):
    """Guesses count for the address of the client, whatever it says about itself."""
    guess = lambda source, claimed: way.log_in(
        f"nobody{number}", "perhaps", source, X_Forwarded_For=claimed
    )[0]
    mine, other = f"127.0.2.{number}", f"127.0.3.{number}"
    # At once, because a further guess is allowed every ten seconds. What is claimed need not be
    # an address, and not even ASCII.
    claims = [f"10.9.8.{n}" + "é" * (n % 2) for n in range(9)]
    with ThreadPoolExecutor(9) as pool:
        statuses = list(pool.map(lambda claimed: guess(mine, claimed), claims))
    expect(
        statuses.count(429) >= 3,
        f"{way}: who makes up addresses should get 5 x 401 and 4 x 429, and gets {statuses}",
    )
    second = guess(other, mine)
    expect(second == 401, f"{way}: somebody else pays for these guesses: {second}")


def tls_client(way, files):
    """The client of lesson 19, over wss."""
    observer, status = way.upgrade("terminal", way.token("ben"))
    if not expect(status == 101, f"{way}: nobody can watch the client: {status}"):
        return
    said = lesson_19(way, "hello over TLS\n", SSL_CERT_FILE=str(files.cert))
    frames, heard = Frames(observer), b""
    while heard is not None and b"hello over TLS" not in heard:
        try:
            heard = frames.until(TEXT, GENEROUS)
        except TimeoutError:
            heard = None
    observer.close()
    is_fine = said.returncode == 0 and heard is not None
    expect(is_fine, f"{way}: the client of lesson 19 has no wss: {said.stdout}{said.stderr}")
    stranger = lesson_19(way, "")
    refused = stranger.returncode != 0 and "invalid peer certificate" in stranger.stderr
    expect(refused, f"{way}: a certificate that nobody knows is accepted: {stranger.stdout}")


def lesson_19(way, text, **env):
    """The client of lesson 19, for Cem, who writes this text and leaves."""
    inherited = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    return subprocess.run(
        [TARGET / "edge" / "client", "cem", "terminal", "--url", f"https://{way.host}"],
        input=text,
        env={**inherited, "CHAT_PASSWORD": PASSWORDS["cem"], **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def http2(proxy, files, token):
    said = subprocess.run(
        ["node", HERE / "http2.mjs", str(proxy.tls), files.cert, f"/ws/chat/h2?token={token}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if not expect(said.returncode == 0, f"{proxy.kind}: HTTP/2 fails: {said.stderr[-500:]}"):
        return "fails"
    found = json.loads(said.stdout)
    works = found["status"] == 200 and found["answer"] == '{"type":"pong"}'
    wanted = OVER_HTTP2[proxy.kind]
    is_right = works if wanted else not found["connect"]
    expect(is_right, f"{proxy.kind}: the chapter says otherwise of RFC 8441: {found}")
    return "yes" if works else "not announced"


# What is cut.


def idle(way, kind, token):
    """How long a silent WebSocket lives, and one with a heartbeat."""
    silent = way.connect(f"idle-{kind}", token)
    lives, seconds = is_open(silent, LATER)
    wanted = not CUTS_IDLE[kind]
    expect(
        lives == wanted,
        f"{kind}: a silent WebSocket should {'live' if wanted else 'be cut'}, and "
        f"{'lives' if lives else f'is cut after {seconds:.1f} s'}",
    )
    silent.close()
    return "not cut" if lives else f"cut after {seconds:.1f} s"


def heartbeat(way, kind, token):
    beating = way.connect(f"heartbeat-{kind}", token)
    end = time.monotonic() + LATER
    while time.monotonic() < end:
        beating.sendall(frame(PING))
        time.sleep(IDLE / 4)
    beating.sendall(chat("still here?"))
    said = Frames(beating).until(TEXT, GENEROUS)
    lives = said is not None and b"still here?" in said
    expect(lives, f"{kind}: a WebSocket with a heartbeat is cut")
    beating.close()
    return "lives" if lives else "cut"


def reload(proxy, way, token):
    """Whether an open WebSocket outlives a reload, and new ones are served after it."""
    old = way.connect(f"reload-{proxy.kind}", token)
    frames = Frames(old)
    before, deadline = proxy.workers(), time.monotonic() + GENEROUS
    proxy.reload()
    if proxy.kind != "Caddy":  # It has one process, and its command waits.
        while not proxy.workers() - before and time.monotonic() < deadline:
            time.sleep(0.1)
        expect(proxy.workers() - before, f"{proxy.kind}: a reload starts no new process")
    time.sleep(2)
    try:
        old.sendall(chat("still here?"))
        lives = frames.until(TEXT, GENEROUS) is not None
    except OSError:
        lives = False
    wanted = SURVIVES_RELOAD[proxy.kind]
    expect(
        lives == wanted,
        f"{proxy.kind}: a WebSocket should {'' if wanted else 'not '}outlive a reload",
    )
    new, status = way.upgrade(f"after-{proxy.kind}", token)
    expect(status == 101, f"{proxy.kind}: nobody is served after a reload: {status}")
    for connection in old, new:
        if connection:
            connection.close()
    return "goes on" if lives else "cut"


def hides_tokens(kind, files):
    """No token is in the log of a proxy, also when nobody is behind it."""
    proxy = Proxy(kind, files, free_ports(1)[0])
    _, status = Way(kind, proxy.port).upgrade(
        "nobody", "secret-in-query", Sec_WebSocket_Protocol="chat.v1, bearer.secret-in-header"
    )
    expect(status in (502, 503), f"{kind}: without a chat behind it the answer is {status}")
    proxy.stop()
    said = (proxy.folder / "log").read_text()
    expect("secret-in" not in said, f"{kind}: a token is in its log: {said[-1000:]}")


def crowd(port, kind, token, count=110):
    """How many WebSockets one address gets. Two of the proxies have a limit of 100."""
    way = Way(kind, port, source="127.0.6.1")
    open_ones = []
    for number in range(count):
        try:
            connection, _ = way.upgrade(f"crowd-{kind}-{number}", token)
        except (OSError, IndexError):
            continue  # It was cut without an answer.
        if connection:
            open_ones.append(connection)
    got = len(open_ones)
    for connection in open_ones:
        connection.close()
    wanted = 100 if LIMITS_ADDRESSES[kind] else count
    expect(got == wanted, f"{kind}: one address should get {wanted} WebSockets, and gets {got}")
    return f"{got} of {count}"


# Attacks. Each returns how it ended, and whether that is an end.


def drip(connection, begin, piece, seconds):
    """Sends the beginning, and then a piece whenever a while has passed, until it is cut."""
    start = time.monotonic()
    try:
        connection.sendall(begin)
        while time.monotonic() - start < seconds:
            connection.sendall(piece)
            connection.settimeout(0.4)
            try:
                if not connection.recv(1 << 16):
                    return False, time.monotonic() - start
                connection.settimeout(0.4)
                while connection.recv(1 << 16):
                    pass
                return False, time.monotonic() - start
            except TimeoutError:
                pass
    except (OSError, ssl.SSLError):
        return False, time.monotonic() - start
    return True, seconds


def silent(way):
    return is_open(way.dial(), LATER)


def half_head(way):
    return drip(way.dial(), f"GET / HTTP/1.1\r\nHost: {way.host}\r\n".encode(), b"X-A: b\r\n", LATER)


def half_body(way):
    head = way.head("POST /login", Content_Type="application/json", Content_Length=4000)
    connection = way.dial()
    connection.sendall(head + b'{"username":')
    return is_open(connection, LATER)


def slow_body(way):
    head = way.head("POST /login", Content_Type="application/json", Content_Length=4000)
    return drip(way.dial(), head + b'{"username":', b" ", LATER)


def half_tls(way):
    return is_open(way.dial(handshake=False), LATER)


def long_head(way):
    """A megabyte of headers. It should be refused before it is all there."""
    connection = way.dial()
    sent = 0
    try:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {way.host}\r\n".encode())
        for number in range(1000):
            connection.sendall(f"X-{number}: ".encode() + b"x" * 1000 + b"\r\n")
            sent += 1
        connection.sendall(b"\r\n")
    except OSError:
        pass
    status, _, _ = read_answer(connection)
    return status == 200, float(status)


def descriptors(way, count=100):
    """Half-sent heads, more than the server may have open files. How long somebody else waits."""
    crowd = []
    for _ in range(count):
        connection = socket.socket()
        connection.bind(("127.0.4.1", 0))
        connection.settimeout(GENEROUS)
        try:
            connection.connect(("127.0.0.1", way.port))
            connection.sendall(b"GET / HTTP/1.1\r\n")
        except OSError:
            pass  # Refused: that is a cure, too.
        crowd.append(connection)
    start = time.monotonic()
    connection = way.dial("127.0.4.2")
    connection.settimeout(GENEROUS)  # Lesson 22 needs six seconds.
    connection.sendall(way.head("GET /rooms", Connection="close"))
    status, _, _ = read_answer(connection)
    waited = time.monotonic() - start
    for each in [*crowd, connection]:
        each.close()
    return status != 200, waited


def fragments(server, way, seconds=2.0):
    """Empty fragments as fast as they go. How much of a processor the server needs for them."""
    connection = way.connect("fragments", way.token())
    many = frame(TEXT, last=False) + frame(CONTINUATION, last=False) * 10_000
    more = frame(CONTINUATION, last=False) * 10_000
    before, start = server.cpu(), time.monotonic()
    try:
        connection.settimeout(0.2)
        while time.monotonic() - start < seconds:
            try:
                connection.sendall(many)
                many = more
            except TimeoutError:
                pass  # A part of a frame may be missing now. That is no worse.
    except OSError as error:
        raise RuntimeError(f"it was cut, so nothing was measured: {error!r}") from error
    used = (server.cpu() - before) / (time.monotonic() - start)
    connection.close()
    return used


def attacks(files, pool):
    """The table of the chapter: a row for each attack, and a column for each server."""
    limits = {"HEADER_TIMEOUT": str(HEAD), "REQUEST_TIMEOUT": str(HEAD + 1)}
    few = {"MAX_HTTP_CONNECTIONS": "30", **limits}
    naive, cured = serve(BEFORE), tls_server(files, limits)
    tight_naive = serve(BEFORE, files=64)
    tight_cured = serve(LESSON, files=64, **few)
    # Behind the proxies is a server that has few files, and no cure.
    behind = serve(BEFORE, files=64)
    # A TLS handshake has HAProxy's time-out for clients (30 s).
    short = {f" {seconds}s": f" {HEAD}s" for seconds in (5, 30)}
    proxies = [Proxy(kind, files, behind.port, short) for kind in KINDS]
    plain = {"08": Way("08", naive.port), "22": Way("22", cured.port)}
    plain |= {proxy.kind: Way(proxy.kind, proxy.port) for proxy in proxies}
    tls = {"22": Way("22", cured.tls, files.trust())}
    tls |= {proxy.kind: Way(proxy.kind, proxy.tls, files.trust()) for proxy in proxies}
    tight = plain | {"08": Way("08", tight_naive.port), "22": Way("22", tight_cured.port)}

    rows = [
        ("silent", silent, plain),
        ("half a TLS handshake", half_tls, tls),
        ("head in tiny pieces", half_head, plain),
        ("half a body", half_body, plain),
        ("body in tiny pieces", slow_body, plain),
        ("a megabyte of headers", long_head, plain),
    ]
    tried = {
        (what, who): pool.submit(guarded, attack, way, failed=(None, 0.0))
        for what, attack, ways in rows
        for who, way in ways.items()
    }
    tried = {key: future.result() for key, future in tried.items()}
    for who, way in tight.items():
        tried["no file left", who] = guarded(descriptors, way, failed=(None, 0.0))

    columns = ["08", "22", *KINDS]
    report.row(("attack", 24), *((who, 16) for who in columns))
    for what in [*(row[0] for row in rows), "no file left"]:
        cells = []
        for who in columns:
            if (what, who) not in tried:
                cells.append(("", 16))
                continue
            succeeds, seconds = tried[what, who]
            if succeeds is None:
                cells.append(("failed", 16))
                continue
            if what == "a megabyte of headers":
                cells.append((f"status {seconds:.0f}" if seconds else "cut", 16))
            elif what == "no file left":
                cells.append(("nobody gets in" if succeeds else f"in after {seconds:.1f} s", 16))
            else:
                cells.append(("open" if succeeds else f"over: {seconds:.1f} s", 16))
            wanted = who == "08" and what != "a megabyte of headers"
            if what == "body in tiny pieces" and who in KINDS:
                wanted = not ENDS_A_SLOW_BODY[who]
            expect(
                succeeds == wanted,
                f"{what}, {who}: the attack should {'' if wanted else 'not '}succeed, "
                f"and does{'' if succeeds else ' not'} ({seconds:.1f})",
            )
        report.row((what, 24), *cells)

    used = {}
    for who, server in ("08", naive), ("22", cured), ("nginx", behind):
        used[who] = guarded(fragments, server, plain[who], failed=0.0)
    shown = [(f"{used[who]:.0%} of a CPU" if who in used else "", 16) for who in columns]
    report.row(("empty fragments", 24), *shown)
    # Without a throttle it is as much as a machine gives, which may be little on a busy one.
    expect(
        used["22"] < 0.15,
        f"empty fragments: the throttle should save time, and {used['22']:.2f} s in a second "
        f"are much ({used['08']:.2f} s without it)",
    )


def serve(package, **settings):
    """A program of the course, with these settings and no others."""
    server = Server(package, **settings)
    STARTED.append(server)
    return server


def tls_server(files, env={}, program=LESSON):
    """Lesson 22 with a port for TLS."""
    settings = {"TLS_ADDR": "127.0.0.1:0", "TLS_CERT": str(files.cert), "TLS_KEY": str(files.key)}
    server = serve(program, TRUSTED_PROXIES="127.0.0.1", **settings, **env)
    deadline = time.monotonic() + GENEROUS
    while time.monotonic() < deadline:
        if port := re.search(rb"TLS on port (\d+)", contents(server.printed)):
            server.tls = int(port[1])
            return server
        time.sleep(0.01)  # The log may be a moment behind.
    raise RuntimeError(f"{LESSON} has no port for TLS: {server.said()}")


def through(files, pool):
    """What comes through, who is believed, what is cut."""
    # Passwords are checked one by one, and many come at once.
    server, cut = tls_server(files, {"REQUEST_TIMEOUT": "60"}), serve(BEFORE)
    slow = [Proxy(kind, files, server.port) for kind in KINDS]
    quick = [Proxy(kind, files, cut.port, {" 60s": f" {IDLE}s"}) for kind in KINDS]
    # A crowd needs a while to come, and says nothing meanwhile.
    patient = [Proxy(kind, files, cut.port) for kind in KINDS]
    # Not from the address of the proxies, which is believed.
    stranger = "127.0.7.1"
    ways = [Way("direct", server.port, source=stranger)]
    ways.append(Way("direct", server.tls, files.trust(), stranger))
    for proxy in slow:
        ways.append(Way(proxy.kind, proxy.port))
        ways.append(Way(proxy.kind, proxy.tls, files.trust()))

    token = Way("08", cut.port).token()
    silence, beats, crowds = {}, {}, {}
    for proxy in quick:
        way = Way(proxy.kind, proxy.port)
        silence[proxy.kind] = pool.submit(guarded, idle, way, proxy.kind, token)
        beats[proxy.kind] = pool.submit(guarded, heartbeat, way, proxy.kind, token)
    for proxy in patient:
        crowds[proxy.kind] = pool.submit(guarded, crowd, proxy.port, proxy.kind, token)
    jobs = [pool.submit(guarded, talks, way, n) for n, way in enumerate(ways, 1)]
    jobs += [pool.submit(guarded, counts_guesses, way, n) for n, way in enumerate(ways, 1)]
    jobs += [pool.submit(guarded, tls_client, ways[1], files)]
    jobs += [pool.submit(guarded, hides_tokens, kind, files) for kind in KINDS]
    mine = Way("22", server.port, source="127.0.5.1").token("ana")
    for job in jobs:
        job.result()
    # One after the other: a reload cuts what others would look at.
    over = {proxy.kind: guarded(http2, proxy, files, mine) for proxy in slow}
    reloads = {
        proxy.kind: guarded(reload, proxy, Way(proxy.kind, proxy.port), mine) for proxy in slow
    }
    columns = [f"silence ({IDLE} s)", "heartbeat", "reload", "RFC 8441", "one address"]
    report.row(("proxy", 10), *((column, 18) for column in columns))
    for kind in KINDS:
        cells = [silence[kind].result(), beats[kind].result(), reloads[kind], over[kind]]
        cells.append(crowds[kind].result())
        report.row((kind, 10), *((cell, 18) for cell in cells))


def shipped_time_outs(files, pool):
    """The time-outs as they are in the lesson, with a client that says nothing by itself: only
    lesson 09 sends pings."""
    quiet, beating = serve(BEFORE), serve(HEARTBEAT)
    jobs = []
    for kind in KINDS:
        for server in quiet, beating:
            proxy = Proxy(kind, files, server.port)
            jobs.append((kind, server, pool.submit(guarded, silence, Way(kind, proxy.port), failed=(None, 0.0))))
    for kind, server, job in jobs:
        lives, seconds = job.result()
        wanted = server is beating or not CUTS_IDLE[kind]
        how = "lives" if lives else f"is cut after {seconds:.1f} s"
        print(f"{kind}, as it is shipped, {server.package}: a quiet WebSocket {how}", flush=True)
        expect(lives == wanted, f"{kind}, {server.package}: a quiet WebSocket {how}")


def silence(way, seconds=100):
    """A WebSocket whose client only answers pings."""
    connection = way.connect(f"quiet-{way.name}", way.token())
    start = time.monotonic()
    frames = Frames(connection)
    while (left := seconds - (time.monotonic() - start)) > 0:
        try:
            payload = frames.until(PING, left)
        except TimeoutError:
            break
        if payload is None:
            return False, time.monotonic() - start
        connection.sendall(frame(PONG, payload))
    connection.close()
    return True, seconds


class Front(socketserver.ThreadingTCPServer):
    """Gives clients of .ci/interop a way to each server that they are about to start.

    Whoever connects gets a line of JSON: `env` for the server, and the `url` at which it is
    reached. The way lasts as long as the connection.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, kind, files):
        self.kind, self.files, self.count = kind, files, 0
        super().__init__(("127.0.0.1", 0), self.Visit)
        self.address = "127.0.0.1:%d" % self.server_address[1]

    def __str__(self):
        return self.kind

    class Visit(socketserver.StreamRequestHandler):
        def handle(self):
            guarded(Front.serves, self.server, self)

    def serves(self, visit):
        with self.way() as way:
            visit.wfile.write(json.dumps(way).encode() + b"\n")
            try:
                visit.rfile.read()
            except ConnectionError:
                pass

    @contextmanager
    def way(self):
        self.count += 1
        port, tls = free_ports(2)
        if self.kind == DIRECT:
            settings = {"TLS_CERT": str(self.files.cert), "TLS_KEY": str(self.files.key)}
            settings["TLS_ADDR"] = f"127.0.0.1:{tls}"
            yield {"env": settings, "url": f"https://localhost:{tls}"}
            return
        proxy = Proxy(self.kind, self.files, port)
        settings = {"ADDR": f"127.0.0.1:{port}", "TRUSTED_PROXIES": "127.0.0.1"}
        yield {"env": settings, "url": f"https://localhost:{proxy.tls}"}
        expect(proxy.process.poll() is None, f"{self.kind} ended while somebody used it")
        proxy.stop()
        shutil.rmtree(proxy.folder)
        STARTED.remove(proxy)


def interop(files, _):
    """The clients of .ci/interop over wss. To lesson 22 itself they come directly, and to all
    lessons through a proxy."""
    clients = HERE.parent / "interop/clients"
    subprocess.run([clients, "--install"], check=True, capture_output=True)
    for kind in (DIRECT, *KINDS):
        with Front(kind, files) as front:
            threading.Thread(target=front.serve_forever, daemon=True).start()
            start = time.monotonic()
            said = subprocess.run(
                [clients, *(["22"] if kind == DIRECT else [])],
                env={
                    **os.environ,
                    "INTEROP_FRONT": front.address,
                    "SSL_CERT_FILE": str(files.cert),
                    "NODE_EXTRA_CA_CERTS": str(files.cert),
                },
                capture_output=True,
                text=True,
            )
            front.shutdown()
        seconds = f"{front.count} servers, {time.monotonic() - start:.0f} s"
        print(f"\nClients over wss, {kind} ({seconds}):\n{said.stdout}{said.stderr}", flush=True)
        if said.returncode:
            wrong = failed_tests(said.stdout) or ["they fail, see above"]
            for sentence in wrong:
                expect(False, f"Clients over wss, {kind}: {sentence}")
        expect(front.count, f"Clients over wss, {kind}: they took another way")


def failed_tests(said):
    """The names of the tests that failed, in what Python and Node print."""
    found, group = [], ""
    for line in said.splitlines():
        if line.startswith("▶ "):
            group = line[2:]
        elif name := re.match(r"  ✖ (.*) \(", line):
            found.append(f"Node's ws, {group}: {name[1]}")
        elif name := re.match(r"(?:FAIL|ERROR): \w+ \(__main__\.([\w.]+)\)(.*)", line):
            found.append(f"Python's websockets, {name[1]}{name[2]}")
    return found


def build_echo():
    """Compiles a copy of the lesson with one more route, /ws: the echo that Autobahn needs."""
    copy = TARGET / "edge" / "copy"
    folder = f"lessons/{LESSON}"
    main, manifest, echo = f"{folder}/src/main.rs", f"{folder}/Cargo.toml", f"{folder}/src/echo.rs"

    def change(text, *changes):
        for old, new in changes:
            if text.count(old) != 1:
                raise RuntimeError(f"the echo cannot be added: {old!r} is not there once")
            text = text.replace(old, new)
        return text

    table = "[dependencies]\n"
    needs = f"{table}futures-util.workspace = true\ntokio-tungstenite.workspace = true\n"
    with_needs = lambda file, text: change(text, (table, needs)) if file == manifest else text
    for file in tracked_files(ROOT):
        if file != main:
            copy_file(ROOT, file, copy, with_needs)
    route = '.route("/ws", any(echo::ws_handler).with_state(None))'
    has_main = "#[allow(dead_code)] // It has a main of its own.\nmod echo;"
    made = {
        main: change(
            (ROOT / main).read_text(),
            ("mod accept;", f"mod accept;\n{has_main}"),
            ("get(list_rooms))", f"get(list_rooms)){route}"),
        ),
        echo: change(
            (ROOT / "lessons/probe/examples/pure_echo.rs").read_text(),
            ("use crate::socket", "use self::socket"),
            ("async fn ws_handler", "pub async fn ws_handler"),
        ),
    }
    for file, text in made.items():
        if not (copy / file).exists() or (copy / file).read_text() != text:
            (copy / file).write_text(text)
    write_all_features(ROOT, copy)
    link_compiled(TARGET, copy / "target")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(copy / "target")}
    command = ["cargo", "build", "--quiet", "-p", LESSON]
    subprocess.run(command, cwd=copy, env=environment, check=True)
    return copy / "target" / "debug" / LESSON


def autobahn(files, pool):
    """The cases of Autobahn, to lesson 22 itself over wss, and through each proxy with TLS and
    without."""
    loader = importlib.machinery.SourceFileLoader("autobahn", str(HERE.parent / "interop/autobahn"))
    suite = importlib.util.module_from_spec(importlib.util.spec_from_loader("autobahn", loader))
    loader.exec_module(suite)
    if (python := suite.find_python_2_7()) is None:
        print("SKIPPED: Autobahn needs Python 2.7, and there is none here.")
        return
    wstest = suite.install(python)
    # Some cases send so much that the throttle would take its time.
    server = tls_server(files, {"BYTES_PER_SECOND": "100000000"}, build_echo())

    ways = {f"wss, {DIRECT}": f"wss://localhost:{server.tls}/ws"}
    for kind in KINDS:
        proxy = Proxy(kind, files, server.port)
        ways[f"ws, {kind}"] = f"ws://localhost:{proxy.port}/ws"
        ways[f"wss, {kind}"] = f"wss://localhost:{proxy.tls}/ws"

    def hold(way, url):
        start, folder = time.monotonic(), files.folder / re.sub(r"\W+", "-", way)
        trust = {"SSL_CERT_FILE": str(files.cert)} if url.startswith("wss:") else {}
        title = "with the lessons' limit"
        complaints, results = suite.hold(wstest, folder, url, title, f" over {way}", **trust)
        print(f"Autobahn over {way}: {time.monotonic() - start:.0f} s", flush=True)
        for sentence in complaints:
            expect(False, f"Autobahn over {way}: {sentence}")
        return {case: (it["behavior"], it["behaviorClose"]) for case, it in results.items()}

    jobs = {way: pool.submit(guarded, hold, way, url, failed={}) for way, url in ways.items()}
    results = {way: job.result() for way, job in jobs.items()}
    without = results.pop(f"wss, {DIRECT}")
    for way, cases in results.items():
        other = [f"{case}: {it}" for case, it in cases.items() if it != without.get(case)]
        print(f"Over {way}: {len(cases)} cases, {len(other)} end otherwise. {' '.join(other)}")


def nightly(files, pool):
    """What takes minutes. Most of the time it waits."""
    jobs = [
        pool.submit(guarded, part, files, pool) for part in (shipped_time_outs, autobahn, interop)
    ]
    for job in jobs:
        job.result()


def main():
    files = Files()
    start = time.monotonic()
    pool = ThreadPoolExecutor(64)
    try:
        both = [pool.submit(guarded, part, files, pool) for part in (through, attacks)]
        for one in both:
            one.result()
        if "--nightly" in sys.argv:
            nightly(files, pool)
        print(f"{time.monotonic() - start:.0f} s")
    finally:
        for each in list(STARTED):
            each.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(files.folder, ignore_errors=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
