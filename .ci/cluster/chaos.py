"""Stops and kills nodes and brokers of lesson 20 under load, and looks whether the chat holds.

    .ci/cluster/run               30 s of it, the debug build; some 60 s with all that belongs to it
    .ci/cluster/run --nightly     five seeds, six minutes each; one with a cluster of three brokers
    .ci/cluster/run --mutant      three nodes with a log each, as in lesson 18: this must be found
    .ci/cluster/run --brokers 3   a cluster of three brokers, which loses one again and again
    .ci/cluster/run --seconds 120 so many seconds
    SEED=17 .ci/cluster/run       the same events as another time

Three nodes stand behind HAProxy. Half of the clients come through it, and the others directly.
At random moments a node is killed, stopped with SIGTERM, or paused for longer than its lease; and
the broker is killed, or paused for a moment. Between each node and the broker is a relay, which
falls silent, for less than a lease or for more, or resets all connections: then a node cannot reach
the broker, and its clients reach it as before. All of them come back. The clocks of the nodes differ by
a minute and more.

* **Writers** resume on any node, and send again, with the same id, what was not acknowledged.
  From time to time one opens its next connection before it closes the old one. Some give a server
  up that does not answer a ping, and some wait.
* **Claimants** do not resume: two or three want one name in one room, on different nodes. One gets
  it, writes for some seconds and leaves, politely or not. The others get 4009 meanwhile.
* **Observers** stay in the room of the claimants, and note who joins and who leaves.

In the end all is healed, and everybody writes once more. Then model.py compares all views; and
`GET /rooms` of all nodes must count exactly those who are there.
"""

import heapq
import itertools
import json
import math
import os
import random
import resource
import selectors
import signal
import sys
import time
from collections import Counter, defaultdict

from cluster import ALONE, CAPSTONE, CLOCKS, LEASE, LESSON, Cluster

from client import TEXT, build, close_frame, frame
from delivery_client import Client, chat
from model import KINDS, Model

# Why not two minutes each time? All of CI has thirty, and this has as many events in each second.
SECONDS, NIGHTLY_SECONDS, MUTANT_SECONDS = 30, 360, 5
NIGHTLY_BROKERS = 1, 1, 3, 1, 1  # For each of its seeds.
ROOMS, WRITERS, READER, NEWCOMER = ["tea", "jam", "figs"], ["ana", "ben", "cem", "dan"], "emil", "vera"
LOBBY, NAMES, OBSERVERS = "lobby", ["finn", "gina", "hugo"], ["kai", "lena", "mila"]
AT_ONCE = 24  # Chats that a writer has on the way at most; the server reads up to 32.
PAUSE = LEASE + 4  # Seconds for which a node is paused: its names have other owners by then.
CUT = 0.5, 0.5 * LEASE  # Seconds for which a node is cut off, and keeps its lease.
GIVE_UP, PATIENCE = 3.0, 25.0  # Seconds without a pong after which a client leaves; or a patient one.
IN_VAIN = 35.0  # Seconds after which no client may wait for an answer, longer than any pause.
RECOVERY = 8.0  # Seconds until nodes follow again after their broker came back.
# Seconds before the first event. Each observer moves once in them: after an event, nobody can tell a
# move that is announced from a name that was free.
CALM = 6.0
SETTLE = 30.0  # Seconds until all is well after the last event.
FREE = LEASE + 5  # Seconds until the names of a dead node must be free.
AGAIN, TAKEN = 1013, 4009  # Close codes: try again later; name taken, or connected again.
SENT_AWAY = 4001, 4011  # Token expired; idle. Whoever is closed so has left, and the others are told.
REPLACED = "you have connected again"  # The reason for the latter.
PING = frame(TEXT, b'{"type":"ping"}')


class Link(Client):
    """One connection of somebody, to a node or to the balancer."""

    def __init__(self, owner, place, path):
        self.owner, self.place = owner, place
        self.began = self.heard = time.monotonic()
        self.pinged, self.welcomed = self.began, None
        super().__init__(owner.chaos.selector, place, path)

    def take(self, data):
        self.heard = time.monotonic()
        super().take(data)

    def opened(self):
        self.owner.opened(self)

    def received(self, text):
        if not self.ended:
            self.owner.received(self, json.loads(text))

    def refused(self, head):
        """No node is ready, or it has ended meanwhile."""
        status = head.split()[1]
        self.owner.chaos.closes[f"HTTP {status}"] += 1
        if status not in ("502", "503", "504"):
            self.owner.wrong(f"was refused: {head}")
        self.end()

    def end(self):
        if not self.ended:
            super().end()
            self.owner.ended(self)


class Somebody:
    """Whoever connects again and again."""

    sends_again = True  # What was not acknowledged.
    number = 0  # Claimants of one name have their own, because they must not share ids.

    def __init__(self, chaos, name, room, places, patient=False):
        self.chaos, self.name, self.room = chaos, name, room
        self.places, self.patient = places, patient
        self.link, self.place, self.delay, self.count = None, None, 0.1, 0
        self.active = True
        chaos.after(chaos.random.uniform(0, 0.5), self.connect)
        chaos.after(1, self.look)

    def __str__(self):
        return f"{self.name} in {self.room}"

    def wrong(self, sentence):
        self.chaos.wrong(f"{self} {sentence}")

    def next_place(self):
        """Not where it was before, if there is another one."""
        others = [it for it in self.places if it is not self.place] or self.places
        self.place = self.chaos.random.choice(others)
        return self.place

    def connect(self):
        if self.active and self.link is None:
            place = self.next_place()
            self.link = Link(self, place, place.path(self.room, self.name, **self.query()))

    def query(self):
        return {}

    def opened(self, link):
        pass

    def ended(self, link):
        self.chaos.closes[link.code or "no Close"] += 1
        if link is self.link:
            self.link = None
            self.chaos.after(self.delay * self.chaos.random.uniform(0.5, 1), self.connect)
            self.delay = min(1, 2 * self.delay)

    def look(self):
        """A connection that is dead says nothing, so one has to ask."""
        self.chaos.after(0.5, self.look)
        if (link := self.link) is None:
            return
        now = time.monotonic()
        if link.is_open and now > link.pinged + 1:
            link.pinged = now
            link.send(PING)
        if now > link.heard + (PATIENCE if self.patient else GIVE_UP):
            self.chaos.closes["given up"] += 1
            self.link = None
            link.end()
            self.connect()

    def chat(self):
        """A chat that was never sent before."""
        self.count += 1
        id = f"{self.name}-{self.room}-{self.number}-{self.count}"
        content = f"{self.count} {'x' * self.chaos.random.randint(0, 200)}".strip()
        sender = self if self.sends_again else None
        self.chaos.model.sends(self.name, id, self.room, content, sender)
        return id, content


class Writer(Somebody):
    """Somebody who resumes, and sends again what was not acknowledged. A reader writes nothing."""

    def __init__(self, chaos, name, room, places, patient=False, writes=True, moves=True):
        super().__init__(chaos, name, room, places, patient)
        self.view, self.log = chaos.model.view(self, room), None
        self.waiting = {}  # The content of each chat without an acknowledgement, by its id.
        self.asked = {}  # When each of them was sent on this connection.
        self.done = []  # The newest that were acknowledged.
        self.old = []  # Connections that have a successor.
        self.lost_at = None  # When its node has ended, if it was that.
        self.writes = writes
        if writes:
            chaos.after(1, self.write)
        if moves:
            chaos.after(chaos.random.uniform(2, 8), self.move)

    def query(self):
        return {"resume": self.view.seen, **({"log": self.log} if self.log else {})}

    def write(self):
        if self.chaos.is_over:
            return
        # Not more than so: whoever waits for a paused node must not miss more than is kept.
        self.chaos.after(self.chaos.random.uniform(0.1, 0.4), self.write)
        self.write_some(self.chaos.random.randint(1, 3))

    def write_some(self, count):
        for _ in range(count):
            if len(self.waiting) < AT_ONCE:
                self.send(*self.chat())

    def send(self, id, content):
        self.waiting[id] = content
        if self.link and self.link.welcomed:
            self.asked[id] = time.monotonic()
            self.link.send(chat(id, content))

    def move(self):
        """A phone leaves the house: it has a new connection before the old one is known to be dead."""
        if self.chaos.is_over:
            return
        self.chaos.after(self.chaos.random.uniform(4, 12), self.move)
        self.change_connection()

    def change_connection(self):
        if self.link and self.link.welcomed:
            self.chaos.moved += 1
            self.old.append(self.link)
            self.link = None
            self.connect()

    def received(self, link, message):
        kind = message["type"]
        if kind == "ack":
            self.acknowledged(message["id"], message["seq"])
        elif kind in ("rejected", "error"):
            self.wrong(f"was told {message}")
        elif link is not self.link:
            pass  # It has a successor, so nobody looks at what it shows.
        elif kind == "welcome":
            self.welcome(link, message["log"], message["seq"])
        elif kind == "chat":
            chat = message["seq"], message["from"], message.get("id"), message["content"]
            self.chaos.model.receives(self.view, *chat)
        elif kind == "gap":
            self.chaos.model.misses(self.view, message["next"])

    def welcome(self, link, log, newest):
        now = time.monotonic()
        link.welcomed, self.delay = now, 0.1
        if self.log not in (None, log) and not self.chaos.has_other_log:
            self.chaos.has_other_log = True  # Nearly everybody will see it.
            self.wrong(
                f"is told by {link.place} that the log is {log}, and before it was {self.log}. So these "
                f"nodes have logs of their own: what one of them acknowledges never reaches the members on "
                f"the other. All nodes of a chat need one log"
            )
        elif newest < self.view.seen:
            self.wrong(f"has seen chat {self.view.seen}, but the log ends with {newest} now")
        self.log = log
        if self.lost_at:
            self.chaos.elsewhere.append(now - self.lost_at)
            self.lost_at = None
        # Also some that were acknowledged: it must make no difference.
        again = {id: content for id, content in self.done[-3:]}
        self.chaos.sent_again += len(self.waiting) + len(again)
        self.asked = dict.fromkeys(self.waiting, now)
        link.send(b"".join(chat(*it) for it in {**again, **self.waiting}.items()))

    def acknowledged(self, id, number):
        self.chaos.model.acknowledges(self, self.name, id, number)
        self.asked.pop(id, None)
        if (content := self.waiting.pop(id, None)) is not None:
            self.done = [*self.done[-9:], (id, content)]

    def ended(self, link):
        if link in self.old:
            self.old.remove(link)
            self.chaos.old_ends[link.code or "no Close"] += 1
            return
        ended, when = self.chaos.last_end
        if link.code is None and not self.patient and time.monotonic() < when + 0.5:
            if link.place is ended or link.place is self.chaos.cluster.balancer:
                self.lost_at = when
        if link is self.link and link.code == TAKEN:
            self.chaos.stale += 1  # A connection that it had given up has come alive, and replaced it.
        super().ended(link)

    def look(self):
        super().look()
        oldest = min(self.asked.values(), default=None)
        if self.link and self.link.welcomed and oldest and time.monotonic() > oldest + IN_VAIN:
            self.asked.clear()
            self.wrong(
                f"has waited {IN_VAIN:.0f} s for an acknowledgement from {self.link.place}, which answers "
                f"pings. A server that cannot write must close with {AGAIN}"
            )

    def has_settled(self):
        return self.link is not None and self.link.welcomed and not self.waiting


class Observer(Writer):
    """Somebody who always comes back to the same node, and notes who joins and leaves there."""

    def __init__(self, chaos, name, node):
        super().__init__(chaos, name, LOBBY, [node], patient=True, writes=False, moves=False)
        self.absent_since = -math.inf
        self.is_late = []  # (from, to): what happens is told later, because its node is cut off.
        chaos.after(CALM - 1, self.change_connection)

    def is_absent(self, before=0.0):
        """From now on it depends on when it is back whether the others are told. If it is taken for
        absent for some time already, they are."""
        self.absent_since = min(self.absent_since, time.monotonic() - before)

    def ended(self, link):
        if link not in self.old:
            self.is_absent(LEASE if link.code in SENT_AWAY else 0.0)
        super().ended(link)

    def welcome(self, link, log, newest):
        super().welcome(link, log, newest)
        link.stay.opened, link.stay.newest = link.heard, newest
        self.chaos.model.absences[self.room, self.name].append((self.absent_since, link.heard))
        self.absent_since = math.inf

    def opened(self, link):
        owner = f"{self} at {link.place}"
        link.stay = self.chaos.model.stay(owner, self.name, self.room, link.heard, self.is_late)

    def received(self, link, message):
        super().received(link, message)
        match message["type"]:
            case "chat":
                event = "chat", message["seq"], message["from"]
            case "user_joined" | "user_left" as kind:
                event = kind.removeprefix("user_"), None, message["username"]
                self.chaos.announced[event[0]] += 1
            case _:
                return
        link.stay.events.append((link.heard, *event))


class Claimant(Somebody):
    """Somebody who wants a name that others want, too."""

    sends_again = False

    def __init__(self, chaos, name, number, places):
        self.number = number
        super().__init__(chaos, name, LOBBY, places)
        self.until, self.quiet_until = None, 0.0
        self.patient = True
        chaos.after(1, self.write)

    def opened(self, link):
        self.until = None
        link.hold = self.chaos.model.hold(self, self.name, self.room, link.place)
        self.send(link)  # The answer tells whether it was let in.

    def send(self, link):
        id, content = self.chat()
        link.hold.sent.append(id)
        link.send(chat(id, content))

    def write(self):
        self.chaos.after(0.2, self.write)
        link, now = self.link, time.monotonic()
        if link is None or not link.is_open or link.code or now < self.quiet_until:
            return
        if self.until is None:
            if now > link.began + IN_VAIN:
                link.end()
                self.wrong(f"has waited {IN_VAIN:.0f} s at {link.place}, and was neither let in nor refused")
        elif now < self.until and self.active:
            self.send(link)
        elif self.until:
            self.until = 0
            if self.chaos.random.random() < 0.7:
                link.send(close_frame())
            else:
                link.end()

    def stays_until(self, moment):
        if self.until:
            self.until = max(self.until, moment)

    def only_listens_until(self, moment):
        """Whoever writes to a node that cannot write is closed soon."""
        self.stays_until(moment)
        self.quiet_until = moment

    def received(self, link, message):
        match message["type"]:
            case "ack":
                self.chaos.model.acknowledges(self, self.name, message["id"], message["seq"])
                if not link.hold.acknowledged:
                    self.until = link.heard + self.chaos.random.uniform(1, 6)
                    self.chaos.granted(self)
                link.hold.acknowledged.append(message["seq"])
            case "chat":
                link.hold.received.append(message["seq"])
                chat = message["seq"], message["from"], message.get("id"), message["content"]
                self.chaos.model.shows(self, self.room, *chat)
            case "rejected" | "error":
                self.wrong(f"was told {message}")

    def ended(self, link):
        if link.code == TAKEN and link.reason == REPLACED:
            self.chaos.model.wrong(
                "granted twice",
                f"{self} was let in at {link.place}, and is told {REPLACED!r}: somebody else was let in, too, "
                f"who does not resume either",
            )
        elif link.code == TAKEN:
            self.chaos.refused += 1
            self.chaos.is_refused(self)
        if getattr(link, "hold", None) and link.hold.acknowledged:
            self.chaos.let_go(self, link)
        super().ended(link)
        self.delay = 0.3


class Chaos:
    def __init__(self, cluster, seed, seconds):
        self.cluster, self.seconds = cluster, seconds
        # Two of them, so that the events do not depend on what clients draw in between.
        self.random, self.fate = random.Random(seed), random.Random(seed)
        self.selector, self.model = selectors.DefaultSelector(), Model(LEASE)
        self.timers, self.order = [], itertools.count()
        self.problems, self.is_over, self.began = [], False, time.monotonic()
        self.closes, self.old_ends, self.announced = Counter(), Counter(), Counter()
        self.moved = self.stale = self.sent_again = self.grants = self.refused = 0
        self.elsewhere = []  # Seconds until clients of a killed node were welcome at another one.
        self.free = defaultdict(list)  # Seconds until a name was free, by why it had to become so.
        self.gone = {}  # (room, name): why it has to become free, and since when.
        self.refused_since = {}
        self.events, self.restarts = Counter(), 0
        self.last_end = None, 0.0  # Which node has ended, and when.
        self.people, self.has_other_log = [], False

    # Time.

    def after(self, seconds, what):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), what))

    def run(self, until, seconds):
        """Does what there is to do, until something holds. False if that takes too long."""
        deadline = time.monotonic() + seconds
        while not until():
            now = time.monotonic()
            if now > deadline:
                return False
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()
            wait = min(0.05, max(0, self.timers[0][0] - time.monotonic())) if self.timers else 0.05
            for key, events in self.selector.select(wait):
                if not key.data.ended:
                    key.data.ready(events)
        return True

    # What is noted.

    def wrong(self, sentence):
        if sentence not in self.problems and len(self.problems) < 8:
            self.problems.append(sentence)

    def tell(self, sentence):
        print(f"{time.monotonic() - self.began:6.1f} s  {sentence}", flush=True)

    def granted(self, claimant):
        self.grants += 1
        key = claimant.room, claimant.name
        self.refused_since.pop(key, None)
        if key in self.gone:
            why, since = self.gone.pop(key)
            took = time.monotonic() - since
            self.free[why].append(took)
            if why == "kill -9" and took > FREE and not self.is_outage(since):
                self.wrong(
                    f"the name {claimant.name} should be free within {FREE:.0f} s after its node was killed, "
                    f"and was after {took:.1f} s"
                )

    def let_go(self, claimant, link):
        key = claimant.room, claimant.name
        if key not in self.gone and link.code in (1000, None) and claimant.until == 0:
            why = "SIGSTOP" if link.place.is_paused else "a client has left"
            self.gone[key] = why, time.monotonic()
        # The others come at the same moment.
        for other in self.claimants():
            if (other.room, other.name) == key and other is not claimant:
                self.after(0, other.connect)

    def is_refused(self, claimant):
        """A name that nobody has must not be taken for long."""
        key, now = (claimant.room, claimant.name), time.monotonic()
        owned = any(it.until for it in self.claimants() if (it.room, it.name) == key and it.link)
        if owned:
            self.refused_since.pop(key, None)
        elif now > self.refused_since.setdefault(key, now) + FREE + PAUSE:
            self.wrong(
                f"the name {claimant.name} is taken for {FREE + PAUSE:.0f} s, and nobody has it: whose node "
                f"is dead must lose it"
            )

    def is_outage(self, since):
        return any(end > since for _, end in self.model.outages)

    def claimants(self):
        return [it for it in self.people if isinstance(it, Claimant)]

    # Events.

    def healthy(self):
        now = time.monotonic()
        well = lambda it: it is None or (it.runs() and now > it.began + 2)
        return [it for it in self.cluster.nodes if well(it) and well(it.relay)]

    def next_event(self, events):
        if self.is_over:
            return
        kind = events[0]
        if kind():
            events = events[1:] or self.shuffled()
            self.after(self.fate.uniform(1, 3.5), lambda: self.next_event(events))
        else:
            self.after(0.3, lambda: self.next_event(events))

    def shuffled(self):
        kinds = [self.kill_node, self.stop_node, self.pause_node]
        if self.cluster.brokers:
            kinds += [self.kill_broker, self.pause_broker]
            kinds += [self.cut_off_for_long, self.cut_off_briefly, self.reset_connections]
        self.fate.shuffle(kinds)
        return kinds

    def some_node(self):
        """One of those that run, with a name to lose if there is one. Another node must go on."""
        healthy = self.healthy()
        if len(healthy) < 2:
            return None
        owners = {it.link.place for it in self.claimants() if it.link and it.until}
        return self.fate.choice([it for it in healthy if it in owners] or healthy)

    def kill_node(self):
        return self.end_node("kill -9", signal.SIGKILL)

    def stop_node(self):
        return self.end_node("SIGTERM", signal.SIGTERM)

    def end_node(self, what, number):
        if (node := self.some_node()) is None:
            return False
        away = self.fate.uniform(0.3, 2.5)
        self.events[f"{what} of a node"] += 1
        self.tell(f"{what} of {node}, away for {away:.1f} s")
        self.loses_owners(node, what)
        self.last_end = node, time.monotonic()
        node.is_expected = True
        if number == signal.SIGTERM and self.cluster.lesson == CAPSTONE:
            for observer in self.observers_at(node):
                observer.is_absent(LEASE)  # It tells the others who leaves, and nobody waits.
        node.signal(number)
        self.after(away, lambda: self.start_again(node))
        return True

    def loses_owners(self, node, why):
        for claimant in self.claimants():
            link = claimant.link
            if link and link.place is node and claimant.until:
                self.gone[claimant.room, claimant.name] = why, time.monotonic()

    def start_again(self, process):
        if process.process.poll() is None:
            return self.after(0.2, lambda: self.start_again(process))
        process.is_expected = False
        process.launch()

    def pause_node(self):
        if (node := self.some_node()) is None:
            return False
        self.events[f"a node paused for {PAUSE:.0f} s"] += 1
        self.tell(f"{node} is paused for {PAUSE:.0f} s, longer than its lease")
        # Those who have a name there keep it, as far as they know.
        for claimant in self.claimants():
            claimant.stays_until(time.monotonic() + PAUSE + 3)
        self.loses_owners(node, "SIGSTOP")
        for observer in self.observers_at(node):
            observer.is_absent()
        node.pause()
        self.after(PAUSE, lambda: (node.go_on(), self.tell(f"{node} goes on")))
        return True

    def cut_off_for_long(self):
        """Its clients learn of nothing, and some of them wait. It must close them by itself."""
        if (node := self.some_node()) is None:
            return False
        self.events[f"a node cut off from its broker for {PAUSE:.0f} s"] += 1
        self.tell(f"{node} and the broker cannot reach each other for {PAUSE:.0f} s, longer than a lease")
        self.loses_owners(node, "cut off")
        for claimant in self.claimants():
            if claimant.link and claimant.link.place is node:
                claimant.only_listens_until(time.monotonic() + PAUSE + 3)
        self.cut_off(node, PAUSE)
        for observer in self.observers_at(node):
            observer.is_absent()
        return True

    def cut_off_briefly(self):
        if (node := self.some_node()) is None:
            return False
        seconds = self.fate.uniform(*CUT)
        self.events["a node cut off from its broker for a moment"] += 1
        self.tell(f"{node} and the broker cannot reach each other for {seconds:.1f} s")
        self.cut_off(node, seconds)
        return True

    def cut_off(self, node, seconds):
        now = time.monotonic()
        for observer in self.observers_at(node):
            observer.is_late.append((now, now + seconds + RECOVERY))
        node.relay.pause()
        self.after(seconds, lambda: (node.relay.go_on(), self.tell(f"{node} and the broker are together again")))

    def observers_at(self, node):
        return [it for it in self.people if isinstance(it, Observer) and node in it.places]

    def reset_connections(self):
        if (node := self.some_node()) is None:
            return False
        self.events["connections to the broker reset"] += 1
        self.tell(f"the connections between {node} and the broker are reset")
        for observer in self.observers_at(node):
            now = time.monotonic()
            observer.is_late.append((now, now + RECOVERY))
        node.relay.reset()
        return True

    def outage(self, seconds):
        now = time.monotonic()
        self.model.outages.append((now - 0.5, now + seconds + RECOVERY))

    def some_broker(self):
        """One that runs. All others must run, too, and know what happened meanwhile."""
        now = time.monotonic()
        well = all(it.runs() and now > it.began + 3 for it in self.cluster.brokers)
        if not well or not all(it.is_ready() for it in self.cluster.brokers):
            return None
        return self.fate.choice(self.cluster.brokers)

    def kill_broker(self):
        if (broker := self.some_broker()) is None:
            return False
        away = self.fate.uniform(0.3, 2.5)
        self.events["kill -9 of a broker"] += 1
        self.tell(f"kill -9 of {broker}, back with its data after {away:.1f} s")
        self.outage(away)
        # While many chats are on their way to it.
        for writer in self.writers():
            if writer.writes:
                writer.write_some(AT_ONCE // 2)
        self.after(self.fate.uniform(0, 0.03), lambda: broker.signal(signal.SIGKILL))
        self.after(away, lambda: self.start_again(broker))
        return True

    def pause_broker(self):
        if (broker := self.some_broker()) is None:
            return False
        away = self.fate.uniform(0.5, 4)
        self.events["a broker paused"] += 1
        self.tell(f"{broker} is paused for {away:.1f} s")
        self.outage(away)
        broker.pause()
        self.after(away, broker.go_on)
        return True

    def supervise(self):
        """Starts again what has ended by itself."""
        self.after(0.5, self.supervise)
        for node in self.cluster.nodes:
            if node.process.poll() is not None and not getattr(node, "is_expected", False):
                self.restarts += 1
                code, said = node.process.poll(), node.all_said()[-200:].strip()
                self.tell(f"{node} has ended by itself with {code}, and is started again: {said}")
                node.is_expected = True
                self.after(1, lambda node=node: self.start_again(node))
        balancer = self.cluster.balancer
        if balancer and balancer.process.poll() is not None:
            raise RuntimeError(f"the balancer has ended: {balancer.all_said()}")

    # The run.

    def settle_in(self):
        """People come, half of them through the balancer."""
        nodes, through = self.cluster.nodes, [self.cluster.balancer]
        for room in ROOMS:
            for number, name in enumerate(WRITERS):
                places = nodes if number % 2 else through
                self.people.append(Writer(self, name, room, places, patient=number == 3))
            self.people.append(Writer(self, READER, room, through, writes=False))
        for name, node in zip(OBSERVERS, nodes):
            self.people.append(Observer(self, name, node))
        for name in NAMES:
            for number, places in enumerate([nodes, nodes, through], start=1):
                self.people.append(Claimant(self, name, number, places))

    def writers(self):
        return [it for it in self.people if isinstance(it, Writer)]

    def all_of_it(self, with_events=True):
        self.settle_in()
        self.after(0.5, self.supervise)
        if with_events:
            self.after(CALM, lambda: self.next_event(self.shuffled()))
        self.run(lambda: with_events and bool(self.problems), self.seconds)
        self.heal()
        if not self.problems:
            self.settle()
        self.model.check()
        for sentence in self.model.all_sentences():
            self.problems.append(sentence)
        for node in self.cluster.nodes:
            said = node.all_said()
            if "panicked" in said:
                self.problems.append(f"{node} panicked: {said[said.index('panicked') - 200 :][:600]}")

    def heal(self):
        """No more events. What is away comes back, as it was going to."""
        self.is_over = True
        self.tell("no more events: all is healed, and everybody writes once more")
        if not self.problems:
            self.run(lambda: all(it.runs() for it in self.cluster.everything()), 2 * PAUSE)

    def settle(self):
        for claimant in self.claimants():
            claimant.active = False  # So it leaves, if it is there.
        began = time.monotonic()
        writers = self.writers()
        if not self.run(lambda: all(it.has_settled() for it in writers), SETTLE):
            for it in writers:
                if not it.has_settled():
                    state = f"{len(it.waiting)} chats without an acknowledgement"
                    it.wrong(f"has not settled {SETTLE:.0f} s after all was healed: {state}")
        for writer in writers:
            writer.send(*writer.chat())
        have_all = lambda: not any(it.waiting for it in writers) and self.all_seen(writers)
        if not self.run(have_all, SETTLE):
            for it in writers:
                last = self.last(it.room)
                if it.waiting or it.view.seen < last:
                    it.wrong(f"has received all up to chat {it.view.seen}, and the last is {last}")
        self.newcomers()
        self.tell(f"everybody has all after {time.monotonic() - began:.1f} s")
        self.look_at_rooms()
        self.run(lambda: not any(it.old for it in writers), LEASE)
        for it in writers:
            if it.old:
                it.wrong(
                    f"still has an old connection to {it.old[0].place}, though it has a newer one: it should "
                    f"have been closed with {TAKEN}"
                )

    def last(self, room):
        return max(self.model.chats[room], default=0)

    def all_seen(self, people):
        told = Counter()
        for (name, id), number in self.model.told.items():
            room = self.model.sent[name, id][0]
            told[room] = max(told[room], number)
        return all(it.view.seen >= max(told[it.room], self.last(it.room)) for it in people)

    def newcomers(self):
        """Somebody who comes for the first time sees what all others have seen."""
        new = [
            Writer(self, NEWCOMER, room, self.cluster.nodes, writes=False, moves=False)
            for room in [*ROOMS, LOBBY]
        ]
        self.people += new
        if not self.run(lambda: all(it.has_settled() for it in new) and self.all_seen(new), SETTLE):
            for it in new:
                it.wrong(f"is new, and has received all up to {it.view.seen} of {self.last(it.room)}")
        for it in new:
            # It is told of no gap, because it has seen nothing yet. But there may be one.
            first = min(it.view.numbers, default=0)
            if first > min(self.model.chats[it.room], default=0):
                it.view.gaps.append((0, first, self.last(it.room)))

    def look_at_rooms(self):
        """All nodes must count the same members: those who are there."""
        here = Counter(it.room for it in self.people if it.link and it.link.is_open and it.active)
        said = {}

        def all_agree():
            said.update({node: node.rooms() for node in self.cluster.nodes})
            return all(rooms == here for rooms in said.values())

        for _ in range(int(2 * LEASE)):
            if self.run(lambda: False, 1) or all_agree():
                return
        for node, rooms in said.items():
            if rooms != here:
                self.wrong(f"GET /rooms of {node} says {rooms}, but there are {dict(here)}")

    # The report.

    def report(self):
        model = self.model
        turned_away = sum(len(it.sent) for it in model.holds if not it.acknowledged)
        sent = len(model.sent) - turned_away
        rows = [
            ("events", counted(self.events)),
            ("clients", f"{len(self.people)} in {len(ROOMS) + 1} rooms; {self.moved} moved to another node"),
            ("sent", f"{sent:,} chats, and {self.sent_again:,} times again"),
            ("acknowledged", f"{len(model.told):,}; of the others, all {sent - len(model.told):,} were sent once"),
            ("delivered", f"{model.delivered:,}"),
            *((kind, f"{model.counts[kind]}") for kind in KINDS[:4]),
            ("names", f"{self.grants} times granted, {self.refused} times refused"),
            ("granted twice", f"{model.counts['granted twice']}; {model.late} chats on their way came later"),
            ("announcements", f"{self.announced['joined']} joined, {self.announced['left']} left; "
             f"{model.compared} times compared, {model.counts['announcements']} wrong"),
            ("closed", counted(self.closes)),
            ("replaced", counted(self.old_ends) + f"; by a connection that was given up: {self.stale}"),
            ("elsewhere", "after a node has ended: " + spread(self.elsewhere)),
            *(("name free", f"after {why}: " + spread(its)) for why, its in sorted(self.free.items())),
        ]
        if self.restarts:
            rows.append(("restarts", f"{self.restarts} nodes ended by themselves"))
        print()
        for title, text in rows:
            print(f"{title:<14} {text}")


def counted(counts):
    return ", ".join(f"{what}: {count}" for what, count in sorted(counts.items(), key=str)) or "none"


def spread(seconds):
    if not seconds:
        return "not measured"
    seconds = sorted(seconds)
    middle = seconds[len(seconds) // 2]
    return f"{seconds[0]:.2f} to {seconds[-1]:.2f} s, p50 {middle:.2f} s ({len(seconds)} times)"


def attempt(seed, seconds, brokers, lesson, program=None):
    """One run. Returns what was wrong."""
    print(f"\n{lesson}, 3 nodes, {brokers} brokers, {seconds} s, SEED={seed}", flush=True)
    several = lesson != ALONE
    with Cluster(3, brokers, lesson=lesson, program=program, relays=several, clocks=several) as cluster:
        clocks = [it.clock() for it in cluster.nodes]
        print(f"Their clocks are ahead by {', '.join(map(str, clocks))} s.", flush=True)
        chaos = Chaos(cluster, seed, seconds)
        if several and "CLOCK" not in cluster.nodes[0].env:
            print("SKIPPED: there is no cc, so all clocks are right.")
        elif several and clocks != list(CLOCKS):
            chaos.wrong(f"the clocks of the nodes should be ahead by {CLOCKS}")
        chaos.all_of_it(with_events=lesson != ALONE)
        chaos.report()
        return chaos.problems


def limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    # What we have started must not outlive us, if somebody stops us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))


def option(words, name, default):
    return int(words[words.index(name) + 1]) if name in words else default


def main():
    words = sys.argv[1:]
    flags = {word for word in words if word.startswith("--")}
    if flags - {"--nightly", "--mutant", "--brokers", "--seconds"}:
        sys.exit(__doc__)
    limits()
    build(ALONE if "--mutant" in flags else LESSON)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    if "--mutant" in flags:
        problems = attempt(seed, MUTANT_SECONDS, 0, ALONE)
        for sentence in problems[:3]:
            print(f"FOUND: {sentence.removesuffix('.')}.")
        if not problems:
            print("WRONG: three nodes with a log each have passed, so these checks see nothing.")
        return int(not problems)
    runs = [(seed, option(words, "--seconds", SECONDS), option(words, "--brokers", 1))]
    if "--nightly" in flags:
        seconds = option(words, "--seconds", NIGHTLY_SECONDS)
        runs = [(seed + number, seconds, brokers) for number, brokers in enumerate(NIGHTLY_BROKERS)]
    failed = False
    for run in runs:
        for sentence in attempt(*run, LESSON):
            print(f"WRONG, SEED={run[0]}: {sentence.removesuffix('.')}.")
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
