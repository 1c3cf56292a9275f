"""Lets three hundred clients use a server for a while, and measures what that costs.

    .ci/measure/soak                       10 minutes
    .ci/measure/soak 60 --release          60 seconds, the release build
    .ci/measure/soak --check               20 seconds, with the database in memory

The clients of three people chat, follow the data, watch their tasks, leave politely, vanish
(with a TCP reset, or without a word), and come back. Beside them, people write users and
posts, and start and cancel tasks. All of them keep to the limits, so nobody should be
refused anything. Then everybody leaves, everybody comes back, and SIGTERM comes in the
middle of it. The next server on the same file must have each chat that was acknowledged.
Another server is stopped while its only client neither reads nor answers. The
exit code is 1 if something is not as it should be.
"""

import asyncio
import base64
import json
import os
import random
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from client import CLOSE, NOT_ALL_LEFT, PASSWORDS, PING, PONG, TEXT
from client import Report, WholeServer, arguments, build, close_frame, comes_first, counted, frame
from client import in_memory

SECONDS, FEW_SECONDS = 600, 20
ROLES = {"chatter": 200, "follower": 60, "watcher": 40}
CLIENTS = sum(ROLES.values())
ROOMS = 130  # A name is taken once per room, so each room has a seat for each person.

# Three people stand for three hundred, so each of them may do what a hundred would.
SETTINGS = {
    "connections": 1000,
    "connections_per_user": 250,
    "rooms": 200,
    "members_per_room": 3,
    "messages_per_second": 500,
    "message_burst": 500,
    "changes_per_second": 200,
    "change_burst": 200,
    "reads_per_second": 200,
    "read_burst": 200,
    "outbox": 2000,
}

STAY = 5, 40  # Seconds that a client stays connected, at least and at most.
DEPARTURES = {"politely": 60, "with a reset": 25, "without a word": 15}  # In 100.
COMES_IN = 3.0  # Seconds in which all clients connect for the first time.
SPEAKS = 1, 3  # Seconds between two messages of a chatter.
SIGN_IN_AGAIN = 60  # Seconds. Tokens end after 15 minutes.
TASKS_AT_ONCE = 3  # Of each person. The server takes 5 of one, and 12 in all.
NOTICED = 2.0  # Seconds after which a reset must have freed a name.
SILENCE = 45  # Seconds after which whoever says nothing must have been given up.
NO_SIGN_OF_LIFE, GOING_AWAY, NORMAL = 4010, 1001, 1000

ANSWER = 15.0  # Seconds that anything may take, on a machine that does other things, too.
# Milliseconds for the chats of which so many in 100 are faster, on a machine that does other
# things, too. A chat waits for the disk, but for that of --check: on a quiet machine 99 take
# 8 ms, beside a compiler 209, and beside several of them 535.
ROUND_TRIPS = {50: 50, 99: 500}
LAST_TASK = 60.0  # Seconds that a task may take, with those that wait before it.
GONE = 10.0  # Seconds after which nothing of those who left may be open.
SECOND_WAVE = 5.0  # Seconds of traffic before SIGTERM.
STOP = 6.0  # Seconds until it must have ended, if everybody answers. It waits for 8 if not.
STOP_STALLED = 10.0  # If somebody does not. Docker kills after these.

# How much more memory there may be at the end than in the middle, in MiB. Measured: 0.1 in
# ten minutes of the capstone, and 0.3 in twenty seconds, when some have not vanished yet.
GROWTH = 4
# The same for the end and the start, when nobody is there. Measured: 6 in the capstone, and 82
# in a server that takes new memory for each password that it checks.
WITH_CLIENTS = 20
# The same for descriptors: how many clients are between two connections changes.
MORE_DESCRIPTORS = 40

WIDTHS = [12, 12, 12, 14, 12]


class Refused(Exception):
    """The server did not do what somebody asked for who kept to the limits."""


class Figures:
    """What has happened so far."""

    def __init__(self):
        self.refusals, self.counts, self.round_trips = Counter(), Counter(), []
        self.samples = []  # Pairs: the time, and (MiB, descriptors, sockets).


class Socket:
    """One WebSocket of a client that follows the protocol."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.left = False  # It sends nothing any more.
        self.close_code = None  # That the server has sent.
        self.departure, self.ghost = None, None

    @classmethod
    async def open(cls, port, path, token):
        """Connects. Raises Refused with the status if it is not 101."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER)).decode()
        if " 101 " not in head:
            writer.transport.abort()
            raise Refused(f"an upgrade got {head.splitlines()[0].partition(' ')[2]}")
        return cls(reader, writer)

    def send(self, data):
        if not self.left and not self.writer.is_closing():
            self.writer.write(data)

    def send_json(self, message):
        self.send(frame(TEXT, json.dumps(message).encode()))

    async def messages(self):
        """The texts of the server, until it closes. Answers its pings and its Close."""
        try:
            while True:
                kind, payload = await self.next()
                if kind == TEXT:
                    yield json.loads(payload)
                elif kind == PING:
                    self.send(frame(PONG, payload))
                elif kind == CLOSE:
                    self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
                    if not self.left:
                        self.writer.write(close_frame(self.close_code))
                        self.left = True
        except (asyncio.IncompleteReadError, OSError):
            self.writer.close()

    async def next(self):
        kind, size = await self.reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return kind & 15, await self.reader.readexactly(size)

    def leave(self):
        self.send(close_frame())
        self.left = True

    def reset(self):
        """Ends the connection with a reset: for the server it is gone in an instant."""
        self.left = True
        if not self.writer.is_closing():
            at_once = struct.pack("ii", 1, 0)
            connection = self.writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self.writer.transport.abort()


class Crowd:
    """All clients of one server, and what they need to know of it."""

    def __init__(self, server, figures):
        self.server, self.figures = server, figures
        self.tokens = {}
        self.seats = {name: [*range(ROOMS)] for name in PASSWORDS}
        self.places = defaultdict(Place)  # By name and seat.
        self.rooms = defaultdict(dict)  # The numbers that were acknowledged, and their words.
        self.open = set()  # The sockets of those who are there, and have not left.
        self.ghosts = set()
        self.leaving = asyncio.Event()  # Everybody is to leave politely.
        self.stopping = False  # From SIGTERM on, nobody leaves of their own accord.
        self.may_be_silent = True

    def refused(self, cause):
        if not self.stopping:
            self.figures.refusals[cause] += 1

    async def sign_in(self, source):
        for name in PASSWORDS:
            self.tokens[name] = await asyncio.to_thread(self.server.token, name, source)

    async def ask(self, method, path, name, wanted, body=None):
        """A request for which there is one right status. Returns what came with it."""
        status, text = await self.answer(method, path, self.tokens[name], body)
        if status != wanted:
            where = "/".join("N" if part.isdigit() else part for part in path.split("/"))
            raise Refused(f"{method} {where.split('?')[0]} got {status} {text[:80]}")
        return json.loads(text) if text else None

    async def answer(self, method, path, token, body):
        kind = "text/plain" if isinstance(body, str) else "application/json"
        body = body if isinstance(body, str) else json.dumps(body) if body else ""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\n"
                f"Authorization: Bearer {token}\r\nContent-Type: {kind}\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            answer = await asyncio.wait_for(reader.read(), ANSWER)
            writer.transport.abort()
        finally:
            writer.close()
        head, _, text = answer.decode().partition("\r\n\r\n")
        if not text and " " not in head:
            raise ConnectionError("no answer")
        return int(head.split()[1]), text


class Place:
    """What somebody knows of a room, from one connection to the next."""

    def __init__(self):
        self.log, self.seen, self.waiting = None, 0, {}

    def query(self):
        return f"resume={self.seen}" + (f"&log={self.log}" if self.log else "")


async def client(crowd, role, number, delay):
    """Connects, stays, leaves and comes back, until everybody leaves."""
    name = list(PASSWORDS)[number % 3]
    await asyncio.sleep(delay)
    while not crowd.leaving.is_set() and not crowd.stopping:
        try:
            await session(crowd, role, name)
        except Refused as refused:
            crowd.refused(str(refused))
            await asyncio.sleep(1)
        await asyncio.sleep(random.uniform(0, 1))


async def session(crowd, role, name):
    """One connection, from the handshake to its end."""
    seats, seat = crowd.seats[name], None
    if role is Chatter:
        if not seats:
            return  # All of them are taken by those who have vanished.
        seat = seats.pop(random.randrange(len(seats)))
    it = None
    try:
        place = crowd.places[name, seat]
        path = role.path.format(room=f"room-{seat}", position=place.query())
        it = await connect(crowd, path, name)
        it.name, it.seat, it.place = name, seat, place
        await converse(crowd, role(crowd, it), it)
    finally:
        give_back(seats, seat, it)


async def connect(crowd, path, name):
    try:
        return await Socket.open(crowd.server.port, path, crowd.tokens[name])
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        raise Refused(f"an upgrade had no answer: {type(error).__name__}")


def give_back(seats, seat, it):
    """Frees a seat, once the server must have noticed that it is free."""
    if seat is None:
        return
    if it and it.ghost:
        it.ghost.add_done_callback(lambda _: seats.append(seat))
    else:
        after = NOTICED if it and it.departure == "with a reset" else 0
        asyncio.get_running_loop().call_later(after, seats.append, seat)


async def converse(crowd, role, it):
    """Speaks and reads until it is time to leave, or until the server ends it."""
    crowd.open.add(it)
    reading = asyncio.create_task(read(crowd, role, it))
    speaking = asyncio.create_task(role.speak())
    leaving = asyncio.create_task(crowd.leaving.wait())
    try:
        await asyncio.wait(
            [reading, speaking, leaving],
            timeout=random.uniform(*STAY),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if crowd.stopping:
            await asyncio.wait([reading], timeout=STOP_STALLED)
        elif reading.done():
            reading.result()  # Or else it is a fault of this program.
            crowd.refused(f"a {type(role).__name__.lower()} was closed with {it.close_code}")
        else:
            await depart(crowd, it, reading)
        if speaking.done():
            speaking.result()  # It ends only with an exception.
    finally:
        for task in (reading, speaking, leaving):
            task.cancel()
        crowd.open.discard(it)


async def read(crowd, role, it):
    async for message in it.messages():
        crowd.figures.counts["messages"] += 1
        if message["type"] in ("error", "rejected", "gap"):
            crowd.refused(f"a message said {json.dumps(message)[:100]}")
        role.hear(message)


async def depart(crowd, it, reading):
    """Leaves in one of three ways."""
    ways = {**DEPARTURES, "without a word": DEPARTURES["without a word"] * crowd.may_be_silent}
    it.departure = random.choices([*ways], [*ways.values()])[0]
    if crowd.leaving.is_set():
        it.departure = "politely"
    crowd.open.discard(it)
    crowd.figures.counts[it.departure] += 1
    if it.departure == "politely":
        it.leave()
        done, _ = await asyncio.wait([reading], timeout=ANSWER)
        if not done or it.close_code != NORMAL:
            got = it.close_code if done else "nothing"
            crowd.refused(f"who closed with {NORMAL} got {got} back")
            it.reset()
    elif it.departure == "with a reset":
        reading.cancel()
        it.reset()
    else:
        reading.cancel()
        it.ghost = asyncio.create_task(be_silent(crowd, it))
        crowd.ghosts.add(it.ghost)


async def be_silent(crowd, it):
    """Neither reads nor answers, until the server must have given up."""
    try:
        it.writer.transport.pause_reading()
        await asyncio.sleep(SILENCE)
        it.left = True  # It answers nothing.
        it.writer.transport.resume_reading()
        async for _ in it.messages():
            pass
        if it.close_code != NO_SIGN_OF_LIFE:
            crowd.refused(f"who was silent was closed with {it.close_code}")
        crowd.figures.counts["given up"] += 1
    finally:
        it.reset()
        crowd.ghosts.discard(asyncio.current_task())


class Chatter:
    """Speaks in a room, and measures how long it takes to hear itself.

    It resumes where it has left off, and sends again what was not acknowledged.
    """

    path = "/ws/chat/{room}?{position}"

    def __init__(self, crowd, it):
        self.crowd, self.it, self.sent = crowd, it, {}
        self.place, self.numbers = it.place, crowd.rooms[it.seat]

    async def speak(self):
        while True:
            await asyncio.sleep(random.uniform(*SPEAKS))
            words = f"{random.randrange(1 << 60)} {'still here? ' * random.randint(0, 20)}".strip()
            self.sent[words] = time.monotonic()
            self.send(f"{random.randrange(1 << 60)}", words)
            self.crowd.figures.counts["chats"] += 1
            if any(time.monotonic() - sent > ANSWER for sent in self.sent.values()):
                raise Refused(f"a chat did not come back within {ANSWER:.0f} s")

    def send(self, id, words):
        self.place.waiting[id] = words
        self.it.send_json({"type": "chat", "id": id, "content": words})

    def hear(self, message):
        hear = {"welcome": self.hear_welcome, "ack": self.hear_ack, "chat": self.hear_chat}
        hear.get(message["type"], lambda _: None)(message)

    def hear_welcome(self, message):
        self.place.log = message["log"]
        if message["seq"] < max(self.numbers, default=0):
            self.crowd.refused("a room has fewer chats than were acknowledged")
        for id, words in [*self.place.waiting.items()]:
            self.crowd.figures.counts["sent again"] += 1
            self.send(id, words)

    def hear_ack(self, message):
        words = self.place.waiting.pop(message["id"], None)
        if words is not None:
            self.crowd.figures.counts["acknowledged"] += 1
            self.numbers[message["seq"]] = words

    def hear_chat(self, message):
        if message["seq"] != self.place.seen + 1:
            self.crowd.refused("a chatter missed a chat, or heard it twice")
        self.place.seen = message["seq"]
        if sent := self.sent.pop(message["content"], None):
            self.crowd.figures.round_trips.append(time.monotonic() - sent)


class Follower:
    """Follows all channels, so it must hear of every change. It also talks on one of them."""

    path = "/api/v1/ws"
    channels = ("users", "posts", "news")
    words = {"action": "send", "channel": "news", "message": "Tea is ready."}

    def __init__(self, crowd, it):
        self.crowd, self.it, self.last, self.subscribed = crowd, it, None, set()

    async def speak(self):
        for channel in self.channels:
            self.it.send_json({"action": "subscribe", "channel": channel})
        while True:
            await asyncio.sleep(random.uniform(2, 8))
            questions = {"action": "ping"}, {"action": "get_stats"}
            self.it.send_json(random.choice([*questions, self.words]))

    def hear(self, message):
        if message["type"] == "subscribed":
            self.subscribed.add(message["channel"])
        if "version" not in message or len(self.subscribed) < len(self.channels):
            return
        self.crowd.figures.counts["events"] += 1
        if self.last is not None and message["version"] != self.last + 1:
            self.crowd.refused("a follower missed a change, or heard it twice")
        self.last = message["version"]


class Watcher:
    """Watches the tasks of its person."""

    path = "/ws/tasks"

    def __init__(self, crowd, it):
        self.crowd, self.it = crowd, it

    async def speak(self):
        while True:
            await asyncio.sleep(random.uniform(2, 8))
            self.it.send_json({"type": "ping"})

    def hear(self, message):
        self.crowd.figures.counts["task states"] += message["type"] != "pong"


async def repeat(crowd, work, *rest):
    """Does some work again and again, until everybody leaves."""
    while not crowd.leaving.is_set() and not crowd.stopping:
        try:
            await work(crowd, *rest)
        except Refused as refused:
            crowd.refused(str(refused))
            await asyncio.sleep(1)
        except (OSError, TimeoutError, ValueError) as error:
            crowd.refused(f"a request had no answer: {type(error).__name__}")
            await asyncio.sleep(1)


async def write(crowd, name):
    """One user and three posts come into being, change, and go again."""

    async def change(*request):
        await asyncio.sleep(random.uniform(0.05, 0.4))
        crowd.figures.counts["changes"] += 1
        return await crowd.ask(*request)

    api = "/api/v1"
    email = f"{random.randrange(1 << 60)}@example.org"
    user = await change("POST", f"{api}/users", name, 201, {"name": name, "email": email})
    posts = []
    for number in range(3):
        draft = {"user_id": user["id"], "title": f"Post {number}", "body": "tea? " * 50}
        posts.append(await change("POST", f"{api}/posts", name, 201, draft))
    await change("PATCH", f"{api}/users/{user['id']}", name, 200, {"phone": "+49 30 1234567"})
    event = {"event": "typing", "data": {"where": "posts"}}
    await crowd.ask("POST", f"{api}/channels/posts/events", name, 202, event)
    await crowd.ask("GET", f"{api}/users", name, 200)
    for post in posts:
        await change("PATCH", f"{api}/posts/{post['id']}", name, 200, {"title": "Tea"})
        await crowd.ask("GET", f"{api}/posts/{post['id']}", name, 200)
        await change("DELETE", f"{api}/posts/{post['id']}", name, 204)
    await change("DELETE", f"{api}/users/{user['id']}", name, 204)


async def start_task(crowd, name):
    """Starts a task, and cancels it or waits for its end."""
    cancels = random.random() < 0.4
    words = random.randint(20, 5000)
    seconds = 10 if cancels else random.randint(0, 2)
    task = await crowd.ask("POST", f"/tasks?seconds={seconds}", name, 202, "tea " * words)
    crowd.figures.counts["tasks"] += 1
    path = f"/tasks/{task['id']}"
    if cancels:
        await asyncio.sleep(random.uniform(0, 2))
        await crowd.ask("DELETE", path, name, 204)
        crowd.figures.counts["cancelled"] += 1
    deadline = time.monotonic() + LAST_TASK
    while (task := await crowd.ask("GET", path, name, 200))["status"] in ("queued", "running"):
        await asyncio.sleep(0.3)
        if time.monotonic() > deadline:
            raise Refused(f"a task did not end within {LAST_TASK:.0f} s")
    if not cancels and task.get("result", {}).get("words") != words:
        raise Refused(f"a task of {words} words ended as {json.dumps(task)[:80]}")
    await asyncio.sleep(0.3)  # What was cancelled may still be in the middle of a step.


async def stay_signed_in(crowd):
    await asyncio.sleep(SIGN_IN_AGAIN)
    await crowd.sign_in("127.0.0.3")


async def sample(crowd, begin):
    """Looks at the process once a second."""
    while True:
        figures = crowd.server.memory("VmRSS"), crowd.server.descriptors(), len(crowd.open)
        crowd.figures.samples.append((time.monotonic() - begin, figures))
        await asyncio.sleep(1)


def start_everybody(crowd):
    kinds = {"chatter": Chatter, "follower": Follower, "watcher": Watcher}
    roles = [kinds[role] for role, count in ROLES.items() for _ in range(count)]
    for number, role in enumerate(roles):
        yield client(crowd, role, number, COMES_IN * number / CLIENTS)
    for name in PASSWORDS:
        yield repeat(crowd, write, name)
        for _ in range(TASKS_AT_ONCE):
            yield repeat(crowd, start_task, name)


async def run(package, profile, seconds, database, report):
    figures = Figures()
    with WholeServer(package, profile, database=database, **SETTINGS) as server:
        crowd = Crowd(server, figures)
        start = await begin(crowd)
        tell(report, "start", start)
        beside = asyncio.create_task(asyncio.to_thread(stall, package, profile))

        everybody = [asyncio.create_task(it) for it in start_everybody(crowd)]
        signing_in = asyncio.create_task(repeat(crowd, stay_signed_in))
        sampling = asyncio.create_task(sample(crowd, time.monotonic()))
        await asyncio.sleep(seconds)
        sampling.cancel()
        middle, end = (window(figures.samples, seconds * at) for at in (0.5, 0.95))
        tell(report, "middle", middle)
        tell(report, "end", end)
        check_growth(report, start, middle, end)

        await everybody_leaves(crowd, everybody)
        gone = await wait_until_gone(server, start)
        tell(report, "all gone", gone)
        more = gone[1] - start[1]
        report.expect(
            more <= 0,
            f"{GONE:.0f} s after everybody has left, {more} descriptors more are open than at "
            "the start",
        )
        signing_in.cancel()

        crowd.leaving.clear()
        crowd.may_be_silent = False
        everybody = [asyncio.create_task(it) for it in start_everybody(crowd)]
        await asyncio.sleep(COMES_IN + SECOND_WAVE)
        await stop(crowd, report, everybody)
        code, took = await beside
        tell_figures(report, figures)
        tell_stalled(report, NOT_ALL_LEFT, code, took)
        said = server.said()
        report.expect("panicked" not in said, f"a thread of the server panicked: {said}")
    with WholeServer(package, profile, database=database, **SETTINGS) as server:
        await look_into_the_log(server, crowd, report)


async def look_into_the_log(server, crowd, report):
    """Looks whether the next server has all that was acknowledged."""
    token, lost = await asyncio.to_thread(server.token, "ana"), Counter()
    for seat, numbers in crowd.rooms.items():
        it = await Socket.open(server.port, f"/ws/chat/room-{seat}?resume=0", token)
        there, last = {}, None
        async for message in it.messages():
            if message["type"] == "welcome":
                last = message["seq"]
            elif message["type"] == "chat":
                there[message["seq"]] = message["content"]
            if last is not None and max(there, default=0) >= last:
                it.reset()
        oldest = min(there, default=1)
        lost[seat] += sum(
            seq >= oldest and there.get(seq) != words for seq, words in numbers.items()
        )
    acknowledged = sum(len(numbers) for numbers in crowd.rooms.values())
    figure = f"{acknowledged} chats were acknowledged, and {lost.total()} of them are lost"
    report.row(("the log", WIDTHS[0]), (figure, 0))
    report.expect(acknowledged > 0, "nothing was tried: no chat was acknowledged")
    report.expect(lost.total() == 0, f"after the restart, {figure}")


async def begin(crowd):
    """Signs in, several at a time, and writes once: all files are open then."""
    await asyncio.gather(*(crowd.sign_in(f"127.0.0.{10 + number}") for number in range(4)))
    body = {"name": "Ana", "email": "ana@example.org"}
    user = await crowd.ask("POST", "/api/v1/users", "ana", 201, body)
    await crowd.ask("DELETE", f"/api/v1/users/{user['id']}", "ana", 204)
    await asyncio.sleep(0.5)  # These connections end.
    return crowd.server.memory("VmRSS"), crowd.server.descriptors(), 0


def window(samples, at):
    """The median of what was measured about that time."""
    total = samples[-1][0]
    near = [figures for when, figures in samples if abs(when - at) <= max(2, 0.05 * total)]
    return tuple(statistics.median(column) for column in zip(*near))


def check_growth(report, start, middle, end):
    more, descriptors = end[0] - middle[0], end[1] - middle[1]
    with_clients = end[0] - start[0]
    report.expect(
        with_clients <= WITH_CLIENTS,
        f"with {CLIENTS} clients there are {with_clients:.0f} MiB more at the end than at the "
        f"start, and {WITH_CLIENTS} are the limit",
    )
    report.expect(
        more <= GROWTH,
        f"memory grew by {more:.1f} MiB from the middle to the end, and {GROWTH} are the limit",
    )
    report.expect(
        descriptors <= MORE_DESCRIPTORS,
        f"{descriptors:.0f} more descriptors are open at the end than in the middle, and "
        f"{MORE_DESCRIPTORS} are the limit",
    )


async def everybody_leaves(crowd, everybody):
    crowd.leaving.set()
    for ghost in [*crowd.ghosts]:
        ghost.cancel()
    await asyncio.wait(everybody, timeout=LAST_TASK)
    fail_with(everybody)


def fail_with(tasks):
    """A fault of this program must not look like a client that had nothing to do."""
    for task in tasks:
        if task.done() and task.exception():
            raise task.exception()


async def wait_until_gone(server, start):
    deadline = time.monotonic() + GONE
    while server.descriptors() > start[1] and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return server.memory("VmRSS"), server.descriptors(), 0


async def stop(crowd, report, everybody):
    """SIGTERM in the middle of it all."""
    crowd.stopping = True
    connected = [*crowd.open]
    code, took = await asyncio.to_thread(crowd.server.stops)
    await asyncio.wait(everybody, timeout=ANSWER)
    fail_with(everybody)
    ends = Counter(str(it.close_code) for it in connected)
    told = ends.pop(str(GOING_AWAY), 0)
    figure = f"{told} of {len(connected)} clients get {GOING_AWAY}, exit code {code}"
    report.row(("SIGTERM", WIDTHS[0]), (f"{figure} after {took:.2f} s", 0))
    report.expect(
        len(connected) > CLIENTS / 2, f"only {len(connected)} clients were connected at SIGTERM"
    )
    report.expect(
        not ends, f"at SIGTERM all should get {GOING_AWAY}, but there were {counted(ends)}"
    )
    report.expect(code == 0, f"after SIGTERM the exit code should be 0, not {code}")
    report.expect(took <= STOP, f"it should end within {STOP:.0f} s after SIGTERM, not {took:.1f}")


def stall(package, profile):
    """Stops a server whose only client neither reads nor answers."""
    with WholeServer(package, profile) as server:
        connection = server.upgrade(f"/ws/chat/stalled?token={server.token('cem')}")
        try:
            return server.stops()
        finally:
            connection.close()


def tell(report, title, figures):
    memory, descriptors, sockets = figures
    cells = title, f"{sockets:.0f}", f"{memory:.1f} MiB", f"{descriptors:.0f}"
    report.row(*zip(cells, WIDTHS))


def tell_figures(report, figures):
    counts, trips = figures.counts, sorted(figures.round_trips) or [99]
    p50, p99 = (1000 * trips[len(trips) * part // 100] for part in (50, 99))
    left = ", ".join(f"{counts[way]} {way}" for way in DEPARTURES)
    trip = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, slowest {1000 * trips[-1]:.0f} ms"
    heard = f"{counts['task states']} states heard"
    for title, text in [
        ("chats", f"{counts['chats']}, {trip}"),
        ("delivery", f"{counts['acknowledged']} acknowledged, {counts['sent again']} sent again"),
        ("data", f"{counts['changes']} changes, {counts['events']} times heard"),
        ("tasks", f"{counts['tasks']}, {counts['cancelled']} of them cancelled, {heard}"),
        ("left", f"{left}; {counts['given up']} of these were seen to be given up"),
        ("refused", counted(figures.refusals) or "nothing"),
    ]:
        report.row((title, WIDTHS[0]), (text, 0))
    for part, found in (50, p50), (99, p99):
        most = ROUND_TRIPS[part]
        sentence = f"{part} of 100 chats should come back within {most} ms, not {found:.0f}"
        report.expect(found <= most, sentence)
    for cause, count in figures.refusals.items():
        report.expect(False, f"{cause}, {count} times, though everybody keeps to the limits")
    for what in ("chats", "changes", "events", "tasks", "cancelled", "task states", *DEPARTURES):
        report.expect(counts[what] > 0, f"nothing was tried: no {what}")


def tell_stalled(report, expected, code, took):
    report.row(("stalled", WIDTHS[0]), (f"exit code {code} after {took:.2f} s", 0))
    report.expect(
        code == expected,
        f"when a client does not answer the Close, the exit code should be {expected}, not {code}",
    )
    report.expect(
        took <= STOP_STALLED,
        f"it should end within {STOP_STALLED:.0f} s though a client does not answer, not "
        f"{took:.1f}",
    )


def main():
    package, numbers, flags, _ = arguments(sys.argv[1:], __doc__)
    report = Report(check=True)
    seconds = (numbers or [FEW_SECONDS if "--check" in flags else SECONDS])[0]
    if seconds < FEW_SECONDS:
        sys.exit(f"In less than {FEW_SECONDS} seconds not everybody has been there.")
    profile = "release" if "--release" in flags else "debug"
    build(package, profile=profile)
    comes_first()
    print(f"{package}, {profile} build, {CLIENTS} clients, {seconds} s", flush=True)
    report.row(*zip(["", "connected", "memory", "descriptors"], WIDTHS))
    # Beside others, who write much, a disk takes as long as they like.
    with in_memory() if "--check" in flags else tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(package, profile, seconds, Path(folder) / "chat.db", report))
    if not report.problems:
        print("Nobody was refused anything, nothing grew, and everybody was told of the end.")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
