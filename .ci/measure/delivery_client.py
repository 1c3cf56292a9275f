"""What measurements of delivery share: clients of lesson 18's protocol, by the hundred.

One thread serves them all. A client never blocks; a selector says when there is something to
do. `delivery.py` holds one server against them, and `.ci/cluster` holds several.
"""

import base64
import hashlib
import hmac
import itertools
import json
import selectors
import socket
import time

from client import CLOSE, TEXT, TIMEOUT, frame

SECRET = "x" * 32  # What all servers sign with, so that a token of one is good for the next.
PEOPLE = """ana ben cem dan emil finn gina hugo ines jona kai lena mila noah olga paul rosa sami
            tara vera""".split()  # Everybody who can sign in. A name is in a room only once.
SECONDS = 4  # How long a figure is measured.
IN_FLIGHT = 32  # As many chats of a client as the server reads ahead.
CONTENT = ("A chat of a hundred bytes, as somebody writes it who has some more to say. " * 2)[:100]
CHAT = b'"type":"chat"'
OTHERS = b'{"type":"chat"', b'{"type":"user_', b'{"type":"gap"'
BUSY = 0.85  # The part of its time from which on this program may be what is slow.


def chat_path(audience, room, name, **query):
    """The path of a room's socket, for somebody who has signed in at this program."""
    query = {"token": token(audience, name), **query}
    return f"/ws/chat/{room}?" + "&".join(f"{key}={it}" for key, it in query.items())


def token(audience, name):
    """A token as lesson 08 signs it. To check so many passwords would take long."""
    expires = int(time.time()) + 800  # A server takes no token that is valid for longer than 900.
    claims = {"sub": name, "exp": expires, "iss": "lesson_08_auth", "aud": audience}
    if audience == "lesson_24_capstone":
        claims |= {"iss": audience, "aud": "chat", "role": "user"}
    parts = [json.dumps(part).encode() for part in ({"typ": "JWT", "alg": "HS256"}, claims)]
    signed = b".".join(map(base64url, parts))
    signature = hmac.digest(SECRET.encode(), signed, hashlib.sha256)
    return (signed + b"." + base64url(signature)).decode()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Client:
    """A WebSocket that never blocks: a selector says when there is something to do."""

    def __init__(self, selector, server, path):
        self.selector = selector
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(("127.0.0.1", server.port))
        self.input, self.output = b"", server.upgrade_request(path)
        self.is_open, self.ended, self.code, self.reason = False, False, None, ""
        self.events = selectors.EVENT_WRITE
        selector.register(self.socket, self.events, self)

    def opened(self):
        pass

    def received(self, text):
        pass

    def refused(self, head):
        raise AssertionError(f"the upgrade was refused: {head}")

    def send(self, data):
        self.output += data
        if self.is_open and not self.ended:
            self.flush()

    def flush(self):
        try:
            self.output = self.output[self.socket.send(self.output) :]
        except BlockingIOError:
            pass
        except OSError:
            # It will send no more. What it has sent before can still be read.
            self.output = b""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.output else 0)
        if events != self.events:
            self.events = events
            self.selector.modify(self.socket, events, self)

    def ready(self, events):
        if events & selectors.EVENT_WRITE:
            self.flush()
        if events & selectors.EVENT_READ:
            try:
                data = self.socket.recv(1 << 18)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self.take(data)
            else:
                self.end()

    def take(self, data):
        self.input += data
        if not self.is_open:
            head, found, rest = self.input.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head:
                return self.refused(head.decode())
            self.is_open, self.input = True, rest
            self.opened()
        self.read_frames()

    def read_frames(self):
        data, at = self.input, 0
        while len(data) >= at + 2:
            size, start = data[at + 1], at + 2  # A server does not mask.
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : start], "big")
            if len(data) < max(start, at + 4) or len(data) < start + size:
                break
            kind, payload, at = data[at] & 15, data[start : start + size], start + size
            if kind == TEXT:
                self.received(payload)
            elif kind == CLOSE:
                self.code, self.reason = int.from_bytes(payload[:2], "big"), payload[2:].decode()
                self.output += frame(CLOSE, payload[:2])
                self.flush()
        self.input = data[at:]

    def end(self):
        if not self.ended:
            self.ended = True
            self.selector.unregister(self.socket)
            self.socket.close()


def drive(selector, until, seconds):
    """Does what there is to do, until something holds. False if that takes too long."""
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            return False
        for key, events in selector.select(0.01):
            if not key.data.ended:
                key.data.ready(events)
    return True


def chat(id, content):
    return frame(TEXT, json.dumps({"type": "chat", "id": id, "content": content}).encode())


class Sender(Client):
    """Somebody who always has so many chats on the way, and notes how long each of them takes."""

    def __init__(self, load, server, path, number):
        super().__init__(load.selector, server, path)
        self.load, self.count = load, 0
        self.prefix = b"%x-%d-" % (int(time.time()), number)  # Another one in each run.
        self.head, self.tail = chat("ID", load.content).split(b"ID")
        self.head = with_length(self.head, len(self.tail) + len(self.prefix) + 8)
        self.sent_at = {}

    def opened(self):
        self.load.opened += 1

    def next(self, count=1):
        data = b""
        for _ in range(count):
            if not self.load.goes_on(self):
                break
            id = b"%s%08d" % (self.prefix, self.count)
            self.count += 1
            self.sent_at[id] = time.perf_counter()
            self.load.waiting += 1
            data += self.head + id + self.tail
        if data:
            self.send(data)

    def received(self, text):
        if text.startswith(b'{"type":"ack"'):
            id = text.split(b'"', 8)[7]
            self.load.waiting -= 1
            self.load.times.append(time.perf_counter() - self.sent_at.pop(id))
            self.next()
        elif not text.startswith(OTHERS):
            raise RuntimeError(f"a client that writes was told {text.decode()}")


def with_length(head, rest):
    """The first part of a frame, when the whole has another length: two bytes of it say so."""
    payload = len(head) - 8 + rest  # Two bytes, two of the length, and four of the mask.
    return head[:2] + payload.to_bytes(2, "big") + head[4:]


def alone(count):
    """So many who write, each in a room of its own."""
    return [(f"room-{number}", PEOPLE[number % len(PEOPLE)]) for number in range(count)]


class Load:
    """Many who send, for some seconds, or until each has sent so many. The first is a client of
    the first server, the second of the next one, and so on."""

    def __init__(self, servers, people, at_once, seconds=SECONDS, each=None, content=CONTENT):
        self.selector, self.servers = selectors.DefaultSelector(), servers
        self.at_once, self.seconds, self.each = at_once, seconds, each
        self.opened, self.waiting, self.times, self.content = 0, 0, [], content
        self.senders = [
            Sender(self, server, server.path(*person), number)
            for number, (person, server) in enumerate(zip(people, itertools.cycle(servers)))
        ]
        is_open = lambda: self.opened == len(self.senders)
        assert drive(self.selector, is_open, TIMEOUT), "not all who write have a connection"

    def start(self):
        self.usage = Usage(self.servers)
        self.until = self.usage.began + self.seconds
        for sender in self.senders:
            sender.next(self.at_once)

    def finish(self):
        while self.waiting:
            before = len(self.times)
            drive(self.selector, lambda: not self.waiting, TIMEOUT)
            gone = [sender.code for sender in self.senders if sender.ended]
            if gone or len(self.times) == before:
                raise RuntimeError(f"no more acknowledgements; connections ended with {gone}")
        self.cpu = self.usage.end()
        self.rate = len(self.times) / self.usage.seconds
        for sender in self.senders:
            sender.end()

    def run(self):
        self.start()
        self.finish()
        return self

    def goes_on(self, sender):
        if self.each is not None:
            return sender.count < self.each
        return time.perf_counter() < self.until

    def row(self):
        return f"{self.rate:,.0f}", *percentiles(self.times), *self.cpu


class Usage:
    """How busy the servers and this program are: parts of one core."""

    def __init__(self, servers):
        self.servers, self.began = servers, time.perf_counter()
        self.cpu, self.own = sum(it.cpu() for it in servers), time.process_time()

    def end(self):
        self.seconds = time.perf_counter() - self.began
        server = (sum(it.cpu() for it in self.servers) - self.cpu) / self.seconds
        own = (time.process_time() - self.own) / self.seconds
        return f"{server:.0%}", f"{own:.0%}" + (" (*)" if own > BUSY else "")


def percentiles(times):
    times = sorted(times)
    at = lambda part: f"{1000 * times[min(len(times) - 1, int(part * len(times)))]:.2f}"
    return at(0.5), at(0.99)


class Counter(Client):
    """Somebody who reads chats, and counts them without looking closer."""

    count, tail, done = 0, b"", None

    def read_frames(self):
        data, self.input = self.tail + self.input, b""
        self.count += data.count(CHAT)
        self.tail = data[-len(CHAT) + 1 :]
        self.counted()

    def counted(self):
        pass


class Echoed(Counter):
    """Somebody who sends a chat for each that comes back, and always has some on the way."""

    until, sent, frame = 0.0, 0, b""

    def counted(self):
        due = self.count + IN_FLIGHT - self.sent
        if due > 0 and time.perf_counter() < self.until:
            self.send(b"".join(self.frame(self.sent + i) for i in range(due)))
            self.sent += due


def fan_out(servers, path):
    """One who writes, and all others who read: chats and deliveries a second."""
    selector, turns = selectors.DefaultSelector(), itertools.cycle(servers)
    writer = Echoed(selector, next(turns), path(PEOPLE[0]))
    others = [Counter(selector, next(turns), path(name)) for name in PEOPLE[1:]]
    everybody = [writer, *others]
    assert drive(selector, lambda: all(it.is_open for it in everybody), TIMEOUT), "no connection"
    drive(selector, lambda: False, 0.1)  # Until all who came have been announced.
    usage = Usage(servers)
    mark = f"{time.time():.0f}"
    writer.frame = lambda number: chat(f"{mark}-{number}", CONTENT)
    writer.until = usage.began + SECONDS
    writer.counted()
    drive(selector, lambda: time.perf_counter() > writer.until, SECONDS + TIMEOUT)
    figures = usage.end()
    everyone = sum(it.count for it in everybody)
    cut = sum(it.ended for it in everybody)
    for it in everybody:
        it.end()
    note = f", {cut} closed" if cut else ""
    seconds = usage.seconds
    return f"{writer.count / seconds:,.0f}", f"{everyone / seconds:,.0f}{note}", *figures


def line(*cells):
    print(f"| {' | '.join(cells)} |", flush=True)


def head(*cells):
    print()
    line(*cells)
    line(*["---"] * len(cells))
