"""Cuts the power of a broker in the middle of writes, and looks whether it has kept its word.

    .ci/cluster/power_cut    both settings of the broker, a minute or so; as root

`kill -9` of a broker destroys nothing, because the system keeps what was written to files. So its
data are on a file system in a file, as in .ci/measure/delivery. The broker is stopped, and a copy
of that file has only what had reached the device. With the copy it starts again. The two nodes run
all the time, and so do those of their clients that they do not close.

The stream exists for a while before that, and is on the disk as it was then. What writers were told
after that is compared with what is there:

* `sync_interval: always`, as in the lesson's nats.conf, must lose nothing;
* `sync_interval: 2m`, as NATS comes, must lose something: otherwise nothing was cut here.

And both nodes must serve again, whatever is left. Where nothing may be mounted, it says so, and the
exit code is 77.
"""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from cluster import LEASE, LESSON, SKIPPED, START, Cluster

from client import TIMEOUT, build
from delivery import mounts_new
from delivery_client import CONTENT, PEOPLE, Client, chat, drive

ROOMS = "tea", "jam"
WRITERS, NEWCOMER = PEOPLE[:3], PEOPLE[3]
BEFORE, AFTER = 2.0, 3.0  # Seconds of writing before what is there is on the disk, and after it.
SETTINGS = "always", "2m"


class Person(Client):
    """Somebody in a room, who writes the next chat when the last one is acknowledged."""

    def __init__(self, selector, node, room, name, writes=True, **position):
        self.room, self.name, self.writes = room, name, writes
        self.welcome, self.gaps, self.view = None, 0, {}  # The ids, by their numbers.
        self.acknowledged, self.count = {}, 0
        super().__init__(selector, node, node.path(room, name, **{"resume": 0, **position}))

    def refused(self, head):
        self.end()  # The node has no lease.

    def received(self, text):
        message = json.loads(text)
        match message["type"]:
            case "welcome":
                self.welcome = message
                self.write()
            case "chat":
                self.view[message["seq"]] = message["id"]
            case "gap":
                self.gaps += 1
            case "ack":
                self.acknowledged[message["id"]] = message["seq"]
                self.write()

    def write(self):
        if self.writes:
            self.count += 1
            self.send(chat(f"{self.name}-{self.room}-{self.count}", CONTENT))


class Trial:
    def __init__(self, cluster):
        self.cluster, self.selector, self.problems = cluster, selectors.DefaultSelector(), []

    def people(self, names, **options):
        nodes = self.cluster.nodes
        return [
            Person(self.selector, nodes[number % len(nodes)], room, name, **options)
            for number, name in enumerate(names)
            for room in ROOMS
        ]

    def run(self, image, other_image, other_folder):
        """What was acknowledged, what of it is lost, and what a client sees that comes back."""
        broker = self.cluster.brokers[0]
        writers = self.people(WRITERS)
        drive(self.selector, lambda: False, BEFORE)
        os.sync()
        drive(self.selector, lambda: False, AFTER)
        broker.signal(signal.SIGSTOP)
        shutil.copy(image, other_image)
        broker.kill()
        drive(self.selector, lambda: False, 0.5)  # What was acknowledged is on its way.
        subprocess.run(["mount", "-o", "loop", other_image, other_folder], check=True)
        broker.data = other_folder
        broker.launch()
        broker.wait_until(broker.is_ready, "does not start with what is left of its data")
        took = self.wait_for_nodes()

        left = {}
        for it in self.people([NEWCOMER], writes=False):
            drive(self.selector, lambda: it.welcome and max(it.view, default=0) >= it.welcome["seq"], 2)
            left[it.room] = it.view
            it.end()
        told = {(it.room, id): number for it in writers for id, number in it.acknowledged.items()}
        lost = sum(left[room].get(number) != id for (room, id), number in told.items())
        return len(told), lost, self.come_back(writers[0]), took

    def wait_for_nodes(self):
        """Seconds until all nodes are ready, with those that were closed and those that were not."""
        began = time.monotonic()
        all_ready = lambda: all(it.is_ready() for it in self.cluster.nodes)
        while not all_ready():
            if time.monotonic() > began + 2 * LEASE + START:
                self.problems.append("a node is not ready again, though its broker is there")
                break
            drive(self.selector, lambda: False, 0.2)
        return time.monotonic() - began

    def come_back(self, writer):
        """What somebody is told who has seen the last chat before the power was cut."""
        writer.end()
        seen, log = max(writer.view), writer.welcome["log"]
        node = self.cluster.nodes[1]
        again = Person(self.selector, node, writer.room, writer.name, False, resume=seen, log=log)
        drive(self.selector, lambda: again.welcome, TIMEOUT)
        drive(self.selector, lambda: again.gaps, 0.5)
        again.end()
        if again.welcome is None:
            self.problems.append("somebody who comes back is not welcome")
            return "nothing"
        back = seen - again.welcome["seq"]
        log = "the same log" if again.welcome["log"] == log else "another log"
        end = f"which ends {back} numbers before what it has seen" if back > 0 else "with all it has seen"
        return f"{log}, {end}" + (", and a gap" if again.gaps else "")


def cut_the_power(sync, folder):
    """A row of the table, and what was wrong. None if nothing may be mounted."""
    image, other_image, before, after = (
        f"{folder}/{name}" for name in ("image", "image-after", "before", "after")
    )
    os.mkdir(before)
    os.mkdir(after)
    if not mounts_new(image, before):
        return None
    cluster = Cluster(2, balancer=False, sync=sync)
    cluster.brokers[0].data = before
    try:
        with cluster:
            trial = Trial(cluster)
            return trial.run(image, other_image, after), trial.problems
    finally:
        for path in filter(os.path.ismount, (before, after)):
            subprocess.run(["umount", path], check=True)


def main():
    if sys.argv[1:]:
        sys.exit(__doc__)
    build(LESSON)
    # What we have started must not outlive us, if somebody stops us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    failed = []
    for sync in SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            done = cut_the_power(sync, folder)
        if done is None:
            print("SKIPPED: no power is cut, because this machine lets us mount nothing.")
            return SKIPPED
        (acknowledged, lost, seen, took), problems = done
        print(f"sync_interval: {sync}: {acknowledged} acknowledged, {lost} of them lost; all nodes are")
        print(f"  ready again after {took:.1f} s; whoever comes back is in {seen}", flush=True)
        if sync == "always" and lost:
            problems.append(f"{lost} chats were acknowledged before they were on the disk")
        if sync != "always" and not lost:
            problems.append("nothing was lost, so this has cut no power")
        failed += [f"with sync_interval: {sync}, {sentence}" for sentence in problems]
    for sentence in failed:
        print(f"WRONG: {sentence}.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
