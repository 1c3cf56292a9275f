"""Measures what several nodes of lesson 20 do together, and what that costs.

    .ci/cluster/figures             the release build: some four minutes
    .ci/cluster/figures --debug     the same of the debug build, which is there already
    .ci/cluster/figures --always    all of it with a broker that acknowledges what is on the disk

Nodes, broker and clients share the cores of one machine. So a second node does not make it faster
here: the table shows what the way through a broker costs, and not how far it scales.

By default the broker writes to the disk every two minutes. The table of acknowledgements has both.
"""

import os
import resource
import selectors
import sys
import time

from cluster import ALONE, LESSON, Cluster

from client import TARGET, TIMEOUT, Server, build
from delivery_client import (
    CONTENT,
    IN_FLIGHT,
    PEOPLE,
    SECONDS,
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

DEFAULT = "2m"  # nats-server's own sync_interval.
LOADS = [(1, 1), (100, 1), (100, IN_FLIGHT)]  # Writers, and chats at once.
PACE = 0.01  # Seconds between two chats, when each is looked at by itself.
MOVERS, MISSED = 1000, 20  # Clients that change nodes, and chats that each of them misses.
CPU = "nodes CPU", "client CPU"
RUNS = 3


class Lone(Server):
    """Lesson 18, for comparison."""

    def __init__(self, profile, folder):
        file = str(folder / "alone.db")
        super().__init__(ALONE, profile=profile, JWT_SECRET=SECRET, DATABASE=file)

    def path(self, room, name, **query):
        return chat_path(ALONE, room, name, **query)


class Receiver(Client):
    """Somebody who notes when a chat arrives."""

    def __init__(self, selector, node, name):
        super().__init__(selector, node, node.path("tea", name))
        self.arrived = {}

    def received(self, text):
        if text.startswith(b'{"type":"chat"'):
            id = text.split(b'"id":"', 1)[1].split(b'"', 1)[0]
            self.arrived[int(id.rsplit(b"-", 1)[1])] = time.perf_counter()


class Mover(Counter):
    """Somebody who has lost its node, and resumes at another one."""

    def __init__(self, selector, node, room, name, seen, missed):
        self.missed = missed
        super().__init__(selector, node, node.path(room, name, resume=seen))

    def counted(self):
        if self.count >= self.missed and self.done is None:
            self.done = time.perf_counter()


class Knock(Client):
    """Somebody who wants a name, and does not resume. The answer to its chat says whether it is in."""

    admitted = None

    def __init__(self, selector, node, id):
        self.id = id
        super().__init__(selector, node, node.path("tea", "finn"))

    def opened(self):
        self.send(chat(self.id, "May I come in?"))

    def received(self, text):
        if text.startswith(b'{"type":"ack"'):
            self.admitted = time.perf_counter()


def latency(sender, receiver):
    """Milliseconds from one client to another, chat by chat: p50, p99, and the slowest."""
    selector, mark = selectors.DefaultSelector(), f"{time.time():.0f}"
    reader = Receiver(selector, receiver, "ben")
    writer = Receiver(selector, sender, "ana")
    both = lambda: reader.is_open and writer.is_open
    assert drive(selector, both, TIMEOUT), "no connection"
    drive(selector, lambda: False, 0.3)
    sent, began = {}, time.perf_counter()
    while (now := time.perf_counter()) < began + SECONDS:
        sent[len(sent)] = now
        writer.send(chat(f"{mark}-{len(sent) - 1}", CONTENT))
        due = began + len(sent) * PACE
        drive(selector, lambda: time.perf_counter() >= due, 1)
    drive(selector, lambda: len(reader.arrived) == len(sent), TIMEOUT)
    assert len(reader.arrived) == len(sent), f"{len(sent) - len(reader.arrived)} chats are missing"
    times = [reader.arrived[number] - when for number, when in sent.items()]
    for it in reader, writer:
        it.end()
    return *percentiles(times), f"{1000 * max(times):.2f}"


def knock(selector, node, id):
    """One attempt to have a name. None if it is taken."""
    client = Knock(selector, node, id)
    drive(selector, lambda: client.admitted or client.code or client.ended, TIMEOUT)
    if not client.admitted:
        client.end()
    return client


def dead_names(cluster):
    """A node is killed. Seconds until somebody else can have a name that was taken there."""
    selector, mark = selectors.DefaultSelector(), f"{time.time():.0f}"
    victim, other = cluster.nodes[0], cluster.nodes[1]
    owner = knock(selector, victim, f"{mark}-0")
    assert owner.admitted, f"the name is not free: {owner.code} {owner.reason}"
    assert not knock(selector, other, f"{mark}-1").admitted, "the name was granted twice"
    began, attempts = time.perf_counter(), 1
    victim.kill()
    while True:
        attempts += 1
        next = knock(selector, other, f"{mark}-{attempts}")
        if next.admitted or time.perf_counter() > began + 60:
            break
        drive(selector, lambda: False, 0.05)
    took = next.admitted - began
    next.end()
    owner.end()
    victim.launch()
    victim.wait_until(victim.is_ready, "is not ready")
    drive(selector, lambda: False, 1)  # Until the name is free again.
    return took


def storm(cluster, run):
    """A thousand who lose their node, and resume at the others: when each had all that it missed."""
    selector = selectors.DefaultSelector()
    victim, *others = cluster.nodes
    writer, *names = PEOPLE
    rooms = [f"storm-{run}-{number}" for number in range(-(-MOVERS // len(names)))]
    people = [(room, name) for room in rooms for name in names][:MOVERS]
    before = [Counter(selector, victim, victim.path(*it, resume=0)) for it in people]
    assert drive(selector, lambda: all(it.is_open for it in before), 60), "not all have connected"
    drive(selector, lambda: False, 2)
    victim.kill()
    drive(selector, lambda: all(it.ended for it in before), TIMEOUT)
    Load(others, [(room, writer) for room in rooms], IN_FLIGHT, each=MISSED).run()
    usage = Usage(others)
    movers = [
        Mover(selector, others[number % len(others)], *person, 0, MISSED)
        for number, person in enumerate(people)
    ]
    drive(selector, lambda: all(it.done or it.ended for it in movers), 60)
    figures = usage.end()
    times = [it.done - usage.began for it in movers if it.done]
    for it in movers:
        it.end()
    if len(times) < len(movers):
        raise RuntimeError(f"{len(movers) - len(times)} of {len(movers)} did not get all")
    victim.launch()
    victim.wait_until(victim.is_ready, "is not ready")
    return f"{max(times):.2f}", *percentiles(times), *figures


def cost(cluster, writers, at_once):
    """What a chat costs the broker: its bytes in and out, its time, and its place on the disk."""
    broker = cluster.brokers[0]
    before, cpu = broker.counted(), broker.cpu()
    load = Load(cluster.nodes, alone(writers), at_once).run()
    time.sleep(0.5)
    after, chats = broker.counted(), len(load.times)
    each = lambda name: f"{(after[name] - before[name]) / chats:,.0f}"
    kept = max((it["state"] for it in streams(broker)), key=lambda it: it["messages"])
    disk, cpu = kept["bytes"] / kept["messages"], (broker.cpu() - cpu) / chats
    return f"{chats:,}", each("in_bytes"), each("out_bytes"), f"{disk:,.0f}", f"{1e6 * cpu:,.0f}"


def streams(broker):
    _, said = broker.monitored("/jsz?streams=true")
    return [it for account in said["account_details"] for it in account.get("stream_detail", [])]


def counted(count, what):
    return [f"{count} {what}{'' if count == 1 else 's'}"]


def main():
    flags = set(sys.argv[1:])
    if flags - {"--release", "--debug", "--always"}:
        sys.exit(__doc__)
    profile = "debug" if "--debug" in flags else "release"
    sync = "always" if "--always" in flags else DEFAULT
    build(LESSON, ALONE, profile=profile)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    load = os.getloadavg()[0]
    print(f".ci/cluster/figures: {os.cpu_count()} cores, {profile} build, load average {load:.1f}")
    print(f"before it began; the broker's sync_interval is {sync} where nothing else is said. A chat")
    print(f"has {len(CONTENT)} bytes. CPU is in parts of one core, of all nodes together. (*): this program")
    print("was busy all the time, so the nodes may be faster than the figure says.")

    def serve(nodes, sync=sync):
        return Cluster(nodes, balancer=False, profile=profile, sync=sync)

    head("1 writer, 20 members in one room", "chats a second", "deliveries a second", *CPU)
    for nodes in 1, 2, 3:
        with serve(nodes) as cluster:
            row = fan_out(cluster.nodes, lambda name: cluster.nodes[0].path("tea", name))
        line(*counted(nodes, "node"), *row)

    head(f"one chat each {1000 * PACE:.0f} ms", "p50 ms", "p99 ms", "slowest ms")
    with serve(2) as cluster:
        with Lone(profile, cluster.folder) as lone:
            line("lesson 18", *latency(lone, lone))
        one, other = cluster.nodes
        line("both at one node", *latency(one, one))
        line("from one node to another", *latency(one, other))

    head("acknowledgements, 2 nodes", "writers", "at once", "a second", "p50 ms", "p99 ms", *CPU)
    for setting in DEFAULT, "always":
        for writers, at_once in LOADS:
            with serve(2, setting) as cluster:
                row = Load(cluster.nodes, alone(writers), at_once).run().row()
            line(f"sync_interval: {setting}", f"{writers}", f"{at_once}", *row)

    head("what a chat costs the broker", "", "chats", "bytes in", "bytes out", "bytes on disk", "CPU µs")
    for nodes in 1, 2, 3:
        for writers, at_once in (1, 1), (100, 1):
            with serve(nodes) as cluster:
                row = cost(cluster, writers, at_once)
            line(*counted(nodes, "node"), *counted(writers, "writer"), *row)

    head("after kill -9 of a node", "its names are free after, s")
    with serve(2) as cluster:
        for run in range(1, RUNS + 1):
            line(f"run {run}", f"{dead_names(cluster):.2f}")

    title = f"{MOVERS} clients change nodes, {MISSED} chats each"
    head(title, "last, s", "p50 ms", "p99 ms", *CPU)
    with serve(3) as cluster:
        for run in range(1, RUNS + 1):
            line(f"run {run}", *storm(cluster, run))
    print(f"\nThe load average was {os.getloadavg()[0]:.1f} in the end.")


if __name__ == "__main__":
    sys.exit(main())
