"""Runs the Python of the book, and looks whether it does what the book says."""

import asyncio
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import jwt
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "book" / "fastapi"
sys.path[:0] = [str(FOLDER), str(ROOT / ".ci/measure")]
from client import free_ports  # noqa: E402 (now it is found)

LIMIT = 20  # Seconds that we wait for anything: there is other work for the machine, too.


class Server:
    """One of the programs, on a free port."""

    def __init__(self, name, code=None):
        self.name, [self.port] = name, free_ports(1)
        command = [sys.executable, "-m", "uvicorn", "--port", str(self.port), f"{name}:app"]
        if code:
            command = [sys.executable, "-c", code.replace("{port}", str(self.port))]
        self.process = subprocess.Popen(
            command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if not soon(lambda: listens(self.port)):
            raise SystemExit(f"{name} does not start.")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def connect(self, path="/ws", **options):
        plain = {"compression": None, "ping_interval": None, "close_timeout": 1, "legacy": True}
        return connect(f"ws://127.0.0.1:{self.port}{path}", **plain | options)

    def status(self, path):
        """How the server answers an upgrade: 101, or the status of its rejection."""
        return self.answer(path)[0]

    def answer(self, path):
        try:
            self.connect(path).close()
        except InvalidStatus as rejected:
            return rejected.response.status_code, rejected.response.body.decode()
        return 101, ""


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def holds(what, value, expected):
    if value != expected:
        raise SystemExit(f"FastAPI: {what}: expected {expected!r}, found {value!r}.")
    print(f"FastAPI: {what}.")


def soon(holds):
    """Whether it holds in time."""
    deadline = time.monotonic() + LIMIT
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def lesson_01():
    with Server("lesson_01") as server:
        ana = server.connect()
        ana.send("still here?")
        holds("text comes back", ana.recv(timeout=LIMIT), "Echo: still here?")
        ana.send(b"\x00\xff")
        try:
            ended = f"heard {ana.recv(timeout=LIMIT)!r}"
        except ConnectionClosed:
            ended = "ended"
        holds("binary is an exception, and ends it", ended, "ended")


def lesson_02():
    with Server("lesson_02") as server:
        ana = server.connect()
        ana.send("bye")
        try:
            ana.recv(timeout=LIMIT)
        except ConnectionClosed as closed:
            frame = closed.rcvd
        holds("bye is answered", (frame.code, frame.reason), (1000, "Goodbye!"))
        server.connect().close(1000)
        line = server.process.stdout.readline().strip()
        holds("a Close is an exception with its code", line, "client disconnected: 1000")


def lesson_03():
    with Server("lesson_03") as server:
        ana, cem, ben = server.connect(), server.connect(max_queue=1), server.connect()
        ana.send("hi")
        holds("the others hear it", (ben.recv(timeout=LIMIT), cem.recv(timeout=LIMIT)), ("hi", "hi"))
        text, sent, heard = "x" * 64_000, 400, 0  # Cem reads no more.
        try:
            for _ in range(sent):
                ana.socket.settimeout(2)
                ana.send(text)
        except (TimeoutError, ConnectionClosed, OSError):
            pass
        try:
            while ben.recv(timeout=2):
                heard += 1
        except (TimeoutError, ConnectionClosed):
            pass
        holds("one that does not read holds up the others", heard < sent, True)


def lesson_04():
    with Server("lesson_04") as server:
        ana = server.connect("/ws/7")
        holds("the path is typed", ana.recv(timeout=LIMIT), "You are client 7.")
        holds("what is no number gets 403", server.status("/ws/abc"), 403)
        status, sentence = server.answer("/ws/7")
        holds("a handler can reject with another status", status, 409)
        holds("and with a sentence", "Client 7 is connected already." in sentence, True)
        ana.close()


def lesson_05():
    with Server("lesson_05") as server:
        holds("no token gets 403", server.status("/ws"), 403)
        holds("a wrong token gets 403", server.status("/ws?token=sesame"), 403)
        for query, echo in ("", True), ("&echo=false", False):
            ana = server.connect(f"/ws?token=let-me-in{query}")
            holds(f"echo is {echo}", ana.recv(timeout=LIMIT), f"Echo: {echo}.")


def lesson_06():
    with Server("lesson_06") as server:
        ana = server.connect()
        ana.send('{"type":"png"}')
        holds("a mistake is answered", json.loads(ana.recv(timeout=LIMIT))["type"], "error")
        ana.send('{"type":"chat","content":"hi"}')
        holds("and the talk goes on", json.loads(ana.recv(timeout=LIMIT))["content"], "hi")


def lesson_07():
    with Server("lesson_07") as server:
        ana, cem = server.connect("/ws/chat/rust"), server.connect("/ws/chat/tea")
        ana.send("hi")
        holds("a room hears itself", ana.recv(timeout=LIMIT), "hi")
        cem.close()

        def rooms():
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/rooms") as answer:
                return json.load(answer)

        holds("an empty room is gone", soon(lambda: rooms() == {"rust": 1}), True)


def lesson_08():
    secret = "32 bytes or more, please, always"
    good = {"sub": "ana", "exp": time.time() + 60, "aud": "chat", "iss": "us"}

    def path(**changes):
        return f"/ws/chat/rust?token={jwt.encode(good | changes, secret)}"

    with Server("lesson_08") as server:
        holds("a good token", server.connect(path()).recv(timeout=LIMIT), "You are ana.")
        for changes in {"exp": time.time() - 30}, {"aud": "tea"}, {"iss": "eve"}:
            holds(f"rejected: {[*changes][0]}", server.status(path(**changes)), 403)


def lesson_09():
    [port] = free_ports(1)
    code = f"import lesson_09; lesson_09.serve({port}, 1, 1)"
    server = subprocess.Popen(
        [sys.executable, "-c", code], cwd=FOLDER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        soon(lambda: listens(port))
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as silent:
            silent.sendall(
                b"GET /ws HTTP/1.1\r\nHost: us\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            heard = b""
            while b"\x03\xf3" not in heard and (more := silent.recv(4096)):
                heard += more
        holds("who answers no ping gets 1011", heard.partition(b"\x03\xf3")[2], b"keepalive ping timeout")
    finally:
        server.kill()
        server.wait()


def lesson_10():
    with Server("lesson_10") as server:
        phone, laptop, ben = (server.connect(f"/ws/{name}") for name in ("ana", "ana", "ben"))
        # So many that it takes seconds until none is too early any more.
        for _ in range(50):
            phone.send("hello")
        heard = [phone.recv(timeout=LIMIT) for _ in range(50)]
        holds("a burst of twenty passes", heard[:20], ["hello"] * 20)
        holds("the rest is too early", "too many messages" in heard[20:], True)
        for client in laptop, ben:
            for _ in range(19):
                client.send("hello")
        heard = {laptop.recv(timeout=LIMIT) for _ in range(19)}
        holds("all connections of a person have one rate", "too many messages" in heard, True)
        holds("other people have their own", ben.recv(timeout=LIMIT), "hello")


def comes_in(server):
    """A client of a server that was full, and may not know yet that somebody has left."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            return server.connect()
        except InvalidStatus:
            if time.monotonic() > deadline:
                raise SystemExit("FastAPI: somebody has left, and nobody comes in.")
            time.sleep(0.05)


def lesson_11():
    with Server("lesson_11") as server:
        ana, ben = server.connect(), server.connect()
        full = (503, "Too many connections.")
        holds("a third connection gets 503 and a sentence", server.answer("/ws"), full)
        ana.close()
        cem = comes_in(server)
        cem.send("hello")
        holds("`async with` gives the permit back", cem.recv(timeout=LIMIT), "hello")
        ben.close()
        cem.close()

    # What uvicorn's own limit does: it refuses requests, and lets in WebSockets.
    code = "import lesson_11, uvicorn; lesson_11.connections = lesson_11.asyncio.Semaphore(10); "
    code += "uvicorn.run(lesson_11.app, port={port}, limit_concurrency=3)"
    with Server("lesson_11", code) as server:
        clients = [server.connect() for _ in range(5)]
        for client in clients:
            client.send("hello")
        heard = [client.recv(timeout=LIMIT) for client in clients]
        holds("--limit-concurrency lets in WebSockets beyond it", heard, ["hello"] * 5)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/rooms", timeout=LIMIT)
            status = 200
        except urllib.error.HTTPError as error:
            status = error.code
        holds("and then refuses requests", status, 503)


def lesson_12():
    with Server("lesson_12") as server:
        client = server.connect("/ws")
        client.send("100")
        heard = [client.recv(timeout=LIMIT) for _ in range(33)]
        holds("what was missed is said", heard[0], "missed 68")
        holds("and the newest come", heard[1:], [f"{number}" for number in range(68, 100)])


def lesson_21():
    [port] = free_ports(1)
    os.environ["METRICS_PORT"] = f"{port}"
    with Server("lesson_21") as server:
        def metrics():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                lines = answer.read().decode().splitlines()
            return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

        ana = server.connect()
        ana.send("hi")
        holds("an echo", ana.recv(timeout=LIMIT), "hi")
        holds("a message is counted", metrics()["chat_messages_total"], "1.0")
        holds("and a connection", metrics()["chat_connections"], "1.0")
        ana.close()
        holds("until it has ended", soon(lambda: metrics()["chat_connections"] == "0.0"), True)
        lag = "chat_loop_lag_seconds_count"
        holds("the lag is measured", soon(lambda: float(metrics()[lag]) > 0), True)


def lesson_17():
    with Server("lesson_17") as server:
        url = f"http://127.0.0.1:{server.port}/tasks"
        begin = time.monotonic()
        with urllib.request.urlopen(url, data=b"tea for two") as answer:
            holds("long work is accepted", (answer.status, json.load(answer)), (202, {"id": 1}))
        holds("and not waited for", time.monotonic() - begin < 0.9, True)
        ana = server.connect("/ws/tasks")
        while json.loads(ana.recv(timeout=LIMIT)) != {"1": 100}:
            pass
        holds("its progress comes over the socket", True, True)


def lesson_18():
    with Server("lesson_18") as server:
        def say(client, id, content):
            client.send(json.dumps({"id": id, "content": content}))

        ana, ben = server.connect(), server.connect()
        say(ana, "a1", "hi")
        chat = {"type": "chat", "seq": 1, "content": "hi"}
        holds("a chat has a number", json.loads(ben.recv(timeout=LIMIT)), chat)
        ben.close()
        first = [json.loads(ana.recv(timeout=LIMIT)) for _ in range(2)]
        ack = {"type": "ack", "id": "a1", "seq": 1}
        holds("and is acknowledged", sorted(m["type"] for m in first), ["ack", "chat"])
        say(ana, "a1", "hi")
        holds("with the same number, if it comes again", json.loads(ana.recv(timeout=LIMIT)), ack)
        say(ana, "a2", "still there?")
        heard = [json.loads(ana.recv(timeout=LIMIT)) for _ in range(2)]
        holds("so the next one has number 2", {m["seq"] for m in heard}, {2})
        ben = server.connect("/ws?resume=1")
        missed = {"type": "chat", "seq": 2, "content": "still there?"}
        holds("and who comes back gets what he has missed", json.loads(ben.recv(timeout=LIMIT)), missed)


def lesson_13():
    with Server("lesson_13") as server:
        ana = server.connect()
        ana.send("hi")
        holds("an echo", ana.recv(timeout=LIMIT), "hi")
        server.process.terminate()
        try:
            end = ana.recv(timeout=LIMIT)
        except ConnectionClosed as closed:
            end = closed.rcvd.code
        holds("uvicorn closes by itself", end, 1012)
        said = server.process.stdout.read().split("\n")[:3]
        order = ["before the port is open", "a socket is closed", "after the last socket is closed"]
        holds("and what stands after yield comes last", said, order)


def lesson_14():
    def asks(server, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}{path}",
            body and json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return answer.headers["x-version"], json.load(answer)

    with Server("lesson_14") as server:
        ana = server.connect("/ws/users")
        ana.recv(timeout=LIMIT)
        dora = {"id": 1, "name": "Dora", "email": "dora@example.org", "is_active": True}
        new = {"name": "Dora", "email": "dora@example.org"}
        holds("a change has a version", asks(server, "POST", "/users", new), ("1", dora))
        event = {"type": "created", "model": "users", "version": 1, "data": dora}
        holds("and so has its event", json.loads(ana.recv(timeout=LIMIT)), event)
        asks(server, "PATCH", "/users/1", {"is_active": False})
        dora["is_active"] = False
        holds("PATCH leaves the rest as it is", asks(server, "GET", "/users"), ("2", [dora]))


def lesson_15():
    def ask(server, method, path, body, person="ben"):
        """The status, the body and the version of an answer."""
        headers = {"Content-Type": "application/json", "x-user": person}
        url = f"http://127.0.0.1:{server.port}/api/v1{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:
                return answer.status, json.load(answer), answer.headers["x-version"]
        except urllib.error.HTTPError as error:
            return error.code, json.load(error), None

    dora = {"name": "Dora", "email": "dora@example.org", "phone": "030 123"}
    with Server("lesson_15") as server:
        ana = server.connect("/api/v1/ws/users")
        ana.recv(timeout=LIMIT)
        status, made, version = ask(server, "POST", "/users", dora)
        holds("a user is created", (status, made["owner"], version), (201, "ben", "1"))
        event = {"type": "created", "model": "users", "version": 1, "data": made}
        holds("a user is announced", json.loads(ana.recv(timeout=LIMIT)), event)
        twin = dora | {"email": "DORA@example.org"}
        holds("an address in use", ask(server, "POST", "/users", twin)[0], 409)
        holds("another person", ask(server, "PATCH", "/users/1", {}, "cem")[0], 403)
        holds("no name", ask(server, "PATCH", "/users/1", {"name": None})[0], 422)
        kept = ask(server, "PATCH", "/users/1", {"name": "Theodora"})[1]
        holds("what is missing stays", kept["phone"], "030 123")
        gone = ask(server, "PATCH", "/users/1", {"phone": None})
        holds("null takes it away", (gone[1]["phone"], gone[2]), (None, "3"))

    # The insert takes a second here, and the client hangs up meanwhile.
    code = """
import time, uvicorn, lesson_15
insert = lesson_15.insert
lesson_15.insert = lambda *all: (time.sleep(1), insert(*all))[1]
uvicorn.run(lesson_15.app, port={port})
"""
    with Server("lesson_15", code) as server:
        ana = server.connect("/api/v1/ws/users")
        ana.recv(timeout=LIMIT)
        body = json.dumps(dora).encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT) as client:
            client.sendall(
                b"POST /api/v1/users HTTP/1.1\r\nHost: us\r\nx-user: ben\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            time.sleep(0.3)
        event = json.loads(ana.recv(timeout=LIMIT))
        holds("a handler whose client has gone runs to its end", event["data"]["name"], "Dora")


def lesson_16():
    with Server("lesson_16") as server:
        ana = server.connect("/ws/users?client_id=ana-1")
        ben = server.connect("/ws/news?client_id=ben-1")
        holds("a greeting", json.loads(ana.recv(timeout=LIMIT))["client_id"], "ana-1")
        ben.recv(timeout=LIMIT)
        ana.send('{"action":"subscribe","channel":"news"}')
        answer = json.loads(ana.recv(timeout=LIMIT))
        holds("one socket has two channels", answer, {"type": "subscribed", "channel": "news"})
        ana.send('{"action":"send","channel":"news","message":"hello"}')
        heard = [json.loads(client.recv(timeout=LIMIT))["message"] for client in (ana, ben)]
        holds("a message reaches all subscribers", heard, ["hello", "hello"])

        eve = server.connect("/ws/users?client_id=ana-1")
        eve.recv(timeout=LIMIT)
        ana.send('{"action":"subscribe","channel":"users"}')
        ana.recv(timeout=LIMIT)
        eve.close()
        time.sleep(2)  # Nothing tells when the server knows that she has left.
        ana.send('{"action":"send","channel":"news","message":"still here?"}')
        try:
            came = ana.recv(timeout=1)
        except TimeoutError:
            came = None
        holds("who comes with the id of another takes its place, and leaves with it", came, None)


def lesson_23():
    from lesson_23 import closed_loop, open_loop

    async def late(loop, server):
        """How many of 200 messages took longer than 100 ms, while the server stops for a second."""
        asyncio.get_running_loop().call_later(1, stop.send, "report")
        return sum(took > 0.1 for took in await loop(f"ws://127.0.0.1:{server.port}/ws", 200))

    with Server("lesson_23") as server:
        stop = server.connect()
        few, many = (asyncio.run(late(loop, server)) for loop in (closed_loop, open_loop))
        holds(f"a closed loop sees hardly anything of a stop: {few} of 200", 1 <= few < 20, True)
        holds(f"an open loop sees it: {many} of 200", many >= 40, True)


def from_fastapi():
    def end(client):
        """The code and the reason of the Close, or None if there was no Close."""
        try:
            return f"heard {client.recv(timeout=LIMIT)!r}"
        except ConnectionClosed as closed:
            return closed.rcvd and (closed.rcvd.code, closed.rcvd.reason)

    with Server("from_fastapi") as server:
        url = f"http://127.0.0.1:{server.port}"

        def log():
            with urllib.request.urlopen(f"{url}/log") as answer:
                return [line for line in json.load(answer) if line != "middleware /log"]

        ana = server.connect("/ws/json")
        ana.send('{"message":"hello"}')
        answer = {"type": "response", "data": {"message": "hello"}}
        holds("JSON comes back", json.loads(ana.recv(timeout=LIMIT)), answer)
        ana.send("hello")
        holds("what is no JSON ends it, without a Close", end(ana), None)
        ana = server.connect("/ws/json/processed")
        ana.send('{"message":"hello"}')
        answer = {"received": {"message": "hello"}, "processed": True, "echo": "hello"}
        holds("and comes back in another form", json.loads(ana.recv(timeout=LIMIT)), answer)
        ana.send("[1]")
        holds("a list has no `get`, which ends it, too", end(ana), None)
        ana = server.connect("/ws/bytes")
        ana.send(b"\x00\xff")
        holds("bytes come back", ana.recv(timeout=LIMIT), b"\x00\xff")
        ana.send("text")
        holds("text is an exception for receive_bytes", end(ana), None)

        holds("a path that is not there gets 403", server.status("/ws/nothing"), 403)
        holds("close before accept is 403", server.answer("/ws/auth/closed?token=guess"), (403, ""))
        holds("so is an exception, without its reason", server.answer("/ws/auth?token=guess"), (403, ""))
        holds("a dependency runs before the handler, which did not run", log(), ["dependency"])
        holds("a missing query gets 403", server.status("/ws/auth"), 403)
        ana = server.connect("/ws/auth?token=secret-token")
        holds("a token", ana.recv(timeout=LIMIT), "Authenticated with token: secret-token")
        holds("HTTP middleware sees no upgrade", log(), ["dependency", "dependency", "handler"])
        eve = server.connect("/ws/auth/polite?token=guess")
        holds("after accept it is a Close", end(eve), (1008, "Invalid token"))

        cookie, header = {"Cookie": "session=anas-session"}, {"X-Token": "secret-token"}
        ana = server.connect("/ws/session", additional_headers=cookie | header)
        holds("a cookie and a header", ana.recv(timeout=LIMIT), "Authenticated")
        for one in cookie, header:
            try:
                server.connect("/ws/session", additional_headers=one)
                status = 101
            except InvalidStatus as rejected:
                status = rejected.response.status_code
            holds(f"only {[*one][0]} gets 403", status, 403)

        ana = server.connect("/api/v1/notifications", origin="https://evil.example")
        holds("CORS stops no socket", json.loads(ana.recv(timeout=LIMIT)), {"type": "connected"})
        with urllib.request.urlopen(f"{url}/api/v1/users") as answer:
            holds("a missing slash is redirected", answer.url, f"{url}/api/v1/users/")

        ana, ben = server.connect("/ws/user/ana"), server.connect("/ws/user/ben")
        again = server.connect("/ws/user/ben")
        message, heard = '{"to":"ben","content":"psst"}', {"from": "ana", "content": "psst"}
        ana.send(message)
        holds("the second of a name replaces the first", json.loads(again.recv(timeout=LIMIT)), heard)
        ben.close()
        time.sleep(2)  # Nothing tells when the server knows that the first one has left.
        ana.send(message)
        try:
            came = again.recv(timeout=1)
        except TimeoutError:
            came = None
        holds("and when the first leaves, the second is off the map", came, None)

    import fastapi
    import uvicorn
    from fastapi.testclient import TestClient
    from from_fastapi import app

    page = (FOLDER.parent / "src" / "reference" / "fastapi.md").read_text()
    versions = f"FastAPI {fastapi.__version__} and uvicorn {uvicorn.__version__}"
    holds(f"the page says {versions}", versions in page, True)

    client = TestClient(app)
    with client.websocket_connect("/api/v1/notifications") as socket:
        holds("TestClient", socket.receive_json(), {"type": "connected"})
    for path, code in ("/ws/auth?token=guess", 1008), ("/ws/auth/closed?token=guess", 4001):
        try:
            client.websocket_connect(path).__enter__()
        except fastapi.WebSocketDisconnect as disconnect:
            holds(f"TestClient sees {code}, where others see 403", disconnect.code, code)


for program in sorted(FOLDER.glob("*.py")):
    globals()[program.stem]()
