"""Kills a server in the middle of writes, and looks what is left of them.

    .ci/measure/kill                       20 times, in some 15 seconds
    .ci/measure/kill 5 --release           5 times, the release build
    .ci/measure/kill --check               8 times
    SEED=17 .ci/measure/kill               the same moments and changes as another time

Six clients write users and posts to one database file, as fast as they are answered. At a
random moment comes `kill -9`, and the server starts again with the same file. Then:

* each change that was acknowledged (2xx) is there, and so is nothing that was not asked
  for. A request without an answer may have been done or not, but not by half;
* the numbers of changes never repeat, never go back, and none is missing between them;
* nobody who follows the changes has heard of one that does not exist;
* SQLite finds no fault in the file, and tokens from before still work.

What only a loss of power can destroy, this cannot see: the system's buffers outlive the
process. The exit code is 1 if something is missing.
"""

import http.client
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

from client import PASSWORDS, TEXT, TIMEOUT, Frames, Report, WholeServer
from client import arguments, build, frame, next_part

RUNS, FEW_RUNS = 20, 8
WRITERS = 6
MOMENTS = 0.1, 1.0  # Seconds of writing before the kill, at least and at most.
RESTART = 5.0  # Seconds until it must be ready again.

# No limit of a person is to be felt: only the database sets the pace.
SETTINGS = {
    "changes_per_second": 100_000,
    "change_burst": 100_000,
    "reads_per_second": 100_000,
    "read_burst": 100_000,
}

WIDTHS = [5, 12, 14, 18, 12, 12, 12]


class Writer:
    """A client that creates, changes and deletes its own users and posts, one at a time."""

    def __init__(self, number, seed):
        self.name, self.number = list(PASSWORDS)[number % 3], number
        self.random, self.count = random.Random(seed), 0
        self.rows = {"users": {}, "posts": {}}  # As they were acknowledged.
        self.numbers = []  # Of the changes of one run.
        self.pending = None  # What was asked for, and has no answer yet.
        self.problem = None

    def run(self, port, token):
        self.numbers, self.pending = [], None
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        try:
            while self.problem is None:
                self.write(client, token)
        except (OSError, http.client.HTTPException):
            pass  # The server is gone, or has closed this connection.

    def write(self, client, token):
        self.pending = method, path, body = self.next_change()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        client.request(method, path, body and json.dumps(body), headers)
        answer = client.getresponse()
        text = answer.read().decode()
        if answer.status == 429:
            time.sleep(int(answer.headers["Retry-After"]))
        elif answer.status not in (200, 201, 204):
            self.problem = f"{method} {path} was answered with {answer.status} {text}"
        else:
            # Only now: a 2xx whose body is cut off is no acknowledgement.
            row = json.loads(text) if text else None
            self.acknowledge(method, path, row, int(answer.headers["x-version"]))

    def next_change(self):
        self.count += 1
        users, posts = self.rows["users"], self.rows["posts"]
        words = f"{self.name} {self.number}, change {self.count}"
        kind = self.random.random()
        if kind < 0.25 or not users:
            email = f"{self.name}{self.number}-{self.count}@example.org"
            return "POST", "/api/v1/users", {"name": words, "email": email}
        if kind < 0.5 or not posts:
            user = self.random.choice([*users])
            body = words * self.random.randint(1, 40)
            return "POST", "/api/v1/posts", {"user_id": user, "title": words, "body": body}
        if kind < 0.6:
            return "PATCH", f"/api/v1/users/{self.random.choice([*users])}", {"name": words}
        if kind < 0.75:
            changed = {"title": words, "body": f"changed: {words}"}
            return "PATCH", f"/api/v1/posts/{self.random.choice([*posts])}", changed
        free = users.keys() - {post["user_id"] for post in posts.values()}
        if kind < 0.85 and free:
            return "DELETE", f"/api/v1/users/{self.random.choice(sorted(free))}", None
        return "DELETE", f"/api/v1/posts/{self.random.choice([*posts])}", None

    def acknowledge(self, method, path, row, number):
        self.numbers.append(number)
        table, id = split(path)
        if method == "DELETE":
            del self.rows[table][id]
        else:
            self.rows[table][row["id"]] = row
        self.pending = None

    def settle(self, there):
        """Finds out what became of the request without an answer, and takes it over.

        `there` has all rows of the restarted server, by table and id. Returns 1 if the
        change was made, and else 0. What is neither done nor undone shows as a difference.
        """
        if self.pending is None:
            return 0
        (method, path, body), self.pending = self.pending, None
        table, id = split(path)
        mine = self.rows[table]
        if method == "POST":
            key = "email" if table == "users" else "title"
            made = [row for row in there[table].values() if row[key] == body[key]]
            if made and same(made[0], body):
                mine[made[0]["id"]] = made[0]
                return 1
            return 0
        now = there[table].get(id)
        if method == "DELETE":
            if now is None:
                del mine[id]
            return int(now is None)
        wanted = {**mine[id], **body}
        if now == wanted:
            mine[id] = wanted
        return int(now == wanted)


def split(path):
    """`/api/v1/users/7` as `users`, 7."""
    table, _, id = path.removeprefix("/api/v1/").partition("/")
    return table, int(id) if id else None


def same(row, body):
    return all(row[key] == value for key, value in body.items())


class Follower:
    """Somebody who follows all changes, and remembers their numbers."""

    def __init__(self, server, token):
        self.numbers = []
        connection = server.upgrade(f"/api/v1/ws/users?token={token}")
        wish = {"action": "subscribe", "channel": "posts"}
        connection.sendall(frame(TEXT, json.dumps(wish).encode()))
        self.frames = Frames(connection)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            while (text := self.frames.until(TEXT, TIMEOUT)) is not None:
                if "version" in (event := json.loads(text)):
                    self.numbers.append(event["version"])
        except OSError:
            pass  # It was killed.
        self.frames.connection.close()


class Trial:
    """One database file, and servers that are killed while they write to it."""

    def __init__(self, package, profile, seed, folder):
        self.package, self.profile, self.folder = package, profile, folder
        self.file = Path(folder) / "chat.db"
        self.random = random.Random(seed)
        self.writers = [Writer(number, self.random.random()) for number in range(WRITERS)]
        self.last = 0  # The number of the last change that is known to exist.
        self.tokens = None
        self.problems = []

    def start(self):
        server = WholeServer(self.package, self.profile, database=self.file, **SETTINGS)
        self.tokens = self.tokens or {name: server.token(name) for name in PASSWORDS}
        return server

    def wrong(self, sentence):
        self.problems.append(sentence)

    def run(self, number):
        """Writes, kills, starts again and compares. Returns the cells of a row."""
        moment = self.random.uniform(*MOMENTS)
        with self.start() as server:
            heard = self.write_until(server, moment)
            self.look_at_words(server, number)
        self.check_file(number)

        began = time.monotonic()
        with self.start() as server:
            took = time.monotonic() - began
            before, self.last = self.last, self.compare(server, number)
        acknowledged = sorted(number for it in self.writers for number in it.numbers)
        self.check_numbers(number, acknowledged, before)
        self.check_heard(number, heard)
        if took > RESTART:
            self.wrong(f"run {number}: it should start within {RESTART:.0f} s, not {took:.1f}")
        rows = sum(len(table) for it in self.writers for table in it.rows.values())
        unanswered = f"{self.done} of {self.asked}"
        cells = number, f"{moment:.2f} s", len(acknowledged), unanswered
        return *cells, self.last, rows, f"{took:.2f} s"

    def write_until(self, server, moment):
        """Lets all write until the server is killed. Returns what a follower has heard."""
        follower = Follower(server, self.tokens["cem"])
        threads = [
            threading.Thread(target=it.run, args=(server.port, self.tokens[it.name]))
            for it in self.writers
        ]
        for thread in threads:
            thread.start()
        time.sleep(moment)
        server.process.kill()
        for thread in [*threads, follower.thread]:
            thread.join(2 * TIMEOUT)
        server.process.wait()
        return follower.numbers

    def look_at_words(self, server, number):
        for writer in self.writers:
            if writer.problem:
                self.wrong(f"run {number}: {writer.problem}")
                writer.problem = None
        if "panicked" in server.said():
            self.wrong(f"run {number}: a thread panicked: {server.said()}")

    def check_file(self, number):
        """Looks at a copy: to open the file itself would already repair it."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for file in self.folder_files():
                shutil.copy(file, folder)
            with sqlite3.connect(Path(folder) / self.file.name) as db:
                said = [row[0] for row in db.execute("PRAGMA integrity_check")]
                orphans = db.execute("PRAGMA foreign_key_check").fetchall()
            db.close()
        if said != ["ok"] or orphans:
            self.wrong(f"run {number}: SQLite finds faults in the file: {said} {orphans}")

    def folder_files(self):
        return [path for path in Path(self.folder).iterdir() if path.is_file()]

    def compare(self, server, number):
        """Compares what is there with what was acknowledged. Returns the last number."""
        status, said = server.ready()
        if status != 200:
            self.wrong(f"run {number}: after the restart GET /ready says {status} {said}")
        there, last = {}, None
        for table in ("users", "posts"):
            there[table], last = read_all(server, table, self.tokens["ana"])
        self.asked = sum(writer.pending is not None for writer in self.writers)
        self.done = sum(writer.settle(there) for writer in self.writers)
        for table, rows in there.items():
            expected = {}
            for writer in self.writers:
                expected.update(writer.rows[table])
            for sentence in differences(table[:-1], expected, rows):
                self.wrong(f"run {number}: {sentence}")
        return last

    def check_numbers(self, number, acknowledged, before):
        twice = {one for one, two in zip(acknowledged, acknowledged[1:]) if one == two}
        if twice:
            self.wrong(f"run {number}: two changes have the number {min(twice)}")
        if acknowledged and acknowledged[0] <= before:
            self.wrong(
                f"run {number}: the numbers went back: {before} existed before this run, and a "
                f"change in it has {acknowledged[0]}"
            )
        if acknowledged and acknowledged[-1] > self.last:
            self.wrong(
                f"run {number}: change {acknowledged[-1]} was acknowledged, but after the restart "
                f"the last number is {self.last}"
            )
        made = len(acknowledged) + self.done
        if self.last - before != made:
            self.wrong(
                f"run {number}: {made} changes were made, but the number went from {before} to "
                f"{self.last}, which is {self.last - before}"
            )
        for writer in self.writers:
            if writer.numbers != sorted(writer.numbers):
                self.wrong(f"run {number}: the numbers that one client got do not grow")

    def check_heard(self, number, heard):
        if heard and max(heard) > self.last:
            self.wrong(
                f"run {number}: followers heard of change {max(heard)}, but after the restart "
                f"the last number is {self.last}"
            )
        if heard != sorted(set(heard)):
            self.wrong(f"run {number}: a follower heard the numbers of changes out of order")


def read_all(server, table, token):
    """All rows of a table by id, part by part, and the number of the last change."""
    rows, path = {}, f"/api/v1/{table}"
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    while path:
        try:
            client.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = client.getresponse()
            text = answer.read().decode()
        except http.client.RemoteDisconnected:
            continue  # A connection may serve only so long. The client dials anew.
        if answer.status == 429:
            time.sleep(int(answer.headers["Retry-After"]))
            continue
        assert answer.status == 200, f"GET {path}: {answer.status} {text}"
        rows.update((row["id"], row) for row in json.loads(text))
        path = next_part(answer.headers)
    client.close()
    return rows, int(answer.headers["x-version"])


def differences(kind, expected, rows):
    """Sentences about what is missing, is not as acknowledged, or is too much."""
    missing = sorted(expected.keys() - rows.keys())
    surplus = sorted(rows.keys() - expected.keys())
    other = [id for id in expected.keys() & rows.keys() if expected[id] != rows[id]]
    if missing:
        yield (
            f"{len(missing)} acknowledged {kind}s are missing, such as {kind} {missing[0]}, "
            f"{short(expected[missing[0]])}"
        )
    if surplus:
        yield (
            f"{len(surplus)} {kind}s are there that were deleted, or that nobody asked for, "
            f"such as {short(rows[surplus[0]])}"
        )
    if other:
        yield (
            f"{len(other)} {kind}s are not as acknowledged: {kind} {other[0]} should be "
            f"{short(expected[other[0]])}, and is {short(rows[other[0]])}"
        )


def short(row):
    return json.dumps({key: str(value)[:40] for key, value in row.items()})


def main():
    package, numbers, flags, _ = arguments(sys.argv[1:], __doc__)
    report = Report(check=True)
    runs = (numbers or [FEW_RUNS if "--check" in flags else RUNS])[0]
    profile = "release" if "--release" in flags else "debug"
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    build(package, profile=profile)
    print(f"{package}, {profile} build, SEED={seed}", flush=True)
    titles = ["run", "killed after", "acknowledged", "others done", "last number"]
    report.row(*zip([*titles, "rows", "restart"], WIDTHS))
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(package, profile, seed, folder)
        total = 0
        for number in range(1, runs + 1):
            try:
                cells = trial.run(number)
            except (AssertionError, RuntimeError, OSError, http.client.HTTPException) as error:
                report.expect(False, f"run {number}: {error}")
                break
            total += cells[2]
            report.row(*zip(cells, WIDTHS))
            for problem in trial.problems:
                report.expect(False, problem)
            if trial.problems:
                break  # What comes next would only repeat it.
    if total == 0:
        report.expect(False, "no change was acknowledged, so nothing was tried")
    if not report.problems:
        print(f"{total} changes were acknowledged, and after {runs} kills none is missing.")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
