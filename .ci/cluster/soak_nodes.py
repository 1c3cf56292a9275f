"""Lets two nodes of the capstone run for half an hour, with a stop, a kill and a full disk in it.

    .ci/cluster/soak               30 minutes, as root
    .ci/cluster/soak --minutes 3   all of it in so many minutes
    SEED=17 .ci/cluster/soak       the same people as another time

The chat is that of chaos.py, with its model, on two nodes and one broker: writers resume and send
again, from time to time on the other node; claimants want the same name; observers note who joins
and leaves. Beside that, node 1 has a little of what .ci/measure/soak does: live data, tasks, and
people who sign in. The broker has its data on a file system of its own, in a file.

* At a tenth of the time, node 1 gets SIGTERM, and starts again.
* At two tenths, node 2 is killed, and starts again.
* Then the broker's disk is full for a while, to the last byte. Nothing may be acknowledged that is
  not stored, clients must be told 1013, and both nodes must say that they are not ready. After that
  there is space again. If the broker does not take messages by itself then, it is restarted, as
  whoever runs it would have to do, and nothing else is.

Each of these must be over within `BACK` seconds, with both nodes ready. What remains of the time is
calm, and is for leaks: memory and open files of a node may not grow from its first half to its
second. In the end, the model compares all that was sent, acknowledged and received.

Where nothing may be mounted, it says so, and the exit code is 77.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from statistics import median

from capstone import build_copy
from chaos import AGAIN, FREE, NAMES, OBSERVERS, PAUSE, READER, RECOVERY, ROOMS, TAKEN, WRITERS
from chaos import Chaos, Claimant, Observer, Writer, counted, limits, option
from cluster import CAPSTONE, SKIPPED, Cluster, free_ports

from client import TARGET
from delivery import mounts_new
from delivery_client import percentiles
from faults import fill
from soak import Crowd, Figures, Follower, Watcher, client, repeat, start_task, stay_signed_in, write

MINUTES = 30
STOP, KILL, FULL = 0.1, 0.2, 0.27  # When the events begin, as parts of the time.
FULL_FOR = 1 / 30  # For which part of the time the disk is full, but for at least so many seconds:
FULL_AT_LEAST = 20.0  # a lease takes 15, so the nodes may lose theirs.
PACE = 0.3, 0.7  # Seconds between two chats of a writer: some 25 a second of all.
LATECOMER = "olga"  # Who comes when the disk has space again.
SOON = 5.0  # Seconds until all have what the log had when somebody came.
SETTING_IN = 10.0  # Seconds from which on what is measured counts.
# Seconds within which a node must say that it is not ready, once it could not write: a write has
# two seconds, and many may be in front of it.
NOTICED = 10.0
BY_ITSELF = 10.0  # Seconds that a broker has to store again by itself, once there is space.
BACK = 30.0  # Seconds within which both nodes must be ready after an event.

# How much more memory a node may have in the second half of the calm time than in the first, in
# MiB, and how many more open files. Both halves have the same load, so a node that gives back what
# it takes has as much in both. What it takes for each connection or each chat, and keeps, would
# grow with every second. Why not zero? The allocator keeps what was free for a moment, and in which
# second clients change their connections is chance. Both are medians, so a peak does not count.
GROWTH, MORE_FILES = 6, 25


class CalmWriter(Writer):
    """A writer at a moderate rate, whose acknowledgements are measured."""

    def write(self):
        if not self.chaos.is_over:
            self.chaos.after(self.chaos.random.uniform(*PACE), self.write)
            self.write_some(1)

    def acknowledged(self, id, number):
        if id in self.waiting and id in self.asked:
            self.chaos.is_acknowledged(self.asked[id])
        super().acknowledged(id, number)

    def ended(self, link):
        self.chaos.tells(link)
        super().ended(link)


class Latecomer(Writer):
    """Somebody who comes when the disk has space again, so all that it gets was on the disk."""

    newest = 0  # The last chat of the room a moment after the first one that it got.

    def received(self, link, message):
        is_first = message["type"] == "chat" and not self.view.numbers
        super().received(link, message)
        if is_first:
            # Until it gets the first one, the log goes on, and forgets as many.
            self.chaos.after(SOON, self.look_at_newest)

    def look_at_newest(self):
        self.newest = self.chaos.last(self.room)


class Beside(Crowd):
    """Live data, tasks and the sign-in of node 1: none of that needs the broker, or the others."""

    def __init__(self, soak, node):
        super().__init__(node, Figures())
        self.soak, self.may_be_silent = soak, False
        self.refusals_when_away = Counter()

    def refused(self, cause):
        if self.soak.is_away(self.server):
            self.refusals_when_away[cause] += 1
        elif not self.stopping:
            self.figures.refusals[cause] += 1

    async def run(self):
        await self.sign_in("127.0.0.3")
        tasks = [
            client(self, Follower, 0, 0),
            client(self, Watcher, 0, 0),
            repeat(self, stay_signed_in_again),
            repeat(self, slowly, write),
            repeat(self, slowly, start_task),
        ]
        tasks = [asyncio.create_task(it) for it in tasks]
        while not self.stopping:
            await asyncio.sleep(0.2)
            for task in tasks:
                if task.done():
                    task.result()  # It ends only with a fault of this program.
        for task in tasks:
            task.cancel()


async def slowly(crowd, work):
    await work(crowd, "ana")
    await asyncio.sleep(random.uniform(1, 3))


async def stay_signed_in_again(crowd):
    try:
        await stay_signed_in(crowd)
    except AssertionError as error:
        crowd.refused(str(error))


class Soak(Chaos):
    def __init__(self, cluster, seed, minutes, disk):
        super().__init__(cluster, seed, 60 * minutes)
        self.notes = []  # What is wrong, but for the chat itself: all goes on, and that is compared.
        self.disk = disk  # Where the file system of the broker is mounted.
        self.target = None  # The node that the next event is for.
        self.events_at = []  # [from, to]: nothing is calm then.
        self.codes = defaultdict(list)  # The exit codes of each node.
        self.times = []  # Seconds to each acknowledgement in the calm parts.
        self.samples, self.next_row = defaultdict(list), 0.0
        self.full_at = self.empty_at = self.back_at = None
        self.full_acks, self.last_full_ack = 0, None
        self.latecomers = []
        self.refusals, self.closes_before = Counter(), Counter()
        self.not_ready = {}  # Node: after how many seconds of the full disk, and what it said.
        self.is_late = set()  # Nodes that have not said it in time.
        self.first_refusal = None
        self.growth = []  # What the calm time has shown, for the report.
        self.by_itself = None  # Whether the broker has stored again without a restart.

    # The people.

    def settle_in(self):
        nodes = self.cluster.nodes
        for room in ROOMS:
            for number, name in enumerate(WRITERS):
                self.people.append(CalmWriter(self, name, room, nodes, patient=number == 3))
            self.people.append(CalmWriter(self, READER, room, nodes, writes=False))
        for name, node in zip(OBSERVERS, nodes):
            self.people.append(Observer(self, name, node))
        for name in NAMES[:2]:
            for number in 1, 2:
                self.people.append(Claimant(self, name, number, nodes))
        self.beside = Beside(self, nodes[0])
        self.thread = threading.Thread(target=self.run_beside, daemon=True)
        self.thread.start()
        self.after(STOP * self.seconds, lambda: self.ends(nodes[0], self.stop_node))
        self.after(KILL * self.seconds, lambda: self.ends(nodes[1], self.kill_node))
        self.after(FULL * self.seconds, self.fill_disk)
        self.after(SETTING_IN, self.sample)

    def run_beside(self):
        try:
            asyncio.run(self.beside.run())
        except Exception as error:
            self.note(f"what runs beside the chat has ended: {error!r}")

    def heal(self):
        super().heal()
        self.beside.stopping = True
        self.thread.join(10)

    # A stop and a kill.

    def some_node(self):
        return self.target

    def ends(self, node, how):
        self.target = node
        self.events_at.append([time.monotonic(), float("inf")])
        how()
        self.after(1, lambda: self.comes_back(f"{node} has ended"))

    def is_away(self, node):
        """Or was a moment ago, and its clients have not come back yet."""
        now = time.monotonic()
        during = any(begin < now < end + RECOVERY for begin, end in self.events_at)
        return not node.runs() or (during and node is self.target)

    def start_again(self, process):
        code = process.process.poll()
        if code is not None:
            self.codes[process].append(code)
        super().start_again(process)

    def comes_back(self, what, began=None, then=None):
        """All nodes must be ready again, soon."""
        began = began or time.monotonic()
        took = time.monotonic() - began
        if all(it.runs() and it.is_ready() for it in self.cluster.nodes):
            self.events_at[-1][1] = time.monotonic()
            self.tell(f"both nodes are ready, {took:.1f} s later")
        elif took > BACK:
            self.events_at[-1][1] = time.monotonic()
            said = ", ".join(f"{it}: {it.get('/ready')}" for it in self.cluster.nodes)
            self.note(f"{BACK:.0f} s after {what}, not all nodes are ready: {said}")
        else:
            return self.after(0.3, lambda: self.comes_back(what, began, then))
        if then:
            then()

    # A full disk.

    def fill_disk(self):
        self.full_at = time.monotonic()
        self.events_at.append([self.full_at, float("inf")])
        self.model.outages.append((self.full_at - 0.5, float("inf")))
        self.closes_before = Counter(self.closes)
        self.events["a full disk"] += 1
        lasts = max(FULL_AT_LEAST, FULL_FOR * self.seconds)
        self.tell(f"the disk of the broker is full, for {lasts:.0f} s")
        self.keep_full()
        self.look_at_ready()
        self.after(lasts, self.empty_disk)

    def keep_full(self):
        """Takes what there is, and what the broker frees meanwhile."""
        if self.empty_at is None:
            fill(f"{self.disk}/filler")
            self.after(0.5, self.keep_full)

    def look_at_ready(self):
        """From the first refusal on, a balancer should send nobody here, until the broker stores."""
        if self.back_at:
            return
        self.after(1, self.look_at_ready)
        for node in self.cluster.nodes:
            status, said = node.get("/ready") or (0, "nothing")
            now = time.monotonic()
            late = self.first_refusal and now > self.first_refusal + NOTICED
            if status != 200:
                self.not_ready.setdefault(node, (now - self.full_at, f"{status} {said}"))
            elif self.cluster.brokers[0].is_ready():
                pass  # It stores again.
            elif node in self.not_ready:
                self.note(
                    f"{node} has said {self.not_ready[node][1]!r}, and is ready again before its "
                    f"broker stores anything"
                )
            elif late and node not in self.is_late:
                self.is_late.add(node)
                self.note(
                    f"{node} is ready {NOTICED:.0f} s after the first client was told that the log is "
                    f"not available, so a balancer sends it everybody: a node whose broker stores "
                    f"nothing is not ready"
                )

    def empty_disk(self):
        self.empty_at = time.monotonic()
        os.remove(f"{self.disk}/filler")
        self.tell("there is space on the disk of the broker again")
        if "no space left on device" not in self.cluster.brokers[0].all_said():
            self.note("the broker says nothing of a full disk, so its disk was not full")
        self.after(BY_ITSELF, self.is_by_itself)

    def is_by_itself(self):
        broker = self.cluster.brokers[0]
        _, health = broker.monitored("/healthz")
        self.by_itself = health.get("status") == "ok"
        if self.by_itself:
            self.tell("the broker stores again by itself")
        else:
            self.tell(f"the broker does not store by itself, and is restarted: {health.get('error')}")
            broker.signal(signal.SIGTERM)
            self.start_again(broker)
        self.comes_back("there was space on the disk", then=self.is_back)

    def is_back(self):
        self.back_at = time.monotonic()
        self.model.outages[-1] = self.full_at - 0.5, self.back_at + RECOVERY
        for room in ROOMS:
            late = Latecomer(self, LATECOMER, room, self.cluster.nodes, writes=False, moves=False)
            self.people.append(late)
            self.latecomers.append(late)

    def settle(self):
        super().settle()
        for it in self.latecomers:
            # What was not kept any more when it came is no gap to it.
            first = min(it.view.numbers, default=0)
            if first > min(self.model.chats[it.room], default=0):
                it.view.gaps.append((0, first, it.newest))

    def is_full(self):
        return self.full_at is not None and self.back_at is None

    # What is noted.

    def note(self, sentence):
        if sentence not in self.notes:
            self.notes.append(sentence)

    def is_acknowledged(self, asked):
        now = time.monotonic()
        if self.full_at and not self.empty_at:
            self.full_acks, self.last_full_ack = self.full_acks + 1, now - self.full_at
        calm = asked > self.began + SETTING_IN and not any(
            begin - 1 < now and asked < end + RECOVERY for begin, end in self.events_at
        )
        if calm:
            self.times.append(now - asked)

    def tells(self, link):
        """How a connection of a writer has ended."""
        if self.is_full() and link.code:
            self.refusals[f"{link.code} {link.reason}"] += 1
            if link.code == AGAIN and self.first_refusal is None:
                self.first_refusal = time.monotonic()
            if link.code not in (AGAIN, TAKEN):
                self.note(
                    f"while the disk of the broker is full, {link.owner} was closed with {link.code} "
                    f"{link.reason!r}, but {AGAIN} says that one should try again"
                )

    def is_refused(self, claimant):
        if self.is_outage(time.monotonic() - FREE - PAUSE):
            self.refused_since.clear()  # Nobody can free a name while nothing is stored.
        else:
            super().is_refused(claimant)

    def sample(self):
        """What all processes have: memory in MiB, open files and, of nodes, WebSockets."""
        if self.is_over:
            return
        self.after(self.seconds / 180, self.sample)
        now, row = time.monotonic() - self.began, []
        for process in [*self.cluster.nodes, *self.cluster.brokers]:
            try:
                sockets = connections(process) if process in self.cluster.nodes else 0
                its = process.memory("VmRSS"), descriptors(process), sockets
            except (OSError, StopIteration):
                continue  # It is away.
            self.samples[process].append((now, its))
            row.append(f"{process}: {its[0]:.1f} MiB, {its[1]} files, {sockets} sockets")
        if now > self.next_row:
            self.next_row = now + self.seconds / 30
            self.tell("; ".join(row) + f"; {len(self.model.told):,} acknowledged")

    def check_growth(self):
        begin = max(end + RECOVERY for _, end in self.events_at) - self.began
        middle = (begin + self.seconds) / 2
        for node in self.cluster.nodes:
            first, second = (
                [its for when, its in self.samples[node] if start <= when < end]
                for start, end in ((begin, middle), (middle, self.seconds))
            )
            if min(len(first), len(second)) < 5:
                self.note(f"the calm time is too short to see whether {node} leaks")
                continue
            for index, what, limit in (0, "MiB of memory", GROWTH), (1, "open files", MORE_FILES):
                before, after = (median(its[index] for its in half) for half in (first, second))
                halves = f"{before:.1f} {what} in its first half, {after:.1f} in the second"
                self.growth.append((f"{node}", halves))
                if after - before > limit:
                    self.note(
                        f"{node} has {after - before:.1f} {what} more in the second half of the calm time "
                        f"than in the first, with the same load, and {limit} are the limit: it keeps "
                        f"something of each connection, chat or request"
                    )

    def check(self):
        for node in self.cluster.nodes:
            if self.not_ready.get(node) is None:
                self.note(f"{node} was ready all the time, though the disk of its broker was full")
        codes = self.codes[self.cluster.nodes[0]]
        if codes != [0]:
            self.note(f"node 1 should end once, after SIGTERM and with 0, but its exit codes are {codes}")
        if self.restarts:
            self.note(f"{self.restarts} nodes have ended by themselves")
        if not self.refusals:
            self.note("nobody was refused while the disk was full")
        if self.beside.figures.refusals:
            self.note(f"live data, tasks or the sign-in of node 1: {counted(self.beside.figures.refusals)}")
        if not self.beside.figures.counts["tasks"] or not self.beside.figures.counts["events"]:
            self.note("no task was started, or no change was announced")
        self.check_growth()

    def report(self):
        super().report()
        http = Counter({it: count for it, count in self.closes.items() if "HTTP" in str(it)})
        last = "none" if self.last_full_ack is None else f"the last after {self.last_full_ack:.1f} s"
        counts, away = self.beside.figures.counts, self.beside.refusals_when_away
        restarted = "by itself" if self.by_itself else "when it had been restarted"
        p50, p99 = percentiles(self.times or [0])
        rows = [
            ("full disk", f"{self.full_acks} acknowledged while it was full, {last}"),
            ("told then", counted(self.refusals + (http - self.closes_before))),
            *(
                ("not ready", f"{node} after {when:.1f} s of it: {said}")
                for node, (when, said) in self.not_ready.items()
            ),
            ("space again", f"the broker has stored again {restarted}"),
            ("beside", f"{counts['tasks']} tasks, {counts['changes']} changes, {counts['events']} events; "
             f"refused while its node was away: {sum(away.values())}"),
            ("exit codes", ", ".join(f"{process}: {its}" for process, its in self.codes.items())),
            ("calm time", f"p50 {p50} ms, p99 {p99} ms to {len(self.times):,} acknowledgements"),
            *self.growth,
            *(
                (f"{process}", f"{self.at(process, 0)} MiB, {self.at(process, 1)} open files, after a "
                 f"sixth, a half and all of the time")
                for process in [*self.cluster.nodes, *self.cluster.brokers]
            ),
        ]
        for title, text in rows:
            print(f"{title:<14} {text}")

    def at(self, process, index):
        """What a process had at minutes 5, 15 and 30 of thirty."""
        nearest = lambda moment: min(self.samples[process], key=lambda it: abs(it[0] - moment))
        found = [nearest(part * self.seconds)[1][index] for part in (1 / 6, 1 / 2, 1)]
        return ", ".join(f"{it:.1f}" if index == 0 else f"{it}" for it in found)


def descriptors(process):
    return len(os.listdir(f"/proc/{process.process.pid}/fd"))


def connections(node):
    """The gauge of the WebSockets that are open."""
    with urllib.request.urlopen(f"http://{node.env['CHAT_METRICS_ADDR']}/metrics", timeout=2) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("chat_connections{"))


def attempt(seed, minutes, program, disk):
    """One run. Returns what was wrong."""
    print(f"{CAPSTONE}, 2 nodes, 1 broker, {minutes} minutes, SEED={seed}", flush=True)
    cluster = Cluster(2, balancer=False, lesson=CAPSTONE, program=program)
    cluster.brokers[0].data = f"{disk}/jetstream"
    for node, port in zip(cluster.nodes, free_ports(2)):
        node.env = {
            "CHAT_DATABASE": str(cluster.folder / f"node-{node.number}.db"),
            "CHAT_METRICS_ADDR": f"127.0.0.1:{port}",
            "CHAT_SHUTDOWN_TIMEOUT": "8",
        }
    with cluster:
        soak = Soak(cluster, seed, minutes, disk)
        soak.all_of_it(with_events=False)
        soak.check()
        soak.report()
        return soak.notes + soak.problems


def main():
    words = sys.argv[1:]
    if {word for word in words if word.startswith("--")} - {"--minutes"}:
        sys.exit(__doc__)
    limits()
    program = build_copy(TARGET / "cluster" / "capstone")
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    with tempfile.TemporaryDirectory() as folder:
        disk = f"{folder}/disk"
        os.mkdir(disk)
        if not mounts_new(f"{folder}/image", disk):
            print("SKIPPED: no disk can be full, because this machine lets us mount nothing.")
            return SKIPPED
        try:
            problems = attempt(seed, option(words, "--minutes", MINUTES), program, disk)
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)
    for sentence in problems:
        print(f"WRONG, SEED={seed}: {sentence.removesuffix('.')}.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
