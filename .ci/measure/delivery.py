"""Looks whether lesson 18 loses what it has acknowledged, and measures what that costs.

    .ci/measure/delivery                   figures of the release build: some two minutes
    .ci/measure/delivery --debug           the same of the debug build, which is there already
    .ci/measure/delivery --check           8 kills, a full disk and a busy room, the debug build
    .ci/measure/delivery --nightly         100 kills, the same, and a power cut
    SEED=17 .ci/measure/delivery --check   the same moments as another time

**Kills.** Six clients write to three rooms, several chats at a time, each chat with an id.
At a random moment, or when a certain acknowledgement arrives, comes `kill -9`, and the server
starts again with the same file. All clients resume, send again what has no acknowledgement,
and also much of what has one. Then:

* each chat that was acknowledged is in the room once, with the number that it was told, and
  gets this number again if it is sent again;
* a room's last number is the number of its chats: none is missing, none is there twice;
* whoever was there all the time, who has left before the kill, and who comes for the first
  time, all have seen the same chats with the same numbers, none twice, and in their order.

**A full disk.** The files of the server may have only so many bytes. The clients that write
are closed with 1013, and those that only read stay. Then the files may grow again, and the
same process goes on: all of the above holds.

**A busy room.** Somebody who has missed a few chats comes back while many others write as fast
as they can, short chats or long ones. It must catch up, and not fall behind until what it needs
is no longer kept.

**A power cut**, with --nightly, as root. `kill -9` cannot show what a loss of power destroys,
because the system's buffers outlive the process: a server that does not wait for the disk at
all passes the kills. So the database is on a file system in a file, the server is stopped, and
a copy of that file has only what had reached the device. With the copy the server starts
again. Then the same with `synchronous=NORMAL`, which may lose the newest chats: their number is
a figure, and no error. Where nothing may be mounted, it says so, and the exit code is 77.
"""

import json
import os
import random
import resource
import selectors
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from client import ROOT, TARGET, TIMEOUT, Report, Server, build
from delivery_client import (
    CONTENT,
    IN_FLIGHT,
    PEOPLE,
    SECRET,
    Client,
    Counter,
    Load,
    Usage,
    alone,
    chat,
    chat_path,
    drive,
    fan_out,
    head,
    line,
    percentiles,
)

LESSON, FAN_OUT = "lesson_18_delivery", "lesson_07_rooms"
RUNS, FEW_RUNS = 100, 8
ROOMS = ["tea", "jam", "figs"]
WRITERS, READER, NEWCOMER = ["ana", "ben"], "cem", "dan"
MOMENTS = 0.05, 0.6  # Seconds of writing before the kill, at least and at most.
ACKNOWLEDGEMENTS = 20, 1500  # Or so many of them.
AT_ONCE = 24  # Chats that a writer may have on the way; the server reads up to 32.
SENT_AGAIN = 50  # Older chats that each writer sends again, beside those of the run.
RESTART = 5.0  # Seconds until the server must listen again.
KEPT = 1000  # Chats of a room that the server keeps.
DISK = 1 << 20  # Bytes that a file may have on the full disk.
AGAIN = 1013  # Try again later.
ENOUGH = 5  # Sentences about what is wrong. One mistake has many consequences.
POWER = 5.0  # Seconds of writing before the power is cut.

# Figures.
LOADS = [(1, 1), (100, 1), (1, IN_FLIGHT), (100, IN_FLIGHT)]  # Writers, and chats at once.
RESUMERS, MISSED = 1000, 100
MANY = 100_000  # Chats, after which the size of the file is looked at.
# How many write to a busy room, and what. So many commit as much at once as the server does.
BUSY_ROOMS = [(16, CONTENT), (6, "x" * 2000)]

WIDTHS = [10, 32, 14, 12, 10, 10, 12]


class Delivery(Server):
    """Lesson 18 with a database. Tokens of one process are good for the next."""

    def __init__(self, database, profile="debug", program=LESSON, **env):
        env = {"JWT_SECRET": SECRET, "DATABASE": str(database), **env}
        super().__init__(program, profile=profile, **env)

    def path(self, room, name, **query):
        return chat_path(LESSON, room, name, **query)

    def may_write(self, size):
        """No file of it may become longer than this. More is an error, as on a full disk."""
        limits = size, resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, limits)


class Person:
    """Somebody in a room: what it has seen there, what it has sent, and what became of it."""

    def __init__(self, trial, name, room):
        self.trial, self.name, self.room = trial, name, room
        self.seen, self.log, self.view = 0, None, {}
        self.sent = {}  # The content of each chat, by its id.
        self.waiting = {}  # The same, for those without an acknowledgement, in their order.
        self.numbers = {}  # What each chat was told, by its id.
        self.again = set()  # What was acknowledged, and has been sent again.
        self.sent_again = set()  # What was sent again at any time.
        self.writes = False
        self.last = None  # The room's last number when it connected.
        self.client = None

    def __str__(self):
        return f"{self.name} in {self.room}"

    def connect(self, server):
        query = {"resume": self.seen, **({"log": self.log} if self.log else {})}
        self.writes, self.last = False, None
        path = server.path(self.room, self.name, **query)
        self.client = Client(self.trial.selector, server, path)
        self.client.received = self.received

    def is_gone(self):
        return self.client is None or self.client.ended

    def write(self):
        """Keeps as many chats on the way as it may."""
        data = b""
        while self.writes and len(self.waiting) < self.at_once:
            id = f"{self.name}-{self.room}-{len(self.sent) + 1}"
            content = f"chat {len(self.sent) + 1} " + "x" * self.trial.random.randint(0, 200)
            content = content.strip()
            self.sent[id] = self.waiting[id] = content
            self.trial.contents[self.name, id] = content
            data += chat(id, content)
        if data:
            self.client.send(data)

    def start_to_write(self):
        self.at_once = self.trial.random.randint(1, AT_ONCE)
        self.writes = True
        self.write()

    def send_again(self):
        """Sends what was acknowledged since the last time once more, and some of the rest."""
        old = sorted(self.sent_again)
        old = self.trial.random.sample(old, min(SENT_AGAIN, len(old)))
        new = [id for id in self.numbers if id not in self.sent_again]
        self.again = {*old, *new}
        self.sent_again.update(new)
        self.client.send(b"".join(chat(id, self.sent[id]) for id in [*new, *old]))

    def received(self, text):
        message = json.loads(text)
        match message["type"]:
            case "welcome":
                self.welcome(message["log"], message["seq"])
            case "chat":
                self.chat(message["seq"], message["from"], message.get("id"), message["content"])
            case "gap":
                self.gap(message["next"])
            case "ack":
                self.acknowledge(message["id"], message["seq"])
                self.write()
            case "rejected" | "error":
                self.wrong(f"was told {text.decode()}")

    def wrong(self, sentence):
        self.trial.wrong(f"{self} {sentence}")

    def welcome(self, log, seq):
        if self.log not in (None, log):
            self.wrong(f"is told that the log is {log}, and before it was {self.log}")
        if seq < self.seen:
            self.wrong(
                f"has seen chat {self.seen}, but the log ends with {seq} now: the server has "
                f"delivered what was not durable"
            )
        if self.numbers and seq < (last := max(self.numbers.values())):
            self.wrong(
                f"has an acknowledgement for chat {last}, but the log ends with {seq} now: the "
                f"server has acknowledged what was not durable"
            )
        self.log, self.last = log, seq
        # All that has no acknowledgement, in its order, as each client must.
        self.client.send(b"".join(chat(id, it) for id, it in self.waiting.items()))

    def chat(self, seq, sender, id, content):
        if seq <= self.seen:
            self.wrong(f"has received chat {seq} after {self.seen}, so twice or out of order")
        elif seq != self.seen + 1 and self.seen:
            self.wrong(f"has received chat {seq} after {self.seen}, and nothing between them")
        elif seq > 1 and not self.seen:
            self.trial.gaps.append((self, 0, seq))  # Who is new is not told that there is one.
        self.seen = max(seq, self.seen)
        self.view[seq] = sender, id, content

    def gap(self, next):
        if next <= self.seen + 1 and self.seen <= self.last:
            self.wrong(f"has seen chat {self.seen}, and is told that all before {next} is missing")
        self.trial.gaps.append((self, self.seen, next))
        self.seen = max(self.seen, next - 1)

    def acknowledge(self, id, seq):
        self.trial.acknowledged += 1
        if id in self.again and id in self.numbers:
            if self.numbers[id] != seq:
                self.wrong(
                    f"has sent {id} again, and it got number {seq}: before, it was "
                    f"{self.numbers[id]}. So the server has forgotten its id, and it is there twice"
                )
            self.again.discard(id)
        elif self.waiting.pop(id, None) is None:
            self.wrong(f"has an acknowledgement for {id}, which it has not sent")
        else:
            self.numbers[id] = seq
            self.trial.told(self, id, seq)
        if self.trial.kill_at and self.trial.acknowledged >= self.trial.kill_at:
            self.trial.kill()


class Trial:
    """One database file, its servers, and everybody who has ever used it."""

    def __init__(self, profile, seed, file, program=LESSON):
        self.profile, self.file, self.program = profile, Path(file), program
        self.random = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.writers = [Person(self, name, room) for room in ROOMS for name in WRITERS]
        self.readers = [Person(self, READER, room) for room in ROOMS]
        self.told_in = {room: {} for room in ROOMS}  # Which chat was told which number.
        self.contents = {}  # What was sent, by its sender and id.
        self.problems, self.gaps = [], []
        self.acknowledged, self.kill_at, self.server = 0, None, None
        self.part = ""  # What is being tried.

    def everybody(self):
        return self.writers + self.readers

    def wrong(self, sentence):
        self.problems.append(f"{self.part}: {sentence}")
        if len(self.problems) == ENOUGH:
            raise RuntimeError(f"{self.part}: this part has ended here")

    def told(self, person, id, seq):
        other = self.told_in[person.room].setdefault(seq, id)
        if other != id:
            self.wrong(
                f"{other} and {id} were both told that they are chat {seq} of {person.room}: the "
                f"server has acknowledged what it has not written"
            )

    def start(self):
        began = time.monotonic()
        self.server = Delivery(self.file, self.profile, self.program)
        took = time.monotonic() - began
        if took > RESTART:
            self.wrong(f"the server should start within {RESTART:.0f} s, not {took:.1f}")
        return took

    def kill(self):
        self.kill_at = None
        self.server.process.kill()

    def kill_one(self, run):
        """Writes, kills, starts again and compares. Returns the cells of a row."""
        self.part, self.acknowledged = f"run {run}", 0
        if run % 2:
            self.kill_at = self.random.randint(*ACKNOWLEDGEMENTS)
            how = f"by acknowledgement {self.kill_at}"
        else:
            moment = self.random.uniform(*MOMENTS)
            how = f"after {moment:.2f} s"
        for person in self.writers:
            person.start_to_write()
        if self.kill_at:
            drive(self.selector, lambda: self.kill_at is None, TIMEOUT)
        else:
            # Some of those who only read leave before, and so they miss more.
            drive(self.selector, lambda: False, moment / 2)
            for person in self.random.sample(self.readers, 2):
                person.client.end()
            drive(self.selector, lambda: False, moment / 2)
            # The disk may have been slow: a kill before the first one would try nothing.
            drive(self.selector, lambda: self.acknowledged, TIMEOUT)
        self.kill()
        self.last_words()
        acknowledged, unanswered = self.acknowledged, sum(len(it.waiting) for it in self.writers)
        if acknowledged == 0:
            self.wrong("no chat was acknowledged before the kill, so nothing was tried")

        took = self.start()
        done = self.settle()
        cells = run, how, acknowledged, f"{done} of {unanswered}", self.chats(), f"{took:.2f} s"
        return cells

    def last_words(self):
        """Reads what was on the way when the server was killed, and looks at the file."""
        for person in self.writers:
            person.writes = False
        drive(self.selector, lambda: all(it.is_gone() for it in self.everybody()), TIMEOUT)
        self.server.process.wait()
        if "panicked" in self.server.said():
            self.wrong(f"a thread panicked: {self.server.said()}")
        # A copy: to open the file itself would already repair it.
        with tempfile.TemporaryDirectory(dir=self.file.parent) as folder:
            for path in self.file.parent.glob(f"{self.file.name}*"):
                shutil.copy(path, folder)
            db = sqlite3.connect(Path(folder) / self.file.name)
            said = [row[0] for row in db.execute("PRAGMA integrity_check")]
            db.close()
        if said != ["ok"]:
            self.wrong(f"SQLite finds faults in the file: {said}")

    def connect(self, people):
        """Connects those who are not connected, and waits until they are welcome."""
        people = [it for it in people if it.is_gone()]
        for person in people:
            person.connect(self.server)
        welcomed_or_gone = lambda it: it.last is not None or it.is_gone()
        drive(self.selector, lambda: all(map(welcomed_or_gone, people)), TIMEOUT)
        for person in people:
            if person.last is None:
                end = f"was closed with {person.client.code}"
                end = end if person.is_gone() else f"has waited {TIMEOUT} s"
                person.wrong(f"has connected to resume, and {end}, but was not welcomed")

    def settle(self):
        """Lets everybody resume and send again, and compares what they know.

        Returns how many chats without an acknowledgement were in the log already.
        """
        unanswered = {person: set(person.waiting) for person in self.writers}
        self.connect(self.everybody())
        for person in self.writers:
            person.send_again()
        have_all = lambda it: not (it.waiting or it.again)
        drive(self.selector, lambda: all(map(have_all, self.writers)), TIMEOUT)
        for person in self.writers:
            if left := [*person.waiting, *person.again]:
                person.wrong(
                    f"has waited {TIMEOUT} s for {len(left)} acknowledgements, such as that for "
                    f"{left[0]}"
                )
        self.compare()
        return sum(
            person.numbers.get(id, person.last + 1) <= person.last
            for person, ids in unanswered.items()
            for id in ids
        )

    def compare(self):
        """Compares the views of all, and of somebody new, with what the senders were told."""
        new = [Person(self, NEWCOMER, room) for room in ROOMS]
        self.connect(new)
        lasts = {room: max(numbers, default=0) for room, numbers in self.told_in.items()}
        people = self.everybody() + new
        drive(self.selector, lambda: all(it.seen >= lasts[it.room] for it in people), TIMEOUT)
        for person in people:
            self.compare_one(person, lasts[person.room])
        for room, last in lasts.items():
            if (count := len(self.told_in[room])) != last:
                self.wrong(
                    f"{count} chats were sent to {room} and acknowledged, but the last number is "
                    f"{last}"
                )
        for person, seen, next in self.gaps:
            if next > (oldest := max(1, lasts[person.room] - KEPT + 1)):
                person.wrong(
                    f"has seen {seen}, and the next that it got is {next}, but the chats from "
                    f"{oldest} on must be there"
                )
        self.gaps.clear()
        for person in new:
            person.client.end()

    def compare_one(self, person, last):
        if person.client.ended:
            person.wrong(f"was closed with {person.client.code}")
        elif person.seen != last:
            person.wrong(f"has received all up to {person.seen}, but the last chat is {last}")
        for seq, (sender, id, content) in person.view.items():
            told = self.told_in[person.room].get(seq)
            if told != id:
                person.wrong(f"has received {id} as chat {seq}, but {told} was told this number")
                break
            if self.contents.get((sender, id)) != content:
                person.wrong(f"has received {content!r} as chat {seq}, and that was not sent")
                break
        person.view.clear()

    def chats(self):
        return sum(map(len, self.told_in.values()))

    def fill_the_disk(self):
        """Lets the disk be full for a while. Returns the cells of a row."""
        self.part, self.acknowledged = "full disk", 0
        self.server.may_write(DISK)
        for person in self.writers:
            person.start_to_write()
        self.expect_to_be_closed("the disk is full")
        if self.acknowledged == 0:
            self.wrong("no chat was acknowledged before the disk was full")
        self.connect(self.writers)  # And they send again what was not acknowledged.
        for person in self.writers:
            person.start_to_write()
        self.expect_to_be_closed("the disk is still full")
        unanswered = sum(len(it.waiting) for it in self.writers)
        acknowledged = self.acknowledged
        self.compare_readers()

        self.server.may_write(resource.RLIM_INFINITY)
        began = time.monotonic()
        done = self.settle()
        took = time.monotonic() - began
        if self.server.process.poll() is not None:
            self.wrong("the process has ended")
        cells = "", f"files of {DISK >> 10} KiB", acknowledged, f"{done} of {unanswered}"
        self.kill()
        self.last_words()
        self.part = "restart after the full disk"
        self.start()
        self.settle()
        return *cells, self.chats(), f"{took:.2f} s"

    def expect_to_be_closed(self, why):
        drive(self.selector, lambda: all(it.is_gone() for it in self.writers), TIMEOUT)
        for person in self.writers:
            person.writes = False
            if not person.is_gone():
                person.wrong(f"should be closed, because {why}, but has waited {TIMEOUT} s")
            elif (code := person.client.code) != AGAIN:
                person.wrong(f"should be closed with {AGAIN}, because {why}, and not with {code}")

    def compare_readers(self):
        """While nothing can be written, those who only read have what was acknowledged."""
        lasts = {room: max(numbers, default=0) for room, numbers in self.told_in.items()}
        have_all = lambda it: it.is_gone() or it.seen >= lasts[it.room]
        drive(self.selector, lambda: all(map(have_all, self.readers)), TIMEOUT)
        for person in self.readers:
            if person.is_gone():
                person.wrong(f"only reads, but was closed with {person.client.code}")
            elif person.seen < lasts[person.room]:
                person.wrong(
                    f"has received all up to {person.seen}, but {lasts[person.room]} is "
                    f"acknowledged"
                )


    def cut_the_power(self, image, other_image, other_folder):
        """Returns how many chats were acknowledged, and how many of them are gone."""
        self.part = "power cut"
        for person in self.writers:
            person.start_to_write()
        drive(self.selector, lambda: False, POWER)
        self.server.process.send_signal(signal.SIGSTOP)
        shutil.copy(image, other_image)
        self.kill()
        self.last_words()
        acknowledged = self.acknowledged
        subprocess.run(["mount", "-o", "loop", other_image, other_folder], check=True)
        self.file = Path(other_folder) / self.file.name
        self.start()
        lost = 0
        for room in ROOMS:
            newcomer = Person(self, NEWCOMER, room)
            self.connect([newcomer])
            lost += sum(number > newcomer.last for number in self.told_in[room])
            newcomer.client.end()
        if lost:
            self.wrong(
                f"{lost} of {acknowledged} acknowledged chats are gone: the server has "
                f"acknowledged them before they were on the disk"
            )
        return acknowledged, lost


def try_power_cuts(profile, seed, report):
    """The server as it is, and with another setting. False if nothing may be mounted."""
    print("\nsynchronous  acknowledged before the power cut, and lost", flush=True)
    for setting in "FULL", "NORMAL":
        program = LESSON if setting == "FULL" else build_with(setting, profile)
        with tempfile.TemporaryDirectory() as folder:
            image, other_image, before, after = (
                f"{folder}/{name}" for name in ("image", "image-after", "before", "after")
            )
            os.mkdir(before)
            os.mkdir(after)
            if not mounts_new(image, before):
                print("SKIPPED: no power is cut, because this machine lets us mount nothing.")
                return False
            trial = Trial(profile, seed, f"{before}/power.db", program)
            try:
                trial.start()
                trial.connect(trial.everybody())
                acknowledged, lost = trial.cut_the_power(image, other_image, after)
                print(f"{setting:<12} {acknowledged}, {lost}", flush=True)
                if setting == "FULL":
                    trial.settle()
            except (AssertionError, RuntimeError, OSError) as error:
                trial.problems.append(str(error))
            finally:
                if trial.server:
                    trial.server.stop()
                for path in filter(os.path.ismount, (before, after)):
                    subprocess.run(["umount", path], check=True)
            for problem in trial.problems:
                report.expect(setting != "FULL", problem)
    return True


def mounts_new(image, folder):
    """Makes a file system in a file, and mounts it, if that is allowed."""
    try:
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        for command in ["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, folder]:
            subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def build_with(setting, profile):
    """Compiles a copy of the lesson that has this setting in place of FULL."""
    sys.path.insert(0, str(ROOT / ".ci"))
    from compiled import copy_file, link_compiled, tracked_files, write_all_features

    copy = TARGET / "delivery"
    for file in tracked_files(ROOT):
        copy_file(ROOT, file, copy)
    write_all_features(ROOT, copy)
    source = copy / "lessons" / LESSON / "src" / "sqlite.rs"
    text = source.read_text()
    changed = text.replace('"synchronous", "FULL"', f'"synchronous", "{setting}"')
    assert changed != text, "sqlite.rs does not set synchronous to FULL"
    source.write_text(changed)
    link_compiled(TARGET, copy / "target")
    release = ["--release"] if profile == "release" else []
    environment = {**os.environ, "CARGO_TARGET_DIR": str(copy / "target")}
    command = ["cargo", "build", "--quiet", *release, "-p", LESSON]
    subprocess.run(command, cwd=copy, env=environment, check=True)
    return copy / "target" / profile / LESSON


def try_all(profile, runs, seed, report):
    """Kills and a full disk, each with a file of its own."""
    print(f"{LESSON}, {profile} build, SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(dir=TARGET) as folder:
        for name, attempt in ("kills", try_kills), ("full", try_full_disk):
            trial = Trial(profile, seed, f"{folder}/{name}.db")
            try:
                trial.start()
                trial.connect(trial.everybody())
                attempt(trial, runs, report)
            except (AssertionError, RuntimeError, OSError) as error:
                trial.problems.append(str(error))
            finally:
                if trial.server:
                    trial.server.stop()
            for problem in trial.problems:
                report.expect(False, problem)
        print()
        for writers, content in BUSY_ROOMS:
            file = f"{folder}/busy-{writers}.db"
            try:
                try_busy_room(profile, file, writers, content, report)
            except (AssertionError, RuntimeError, OSError) as error:
                report.expect(False, f"busy room: {error}")


def try_kills(trial, runs, report):
    titles = "run", "killed", "acknowledged", "others done", "chats", "restart"
    report.row(*zip(titles, WIDTHS))
    total = 0
    for run in range(1, runs + 1):
        cells = trial.kill_one(run)
        report.row(*zip(cells, WIDTHS))
        total += cells[2]
        if trial.problems:
            return  # What comes next would only repeat it.
    print(f"{total} chats were acknowledged, and after {runs} kills none is missing.\n")


def try_full_disk(trial, _, report):
    titles = "", "full disk", "acknowledged", "others done", "chats", "settled"
    report.row(*zip(titles, WIDTHS))
    report.row(*zip(trial.fill_the_disk(), WIDTHS))


class Returner(Client):
    """Somebody who comes back to a room, and counts what it will never see."""

    def __init__(self, selector, server, room, name, seen, log):
        path = server.path(room, name, resume=seen, **({"log": log} if log else {}))
        super().__init__(selector, server, path)
        self.seen, self.log, self.lost = seen, log, 0

    def received(self, text):
        message = json.loads(text)
        if message["type"] == "welcome":
            self.log = message["log"]
        elif message["type"] == "chat":
            self.lost += message["seq"] - self.seen - 1
            self.seen = message["seq"]


def try_busy_room(profile, file, writers, content, report):
    """Somebody has missed a few chats, and comes back to a room in which many write."""
    with Delivery(file, profile) as server:
        people = [("tea", name) for name in PEOPLE[:writers]]
        load = Load([server], people, IN_FLIGHT, 6 * TIMEOUT, content=content)
        present = Returner(load.selector, server, "tea", PEOPLE[-1], 0, None)
        assert drive(load.selector, lambda: present.log, TIMEOUT), "the reader was not welcomed"
        load.start()
        drive(load.selector, lambda: present.seen > KEPT, TIMEOUT)
        place = present.seen - MISSED, present.log
        returner = Returner(load.selector, server, "tea", PEOPLE[-2], *place)
        drive(load.selector, lambda: present.seen > 4 * KEPT, TIMEOUT)
        load.until = 0
        load.finish()
        last, both = len(load.times), (present, returner)
        drive(load.selector, lambda: all(it.seen >= last for it in both), TIMEOUT)
    print(
        f"{writers} write to one room, {load.rate:,.0f} chats of {len(content)} characters a "
        f"second. Somebody who has missed {MISSED} comes back, and {returner.lost} never arrive.",
        flush=True,
    )
    for person, who in (present, "was there all the time"), (returner, f"had missed {MISSED}"):
        if person.ended:
            report.expect(False, f"busy room: a client that {who} was closed with {person.code}")
        report.expect(
            person.lost == 0,
            f"busy room: a client that {who} reads as fast as it can, but {person.lost} of "
            f"{last} chats never reach it: whoever catches up must get at least as much as "
            f"the others write meanwhile",
        )
        report.expect(
            person.lost or person.seen == last,
            f"busy room: a client that {who} has received all up to {person.seen} only, and the "
            f"last chat is {last}",
        )


class Resumer(Counter):
    def counted(self):
        if self.count >= MISSED and self.done is None:
            self.done = time.perf_counter()


def storm(server):
    """A thousand who resume at once: when each had all that it had missed."""
    selector = selectors.DefaultSelector()
    usage = Usage([server])
    clients = [
        Resumer(selector, server, server.path(f"room-{room}", name, resume=0))
        for room in range(RESUMERS // len(PEOPLE))
        for name in PEOPLE
    ]
    drive(selector, lambda: all(it.done or it.ended for it in clients), 60)
    figures = usage.end()
    times = [it.done - usage.began for it in clients if it.done]
    for it in clients:
        it.end()
    if len(times) < len(clients):
        raise RuntimeError(f"{len(clients) - len(times)} of {len(clients)} did not get all")
    return f"{max(times):.2f}", *percentiles(times), *figures


def size(file):
    """The bytes of a database, when all is in its one file, and nothing in it is free."""
    db = sqlite3.connect(file)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    read = lambda name: db.execute(f"PRAGMA {name}").fetchone()[0]
    used = (read("page_count") - read("freelist_count")) * read("page_size")
    db.close()
    return used


def sqlite_alone(folder, synchronous):
    """SQLite without a server: commits of one chat a second."""
    db = sqlite3.connect(f"{folder}/alone-{synchronous}.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("CREATE TABLE chats (seq INTEGER PRIMARY KEY, content TEXT) STRICT")
    began, times = time.perf_counter(), []
    while (start := time.perf_counter()) < began + 2:
        db.execute("INSERT INTO chats (content) VALUES (?)", [CONTENT])
        times.append(time.perf_counter() - start)
    db.close()
    return f"{len(times) / (start - began):,.0f}", *percentiles(times), "", ""


def without_fsync(folder):
    """A library for `LD_PRELOAD` in which waiting for the disk takes no time. None without cc."""
    source, library = Path(folder) / "fsync.c", Path(folder) / "fsync.so"
    source.write_text("int fsync(int f) { return 0; }\nint fdatasync(int f) { return 0; }\n")
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return str(library)


def figures(profile):
    build(LESSON, FAN_OUT, profile=profile)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    load = os.getloadavg()[0]
    print(f".ci/measure/delivery: {os.cpu_count()} cores, {profile} build, load average {load:.1f}")
    print(f"before it began. A chat has {len(CONTENT)} bytes. 100 writers are 20 people in 5 rooms")
    print("each, so each writer is alone in its room. CPU is in parts of one core. (*): this")
    print("program was busy all the time, so the server may be faster than the figure says.")

    def serve(name, **env):
        return Delivery(f"{folder}/{name}.db" if name else "", profile, **env)

    with tempfile.TemporaryDirectory(dir=TARGET) as folder:
        library = without_fsync(folder)
        kinds = [("a file", "file", {}), ("in memory, without DATABASE", "", {})]
        if library:
            kinds.insert(1, ("a file, and fsync does nothing", "fast", {"LD_PRELOAD": library}))
        else:
            print("There is no cc, so there are no figures without fsync.")
        cpu = "server CPU", "client CPU"
        head("acknowledgements", "writers", "at once", "a second", "p50 ms", "p99 ms", *cpu)
        for title, name, env in kinds:
            for writers, at_once in LOADS:
                with serve(name, **env) as server:
                    row = Load([server], alone(writers), at_once).run().row()
                line(title, f"{writers}", f"{at_once}", *row)
        for synchronous in "FULL", "NORMAL":
            row = sqlite_alone(folder, synchronous)
            line(f"SQLite alone, synchronous={synchronous}", "1", "1", *row)

        head("1 writer, 20 members in one room", "chats a second", "deliveries a second", *cpu)
        with Server(FAN_OUT, profile=profile) as server:
            line("lesson 07", *fan_out([server], lambda name: f"/ws/chat/tea/{name}"))
        for title, name, env in kinds:
            with serve(name, **env) as server:
                row = fan_out([server], lambda name: server.path("tea", name))
            line(f"lesson 18, {title}", *row)

        title = f"{RESUMERS} clients resume, {MISSED} chats each"
        head(title, "last, s", "p50 ms", "p99 ms", *cpu)
        rooms = RESUMERS // len(PEOPLE)
        with serve("storm") as server:
            Load([server], alone(rooms), IN_FLIGHT, each=MISSED).run()
            for run in 1, 2, 3:
                line(f"run {run}", *storm(server))

        head("size of the file", "chats kept", "ids kept", "MiB", "bytes for each more")
        before = 0
        for chats in MANY, 2 * MANY:
            with serve("size") as server:
                Load([server], alone(100), IN_FLIGHT, each=MANY // 100).run()
            now = size(f"{folder}/size.db")
            each = (now - before) / MANY
            kept = min(chats, 100 * KEPT)
            line(f"{chats:,} sent", f"{kept:,}", f"{chats:,}", f"{now / 2**20:.1f}", f"{each:.0f}")
            before = now
    print(f"\nThe load average was {os.getloadavg()[0]:.1f} in the end.")


def main():
    flags = set(sys.argv[1:])
    if flags - {"--check", "--nightly", "--release", "--debug"}:
        sys.exit(__doc__)
    # What is mounted must not stay, if this takes too long and is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    report = Report(check=True)
    if not flags & {"--check", "--nightly"}:
        return figures("debug" if "--debug" in flags else "release")
    profile = "release" if "--release" in flags else "debug"
    build(LESSON, profile=profile)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    nightly = "--nightly" in flags
    try_all(profile, RUNS if nightly else FEW_RUNS, seed, report)
    skipped = nightly and not try_power_cuts(profile, seed, report)
    return report.end() or (77 if skipped else 0)


if __name__ == "__main__":
    sys.exit(main())
