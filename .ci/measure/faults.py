"""Tries what goes wrong around a server within a day: clocks, disks and locks.

    .ci/measure/faults                      24 hours, in some 8 minutes
    .ci/measure/faults --release            the release build
    .ci/measure/faults disk lock            these parts alone; the others are clock and day
    .ci/measure/faults --check              a shorter day

clock  the clock of the system jumps, to and fro. Nobody is disconnected, and no token is
       good for longer than it should be
day    the clock of the server runs 200 times as fast, or 50 times if the machine is too busy.
       Clients sign in, chat, are idle, fall silent, and are disconnected when their tokens
       expire, until the day is over
disk   the disk with the database fills, and is emptied again
lock   another process locks the database for longer than the server waits for it. In both,
       somebody chats all the time, and sends again what was not acknowledged

The first two need libfaketime (Debian: `faketime`), which this installs if it may; the third
needs a mount namespace of its own. The exit code is 1 if something is wrong. What this
machine forbids is skipped: if nothing else is wrong, the exit code is 77.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

from client import CLOSE, PASSWORDS, PING, PONG, ROOT, TEXT, TIMEOUT
from client import Frames, Report, WholeServer, arguments, build, chat, counted, frame
from client import comes_first, in_memory, next_part

LIBRARIES = ["/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1"]
SKIPPED = 77

SETTLED = 15.0  # Seconds after which the log is available again, once the cause is gone.
ROUND_TRIP = 5.0  # Seconds for a chat, whatever the clock does.
MOMENT = 1.0  # Seconds for which somebody waits whose chats may have to wait, too.
TOKEN_LIFETIME = 15 * 60
TOKEN_EXPIRED, NO_SIGN_OF_LIFE, IDLE = 4001, 4010, 4011

# Where the clock of the system is, in seconds from the right time, one after the other.
JUMPS = [0, 3600, 0, -300, -3600, 86_400, 10 * 365 * 86_400, -20 * 365 * 86_400, 0]

# How fast a day goes by. If a machine is too busy for that, a short one goes by more slowly.
SPEED, SLOWER = 200, 50
DAY, SHORT_DAY = 24 * 3600, 40 * 60
LATE = 60  # Seconds of such a day by which anything may be late: 0.3 s for us.
# A pong has 50 ms on such a day, so a busy machine misses some: 6 in 100 connections ended
# early while two cores compiled. So many of each kind of client may, or so great a part. What
# is wrong with more of them is wrong on a slower day, too, or it was the machine.
MISSED, MISSED_PART = 2, 0.1
GROWTH = 8  # MiB by which memory may grow from the first hour of the day to its end.

DISK = 8  # MiB of the disk that fills.
FULL_WRITES = 200  # So many writes are tried at most, until some of them are refused.
REFUSED = 10  # So many of them are enough.
ANSWER = 5.0  # Seconds until a write to a full disk must have its answer.
KNOWN = 5.0  # Seconds until GET /ready must know.
RECOVERY = 10.0  # Seconds after which everything must be as before.

LOCKED = 12  # Seconds for which another process has the database.
# SQLite waits for 5 seconds, and a request for its turn for 10.
BUSY = 16.0

# These faults are not about limits.
ROOMY = {
    "changes_per_second": 10_000,
    "change_burst": 10_000,
    "reads_per_second": 10_000,
    "read_burst": 10_000,
    "messages_per_second": 100,
    "message_burst": 100,
    "members_per_room": 3,
}


class Wrong(Exception):
    """Something is not as it should be, and to go on makes no sense."""


class Closed(Wrong):
    """The server has closed a connection."""


class Chatter:
    """Somebody in a room, who expects to hear itself."""

    def __init__(self, server, token, room="tea"):
        self.frames = Frames(server.upgrade(f"/ws/chat/{room}?token={token}"))
        self.trips, self.count, self.spoke = [], 0, 0.0

    def speaks(self):
        """Says something, and waits until it comes back. Returns the message."""
        self.count += 1
        self.spoke = start = time.monotonic()
        words = f"still here? {self.count}"
        self.frames.connection.sendall(chat(words))
        try:
            while True:
                message = self.next(start + ROUND_TRIP)
                if message["type"] == "error":
                    raise Wrong(f"a chat got an error: {message['message']}")
                if message["type"] == "chat" and message["content"] == words:
                    self.trips.append(time.monotonic() - start)
                    return message
        except TimeoutError:
            raise Wrong(f"a chat did not come back within {ROUND_TRIP:.0f} s")

    def speaks_now_and_then(self):
        """Speaks, unless it has spoken within this fifth of a second."""
        if time.monotonic() - self.spoke > 0.2:
            self.speaks()

    def next(self, deadline):
        while True:
            got = self.frames.next(deadline)
            if got is None:
                raise Wrong("the connection of a chat ended")
            kind, payload = got
            if kind == PING:
                self.frames.connection.sendall(frame(PONG, payload))
            elif kind == CLOSE:
                raise Closed(f"a chat was closed with {code_of(payload)} {payload[2:].decode()}")
            elif kind == TEXT:
                return json.loads(payload)

    def slowest(self):
        return f"{1000 * max(self.trips):.0f} ms"


class Sender(Chatter):
    """Somebody who sends each chat again until it is acknowledged."""

    def __init__(self, server, token, room="tea"):
        self.server, self.path = server, f"/ws/chat/{room}?resume=0&token={token}"
        self.count, self.spoke, self.closed = 0, 0.0, 0
        self.waiting, self.said, self.frames = {}, [], None

    def speaks(self):
        self.count += 1
        self.spoke = time.monotonic()
        words = f"still here? {self.count}"
        self.said.append(words)
        self.waiting[str(self.count)] = words
        if self.frames:
            self.send(str(self.count))
        self.hear()

    def send(self, id):
        message = {"type": "chat", "id": id, "content": self.waiting[id]}
        self.frames.connection.sendall(frame(TEXT, json.dumps(message).encode()))

    def hear(self):
        """Connects if need be, and reads until nothing waits, or a moment has passed."""
        deadline = time.monotonic() + MOMENT
        try:
            if not self.frames:
                self.frames = Frames(self.server.upgrade(self.path))
            while self.waiting:
                message = self.next(deadline)
                if message["type"] == "welcome":
                    for id in self.waiting:
                        self.send(id)
                elif message["type"] == "ack":
                    self.waiting.pop(message["id"], None)
                elif message["type"] in ("error", "rejected"):
                    raise Wrong(f"a chat got {message}")
        except TimeoutError:
            pass  # The log is not available yet.
        except Closed as closed:
            if str(closed) != "a chat was closed with 1013 the log is not available":
                raise
            self.closed += 1
            self.frames = None

    def settle(self):
        """Returns a sentence about what became of all that it has sent."""
        begin = time.monotonic()
        while self.waiting and time.monotonic() - begin < SETTLED:
            self.hear()
        if self.waiting:
            raise Wrong(f"{len(self.waiting)} chats were never acknowledged")
        frames, there = Frames(self.server.upgrade(self.path)), []
        self.frames = frames
        while len(there) < len(self.said):
            message = self.next(time.monotonic() + TIMEOUT)
            there += [message["content"]] if message["type"] == "chat" else []
        # The order may be another one: a chat that failed comes behind what was sent after it.
        if sorted(there) != sorted(self.said):
            raise Wrong("a chat is not in the log, or is there twice")
        return f"{len(there)} acknowledged, each once, after {self.closed} x 1013"


def code_of(payload):
    return int.from_bytes(payload[:2], "big") if payload else 1005


def sentence_in(text):
    """What an answer in JSON says. None if it says nothing."""
    try:
        message = json.loads(text).get("message")
    except (ValueError, AttributeError):
        return None
    return message if message and " " in message else None


class Trial:
    """The parts, and what they share."""

    def __init__(self, package, profile, report, is_short):
        self.package, self.profile, self.report = package, profile, report
        self.is_short = is_short
        self.part, self.skipped = "", []

    def row(self, what, figure):
        self.report.row((self.part, 7), (what, 42), (figure, 0))

    def expect(self, holds, sentence):
        self.report.expect(holds, f"{self.part}: {sentence}")

    def skip(self, why):
        self.row("SKIPPED", why)
        self.skipped.append(self.part)

    def start(self, **settings):
        return WholeServer(self.package, self.profile, **settings)

    def expect_no_panic(self, server):
        said = server.said()
        self.expect("panicked" not in said, f"a thread of the server panicked: {said[:300]}")


# The clock of the system.


def faketime():
    """The library that shows another time to a process. Installs it if it may."""
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern[1:])]
    if not found:
        subprocess.run([ROOT / ".ci/debian", "faketime"], stderr=subprocess.DEVNULL)
        found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern[1:])]
    return str(found[0]) if found else None


NO_FAKETIME = "libfaketime is not there, and cannot be installed: apt-get install faketime"


def clock(trial):
    if (library := faketime()) is None:
        return trial.skip(NO_FAKETIME)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clock"
        set_clock(file, 0)
        env = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            # Somebody who sets the clock does not touch this one.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        with trial.start(env=env, **ROOMY) as server:
            jump(trial, server, file)
            trial.expect_no_panic(server)


def set_clock(file, offset):
    """Sets the clock, in one step: nobody reads half a number."""
    new = file.with_suffix(".new")
    new.write_text(f"{offset:+}")
    new.rename(file)


def jump(trial, server, file):
    tokens = []  # Pairs: where the clock was, and a token from then.
    chatter = Chatter(server, server.token("ana", "127.0.0.2"))
    for number, offset in enumerate(JUMPS):
        set_clock(file, offset)
        where = f"with the clock at {offset:+} s"
        try:
            stamp = chatter.speaks()["timestamp"]
        except Wrong as wrong:
            raise Wrong(f"{where}, {wrong}")
        now = datetime.now(timezone.utc) + timedelta(seconds=offset)
        off = abs((datetime.fromisoformat(stamp) - now).total_seconds())
        trial.expect(off < 5, f"{where}, a message is stamped {stamp}, which is {off:.0f} s off")

        judged = [judge(trial, server, token, offset - then, where) for then, token in tokens]
        tokens.append((offset, server.token("ben", f"127.0.0.{10 + number}")))
        status, _, text = server.ask("GET", "/me", token=tokens[-1][1])
        trial.expect(status == 200, f"{where}, a new token is answered with {status} {text}")
        body = {"name": "Ben", "email": f"ben{number}@example.org"}
        status, _, text = server.ask("POST", "/api/v1/users", body, token=tokens[-1][1])
        trial.expect(status == 201, f"{where}, a change is answered with {status} {text}")
        Chatter(server, tokens[-1][1], f"room-{number}").speaks()
        status, said = server.ready()
        trial.expect(status == 200, f"{where}, GET /ready says {status} {said}")
        older = " ".join(map(str, judged))
        trial.row(f"the clock is at {offset:+} s", f"older tokens: {older or '-'}")
    trial.row("a chat all the time", f"goes on, the slowest took {chatter.slowest()}")


def judge(trial, server, token, age, where):
    """Asks with a token of that age, which is negative if it is from the future."""
    status, _, text = server.ask("GET", "/me", token=token)
    if 0 <= age < TOKEN_LIFETIME - 60:
        right = {200}
    elif -TOKEN_LIFETIME < age < 0:
        right = {200, 401}  # A small step back: to trust it, or to ask again, is both fair.
    else:
        right = {401}
    trial.expect(
        status in right,
        f"{where}, a token from {abs(age)} s {'ago' if age >= 0 else 'ahead'} should be answered "
        f"with {' or '.join(map(str, sorted(right)))}, not {status} {text}",
    )
    trial.expect(
        status != 401 or "gain" in text,
        f"{where}, a 401 should say to sign in again, not {text!r}",
    )
    return status


# A day that goes by faster.


class Person:
    """A client of the fast day, again and again. Each does one thing all the time."""

    def __init__(self, number, server, end, speed, signing_in):
        self.number, self.server, self.end, self.speed = number, server, end, speed
        self.name = list(PASSWORDS)[number % 3]
        self.signing_in = signing_in
        self.ends, self.problems, self.retries = Counter(), [], 0
        self.missed = []  # How it was disconnected when it should not have been.
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while time.monotonic() < self.end:
                self.live()
        except Exception as error:
            self.problems.append(f"{self.what}: {type(error).__name__} {error}")

    def live(self):
        """Signs in, and stays until the server closes, with the code that it must have."""
        token, signed_in = self.sign_in()
        path = self.path.format(self.number)
        frames = Frames(self.server.upgrade(f"{path}?token={token}"))
        begin, spoke = time.monotonic(), 0.0
        if not self.answers:
            time.sleep(self.after / self.speed)
        while (now := time.monotonic()) < self.end:
            if self.speaks and now - spoke > 60 / self.speed:
                self.send(frames, chat("still here?"))
                spoke = now
            try:
                got = frames.next(now + 30 / self.speed)
            except TimeoutError:
                continue
            if got is None or got[0] == CLOSE:
                since = signed_in if self.code == TOKEN_EXPIRED else begin
                return self.closed(frames, got, since, token)
            if got[0] == PING and self.answers:
                self.send(frames, frame(PONG, got[1]))
            elif b'"error"' in got[1]:
                self.problems.append(f"{self.what} got {got[1].decode()[:200]}")
        frames.connection.close()

    def send(self, frames, data):
        try:
            frames.connection.sendall(data)
        except ConnectionError:
            pass  # It has ended. What comes next to read tells how.

    def sign_in(self):
        """One at a time: for the server, to check a password takes ten seconds here."""
        for _ in range(5):
            with self.signing_in:
                try:
                    begin = time.monotonic()
                    return self.server.token(self.name, f"127.0.0.{10 + self.number}"), begin
                except OSError:
                    self.retries += 1
        raise Wrong("signing in failed five times, without an answer")

    def closed(self, frames, got, since, token):
        took = (time.monotonic() - since) * self.speed
        code = code_of(got[1]) if got else 1006
        self.ends[code] += 1
        if code != self.code or abs(took - self.after) > LATE:
            self.missed.append(f"with {code} after {took:.0f} s")
        if got:
            self.send(frames, frame(CLOSE, got[1][:2]))
        frames.connection.close()
        if code == TOKEN_EXPIRED:
            self.ask_with(token)

    def ask_with(self, token):
        """Over HTTP, too, the token is no longer good, once its last second is over."""
        time.sleep(2 / self.speed)
        status, _, text = self.server.ask("GET", "/me", token=token)
        if status != 401 or "expired" not in text:
            self.problems.append(f"an expired token is answered with {status} {text}")


class Talks(Person):
    what, path, speaks, answers = "who chats", "/ws/chat/room-{}", True, True
    code, after = TOKEN_EXPIRED, TOKEN_LIFETIME


class Follows(Person):
    what, path, speaks, answers = "who follows", "/api/v1/ws/users", False, True
    code, after = TOKEN_EXPIRED, TOKEN_LIFETIME


class IsIdle(Person):
    what, path, speaks, answers = "who says nothing", "/ws/chat/idle-{}", False, True
    code, after = IDLE, 600


class IsSilent(Person):
    """The server has given it up when it looks, after a minute, what has come."""

    what, path, speaks, answers = "who does not answer", "/ws/chat/silent-{}", False, False
    code, after = NO_SIGN_OF_LIFE, 60


KINDS = [Talks, Talks, Talks, Talks, Talks, Follows, Follows, IsIdle, IsSilent]


def day_goes_by(trial):
    if (library := faketime()) is None:
        return trial.skip(NO_FAKETIME)
    for seconds, speed in (SHORT_DAY if trial.is_short else DAY, SPEED), (SHORT_DAY, SLOWER):
        env = {"LD_PRELOAD": library, "FAKETIME": f"+0 x{speed}", "FAKETIME_NO_CACHE": "1"}
        with in_memory() as folder:  # Ten seconds for the disk have 50 ms here.
            with trial.start(env=env, database=Path(folder) / "chat.db") as server:
                misses = pass_time(trial, server, seconds, speed)
                trial.expect_no_panic(server)
        if not misses or speed == SLOWER:
            break
        trial.row("that was the server or the machine", f"once more, {SLOWER} times as fast")
    for miss in misses:
        trial.expect(False, miss)


def pass_time(trial, server, seconds, speed):
    """Lets people live through so many seconds. Returns which of them were not disconnected
    when they should have been, if these are too many: perhaps the machine was too busy."""
    signing_in, begin = threading.Lock(), time.monotonic()
    end = begin + seconds / speed
    people = [kind(number, server, end, speed, signing_in) for number, kind in enumerate(KINDS)]
    for person in people:
        person.thread.start()
    time.sleep((end - begin) / 10)
    early = server.memory("VmRSS"), server.descriptors()
    time.sleep(max(0, end - 0.2 - time.monotonic()))
    late = server.memory("VmRSS"), server.descriptors()
    for person in people:
        person.thread.join(TIMEOUT)

    ends = sum((person.ends for person in people), Counter())
    told = counted(dict(sorted(ends.items())))
    trial.row(f"{seconds / 3600:.1f} hours, {len(people)} people", f"closed {told}")
    trial.row("memory", f"{early[0]:.1f} -> {late[0]:.1f} MiB, {early[1]} -> {late[1]} descriptors")
    if retries := sum(person.retries for person in people):
        trial.row("signing in had no answer in time", f"{retries} times, and was repeated")
    misses = [missed(trial, kind, people) for kind in dict.fromkeys(KINDS)]
    for problem, count in Counter(it for person in people for it in person.problems).items():
        trial.expect(False, f"{problem} ({count} x)")
    codes = {kind.code for kind in KINDS}
    trial.expect(codes <= ends.keys(), f"nothing was tried: only {told or 'nobody'} was closed")
    more = late[0] - early[0]
    trial.expect(more <= GROWTH, f"memory grew by {more:.1f} MiB, and {GROWTH} are the limit")
    # Not at once: a second, in which the disk must have answered, has 5 ms here.
    expect_ready(trial, server, 200, "at the end", KNOWN)
    return [*filter(None, misses)]


def missed(trial, kind, people):
    """What is wrong if too many of a kind were not disconnected as they should have been."""
    people = [person for person in people if type(person) is kind]
    missed = [how for person in people for how in person.missed]
    total = sum(person.ends.total() for person in people)
    if missed:
        trial.row(f"{kind.what}, not as it should be", f"{len(missed)} of {total}, {missed[0]}")
    if len(missed) > max(MISSED, MISSED_PART * total):
        return (
            f"{kind.what} should be closed with {kind.code} after {kind.after} s, but "
            f"{len(missed)} of {total} were not, such as one {missed[0]}"
        )


# A disk that fills.


class Posts:
    """The posts that were acknowledged, and a way to write more."""

    def __init__(self, trial, server):
        self.trial, self.server = trial, server
        self.tokens = {name: server.token(name) for name in PASSWORDS}
        self.kept, self.refusals, self.slowest, self.count = {}, Counter(), 0.0, 0
        body = {"name": "Ana", "email": "ana@example.org"}
        status, _, text = self.ask("POST", "users", body)
        if status != 201:
            raise Wrong(f"the first change is answered with {status} {text}")
        self.author = json.loads(text)["id"]

    def ask(self, method, path, body=None, timeout=3 * TIMEOUT):
        token = self.tokens["ana"]
        return self.server.ask(method, f"/api/v1/{path}", body, timeout=timeout, token=token)

    def write(self, size=2000):
        """Writes a post. Returns the status, and remembers what came of it."""
        self.count += 1
        title = f"Post {self.count}"
        body = {"user_id": self.author, "title": title, "body": "x" * size}
        start = time.monotonic()
        status, _, text = self.ask("POST", "posts", body)
        took = time.monotonic() - start
        if status == 201:
            self.kept[json.loads(text)["id"]] = title
        else:
            self.slowest = max(self.slowest, took)
            self.refusals[status, sentence_in(text)] += 1
        return status

    def compare(self, when):
        """Expects all that was acknowledged, and nothing else, to be there."""
        there, path = {}, "posts"
        while path:
            status, headers, text = self.ask("GET", path)
            if status != 200:
                return self.trial.expect(False, f"{when}, reading is answered with {status} {text}")
            there.update((row["id"], row["title"]) for row in json.loads(text))
            path = (next_part(headers) or "").removeprefix("/api/v1/")
        missing, surplus = self.kept.keys() - there.keys(), there.keys() - self.kept.keys()
        self.trial.expect(
            not missing,
            f"{when}, {len(missing)} of {len(self.kept)} acknowledged posts are missing",
        )
        self.trial.expect(
            not surplus, f"{when}, {len(surplus)} posts are there whose writing was refused"
        )

    def told(self):
        return counted({f"{status} {said!r}": it for (status, said), it in self.refusals.items()})


def disk(trial):
    if not os.environ.get("OWN_MOUNTS"):
        return trial.skip("this machine allows no mount namespace, so no disk can be filled")
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", folder]
        if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
            return trial.skip("this machine allows no mount, so no disk can be filled")
        try:
            with trial.start(database=Path(folder) / "chat.db", **ROOMY) as server:
                posts = fill_and_empty(trial, server, Path(folder) / "filler")
                code, _ = server.stops()
                trial.expect(code == 0, f"after SIGTERM the exit code should be 0, not {code}")
                trial.expect_no_panic(server)
            with trial.start(database=Path(folder) / "chat.db") as posts.server:
                posts.tokens = {name: posts.server.token(name) for name in PASSWORDS}
                posts.compare("after a restart")
        finally:
            subprocess.run(["umount", "--lazy", folder])


def fill_and_empty(trial, server, filler):
    posts = Posts(trial, server)
    chatter = Sender(server, posts.tokens["ben"])
    for _ in range(50):
        posts.write()
    trial.expect(not posts.refusals, f"before the disk is full: {posts.told()}")

    fill(filler)
    for _ in range(FULL_WRITES):
        posts.write()
        chatter.speaks_now_and_then()
        if sum(posts.refusals.values()) == REFUSED:
            break
    trial.row("writes to a full disk", posts.told())
    trial.row("the slowest of their answers", f"{1000 * posts.slowest:.0f} ms")
    trial.expect(posts.refusals, f"none of {FULL_WRITES} writes to a full disk was refused")
    for status, said in posts.refusals:
        trial.expect(
            status in (500, 503, 507) and said,
            f"a write to a full disk should be answered with 500, 503 or 507 and a sentence, "
            f"not {status} {said!r}",
        )
    trial.expect(posts.slowest <= ANSWER, f"a write to a full disk took {posts.slowest:.1f} s")
    expect_ready(trial, server, 503, "with a full disk", KNOWN)
    posts.compare("with a full disk")

    filler.unlink()
    begin = time.monotonic()
    while (status := posts.write()) != 201 and time.monotonic() - begin < RECOVERY:
        time.sleep(0.1)
    took = time.monotonic() - begin
    trial.row("after it was emptied", f"a write gets {status} after {took:.1f} s")
    trial.expect(status == 201, f"{took:.0f} s after the disk was emptied a write gets {status}")
    expect_ready(trial, server, 200, "with room on the disk", RECOVERY)
    posts.compare("after the disk was emptied")
    trial.row("a chat all the time", chatter.settle())
    return posts


def fill(path):
    """Takes all there is, to the last byte. Again, it takes what has become free since."""
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass  # It is full, for pieces of that size.


def expect_ready(trial, server, wanted, when, within):
    begin = time.monotonic()
    while (answer := server.ready())[0] != wanted and time.monotonic() - begin < within:
        time.sleep(0.1)
    status, said = answer
    trial.row(f"GET /ready {when}", f"{status} {said[:60]}, after {time.monotonic() - begin:.1f} s")
    trial.expect(
        status == wanted,
        f"{when}, GET /ready should say {wanted} within {within:.0f} s, not {status} {said}",
    )


# A database that is locked.


def lock(trial):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chat.db"
        with trial.start(database=file, **ROOMY) as server:
            posts = Posts(trial, server)
            chatter = Sender(server, posts.tokens["ben"])
            for _ in range(10):
                posts.write()
            be_locked(trial, server, file, posts, chatter)
            trial.row("a chat all the time", chatter.settle())
            trial.expect_no_panic(server)


class Asking:
    """Asks for the same again and again, and remembers each answer."""

    def __init__(self, what, ask):
        self.what, self.ask, self.stop = what, ask, threading.Event()
        self.answers = []  # When it was asked, how long it took, the status, the text.
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            start = time.monotonic()
            try:
                status, _, text = self.ask()
            except OSError as error:
                status, text = type(error).__name__, ""
            self.answers.append((start, time.monotonic() - start, status, text))
            time.sleep(0.2)


def be_locked(trial, server, file, posts, chatter):
    draft = {"user_id": posts.author, "title": "Written while locked", "body": ""}
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    begin = time.monotonic()
    writing = [Asking("writing", lambda: posts.ask("POST", "posts", draft)) for _ in range(4)]
    reading = Asking("reading", lambda: posts.ask("GET", "posts"))
    ready = Asking("GET /ready", lambda: server.ask("GET", "/ready"))
    while time.monotonic() - begin < LOCKED:
        chatter.speaks_now_and_then()
        time.sleep(0.1)
    free = time.monotonic()
    other.execute("ROLLBACK")
    other.close()
    for asking in (*writing, reading, ready):
        asking.stop.set()
    for asking in (*writing, reading, ready):
        asking.thread.join(3 * TIMEOUT)

    answers = [answer for it in writing for answer in it.answers]
    during = [answer for answer in answers if sum(answer[:2]) < free]
    judge_locked(trial, "writing, while it is locked", during, {503})
    trial.expect(during, "no write was answered while the database was locked")
    # These waited when the lock ended.
    at_its_end = [answer for answer in answers if answer not in during]
    judge_locked(trial, "writing, at its end", at_its_end, {201, 503})
    judge_locked(trial, "reading, meanwhile", reading.answers, {200, 503})
    told = Counter(status for _, _, status, _ in ready.answers)
    trial.row("GET /ready meanwhile", counted(told))
    for _, _, status, text in answers:
        if status == 201:
            posts.kept[json.loads(text)["id"]] = draft["title"]
    again(trial, server, posts)


def judge_locked(trial, what, answers, right):
    """Expects answers of the right kind, in time."""
    told = Counter(status for _, _, status, _ in answers)
    slowest = max((took for _, took, _, _ in answers), default=0)
    statuses = counted(told)
    trial.row(what, f"{statuses or 'nothing'}, the slowest after {slowest:.1f} s")
    trial.expect(
        told.keys() <= right,
        f"{what}: the answers should be {' or '.join(map(str, sorted(right)))}, but there were "
        f"{statuses}",
    )
    trial.expect(
        slowest <= BUSY,
        f"{what}: answers should come within {BUSY:.0f} s, but one took {slowest:.1f}",
    )
    mute = [text for _, _, status, text in answers if status == 503 and not sentence_in(text)]
    trial.expect(not mute, f"a 503 should come with a sentence, not {mute[:1]}")


def again(trial, server, posts):
    begin = time.monotonic()
    while (status := posts.write()) != 201 and time.monotonic() - begin < RECOVERY:
        time.sleep(0.1)
    trial.row("after the lock", f"a write gets {status} after {time.monotonic() - begin:.1f} s")
    trial.expect(status == 201, f"{RECOVERY:.0f} s after the lock a write gets {status}")
    expect_ready(trial, server, 200, "after the lock", RECOVERY)
    posts.compare("after the lock")


PARTS = {"clock": clock, "day": day_goes_by, "disk": disk, "lock": lock}


def with_own_mounts():
    """Begins anew where a mount is seen by nobody else. Whether that worked shows later."""
    if "OWN_MOUNTS" in os.environ:
        return
    os.environ["OWN_MOUNTS"] = ""
    for begin in (["unshare", "--mount", "--map-root-user"], ["unshare", "--mount"]):
        try:
            allowed = subprocess.run([*begin, "true"], stderr=subprocess.DEVNULL).returncode == 0
        except FileNotFoundError:
            return
        if allowed:
            os.environ["OWN_MOUNTS"] = "yes"
            os.execvp("unshare", [*begin, sys.executable, *sys.argv])


def main():
    package, _, flags, wanted = arguments(sys.argv[1:], __doc__)
    if unknown := set(wanted) - PARTS.keys():
        sys.exit(f"{' '.join(unknown)}: unknown. The parts are {' '.join(PARTS)}.")
    report = Report(check=True)
    profile = "release" if "--release" in flags else "debug"
    if "OWN_MOUNTS" not in os.environ:
        build(package, profile=profile)
        faketime()  # Later we are nobody who may install something.
        comes_first()  # A second of a day takes 5 ms.
        with_own_mounts()
    trial = Trial(package, profile, report, "--check" in flags)
    print(f"{package}, {profile} build", flush=True)
    for trial.part in wanted or PARTS:
        try:
            PARTS[trial.part](trial)
        except (AssertionError, OSError, RuntimeError, Wrong) as error:
            name = f"{type(error).__name__} " if isinstance(error, OSError) else ""
            trial.expect(False, f"{name}{error}")
    code = report.end()
    if not report.problems:
        done = [part for part in wanted or PARTS if part not in trial.skipped]
        print(f"All is as it should be: {', '.join(done) or 'nothing was tried'}.")
    return code or (SKIPPED if trial.skipped else 0)


if __name__ == "__main__":
    sys.exit(main())
