"""What must hold in a chat with lesson 18's protocol, however many nodes serve it.

Nothing here knows of sockets. Whoever runs clients says what was sent, acknowledged and
received, and `check` compares all of it in the end:

* **lost**: a chat that was acknowledged is in no view, or a chat is missing in a view of
  somebody who has seen newer ones (or must have), though it is still kept;
* **double**: a chat has two numbers, or a view has it twice;
* **out of order**: a view has a smaller number after a greater one, or a chat has a smaller
  number than one that its sender has sent before it;
* **wrong**: a number stands for two chats, an acknowledgement names another number than the
  views, or a chat is not what was sent;
* **granted twice**: a name in a room belongs to two connections at once. Connections that do
  not resume may not replace each other. So of two of them, the one whose first chat has the
  smaller number must have ended before the other's first chat: it was acknowledged nothing, and
  received nothing, with a greater number. No clock has a say in that.
* **announcements**: for somebody who stays connected, `user_joined` and `user_left` of a name
  take turns; nobody writes who has left; all see the same between the same two chats; and who
  resumes before its node is taken for dead is not announced.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from itertools import combinations

KEPT = 1000  # Chats of a room that are kept.
EACH = 2  # Sentences about each kind of mistake. One mistake has many consequences.
SOON = 3.0  # Seconds until everybody is told of somebody who joins.

KINDS = "lost", "double", "out of order", "wrong", "granted twice", "announcements"


class View:
    """What one person has seen of a room, over all its connections."""

    def __init__(self, owner, room):
        self.owner, self.room = owner, room
        self.seen, self.numbers, self.gaps = 0, set(), []


class Hold:
    """One connection that does not resume, and so has a name only if nobody else has it."""

    def __init__(self, owner, name, room, node):
        self.owner, self.name, self.room, self.node = owner, name, room, node
        self.sent, self.acknowledged, self.received = [], [], []


class Stay:
    """One connection of somebody who looks at who joins and leaves a room."""

    def __init__(self, owner, name, room, opened, is_late):
        self.owner, self.name, self.room, self.opened = owner, name, room, opened
        self.is_late = is_late  # [(from, to)]: its node may have fallen behind, and pass over things.
        self.newest = 0  # The last chat before it came. Up to there, all is from the log.
        self.events = []  # (when, "chat", number, name) or (when, "joined" or "left", None, name)


class Model:
    def __init__(self, lease):
        self.lease = lease  # Seconds after which a node that is silent is taken for dead.
        self.sent = {}  # (name, id): room, content
        self.order = defaultdict(list)  # sender: [(name, id)], for those who send again.
        self.absences = defaultdict(list)  # (room, name): [(from, to)], for those who resume.
        self.told = {}  # (name, id): number
        self.chats = defaultdict(dict)  # room: {number: (name, id, content)}
        self.views, self.holds, self.stays = [], [], []
        self.outages = []  # (from, to): announcements may be lost, because nodes heard nothing.
        self.counts, self.sentences = Counter(), defaultdict(list)
        self.delivered, self.compared = 0, 0
        self.late = 0  # Chats of an owner whose node was dead by then, and not acknowledged.

    def view(self, owner, room):
        self.views.append(View(owner, room))
        return self.views[-1]

    def hold(self, owner, name, room, node):
        self.holds.append(Hold(owner, name, room, node))
        return self.holds[-1]

    def stay(self, owner, name, room, opened, is_late=()):
        self.stays.append(Stay(owner, name, room, opened, is_late))
        return self.stays[-1]

    def wrong(self, kind, sentence, count=1):
        self.counts[kind] += count
        if len(self.sentences[kind]) < EACH and sentence not in self.sentences[kind]:
            self.sentences[kind].append(sentence)

    def all_sentences(self):
        return [sentence for kind in KINDS for sentence in self.sentences[kind]]

    def sends(self, name, id, room, content, sender=None):
        self.sent[name, id] = room, content
        if sender:
            self.order[sender].append((name, id))

    def acknowledges(self, who, name, id, number):
        """Whoever was told it. Returns whether it is news."""
        if (name, id) not in self.sent:
            self.wrong("wrong", f"{who} has an acknowledgement for {id}, which it has not sent")
        before = self.told.setdefault((name, id), number)
        if before != number:
            self.wrong(
                "double",
                f"{who} has sent {id} again, and it got number {number}: before, it was {before}. "
                f"So it is in the room twice",
            )

    def shows(self, who, room, number, name, id, content):
        """Somebody has received this chat, whoever it is."""
        self.delivered += 1
        chat = name, id, content
        other = self.chats[room].setdefault(number, chat)
        if other != chat:
            self.wrong(
                "wrong",
                f"{who} has received {id} of {name} as chat {number} of {room}, and others have "
                f"received {other[1]} of {other[0]} as chat {number}: one number, two chats",
            )

    def receives(self, view, number, name, id, content):
        """The same, for somebody who wants to see all of the room."""
        if number in view.numbers:
            self.wrong("double", f"{view.owner} has received chat {number} of {view.room} twice")
        elif number <= view.seen:
            self.wrong(
                "out of order",
                f"{view.owner} has received chat {number} of {view.room} after {view.seen}",
            )
        view.numbers.add(number)
        view.seen = max(view.seen, number)
        self.shows(view.owner, view.room, number, name, id, content)

    def misses(self, view, next):
        """Somebody was told that chats before this number are no longer kept."""
        newest = max(self.chats[view.room], default=0)
        view.gaps.append((view.seen, next, newest))
        view.seen = max(view.seen, next - 1)

    # The end.

    def check(self):
        self.check_acknowledgements()
        self.check_order()
        for view in self.views:
            self.check_view(view)
        self.check_holds()
        for stay in self.stays:
            self.check_stay(stay)
        self.compare_stays()
        return self.counts

    def check_acknowledgements(self):
        numbers = defaultdict(list)
        for room, chats in self.chats.items():
            for number, (name, id, content) in sorted(chats.items()):
                numbers[name, id].append(number)
                sent = self.sent.get((name, id))
                if sent != (room, content):
                    self.wrong(
                        "wrong",
                        f"chat {number} of {room} is {content!r} of {name} with the id {id}, and "
                        f"that was not sent there",
                    )
        for (name, id), found in numbers.items():
            if len(found) > 1:
                self.wrong("double", f"{id} of {name} is in the room as {found[0]} and {found[1]}")
        for (name, id), number in self.told.items():
            found = numbers.get((name, id))
            if not found:
                room = self.sent.get((name, id), "?")[0]
                self.wrong(
                    "lost",
                    f"{id} of {name} was acknowledged as chat {number} of {room}, but nobody there "
                    f"has received it",
                )
            elif number not in found:
                self.wrong(
                    "wrong",
                    f"{name} was told that {id} is chat {number}, but its number is {found[0]}",
                )

    def check_order(self):
        for sender, sent in self.order.items():
            told = [(self.told[it], it[1]) for it in sent if it in self.told]
            for (number, id), (next, next_id) in zip(told, told[1:]):
                if next < number:
                    self.wrong(
                        "out of order",
                        f"{sender} has sent {id} and then {next_id}, but their numbers are {number} and "
                        f"{next}",
                    )

    def check_view(self, view):
        chats = sorted(self.chats[view.room])
        excused = set()
        for seen, next, newest in view.gaps:
            kept = bisect_left(chats, newest + 1) - bisect_left(chats, next)
            if kept < KEPT - 1:
                self.wrong(
                    "lost",
                    f"{view.owner} had seen chat {seen} of {view.room}, and was told that all "
                    f"before {next} is gone, but only {kept} newer ones were there: {KEPT} are kept",
                )
            excused.update(range(seen + 1, next))
        missing = [it for it in chats if it not in view.numbers and it not in excused]
        if missing:
            name, id, _ = self.chats[view.room][missing[0]]
            acknowledged = "acknowledged" if (name, id) in self.told else "not acknowledged"
            self.wrong(
                "lost",
                f"{view.owner} has not received {len(missing)} chats of {view.room} that others "
                f"have: the first is {missing[0]} ({id} of {name}, {acknowledged}), and the last "
                f"that it has received is {view.seen}",
                len(missing),
            )

    def check_holds(self):
        by_name = defaultdict(list)
        numbers = {chat[:2]: it for chats in self.chats.values() for it, chat in chats.items()}
        for hold in self.holds:
            if hold.acknowledged:
                by_name[hold.room, hold.name].append(hold)
        for (room, name), holds in by_name.items():
            holds.sort(key=lambda it: it.acknowledged[0])
            for first, second in zip(holds, holds[1:]):
                begin = second.acknowledged[0]
                written = {numbers.get((name, id), 0) for id in first.sent}
                self.late += sum(it > begin for it in written.difference(first.acknowledged))
                late = [it for it in first.acknowledged if it > begin]
                heard = [it for it in first.received if it > begin]
                if not late and not heard:
                    continue
                what = f"an acknowledgement for chat {late[0]}" if late else f"chat {heard[0]}"
                self.wrong(
                    "granted twice",
                    f"the name {name} in {room} had two owners: a connection to {second.node} wrote "
                    f"chat {begin}, and after that an older one to {first.node} got {what}. A node "
                    f"may not serve anybody once another node can take it for dead",
                )

    def check_stay(self, stay):
        state, last = {}, stay.opened
        for when, kind, number, name in stay.events:
            if self.is_late(stay, last, when):
                state.clear()  # It may have missed who has joined or left meanwhile.
            last = when
            if kind == "chat":
                id = self.chats[stay.room].get(number, (None, None))[1]
                if self.is_outage(when, when):
                    continue  # Who joins and leaves in an outage may be announced to nobody.
                if state.get(name) == "left" and (name, id) in self.told:
                    self.wrong(
                        "announcements",
                        f"{stay.owner} has received chat {number} of {name}, who had left {stay.room} "
                        f"and not joined again",
                    )
                continue
            resumes = (stay.room, name) in self.absences and not self.is_late(stay, when, when)
            if resumes and not self.was_absent(stay.room, name, when):
                self.wrong(
                    "announcements",
                    f"{stay.owner} was told that {name} has {kind} {stay.room}, but {name} has only "
                    f"changed its connection",
                )
            if state.get(name) == kind:
                self.wrong(
                    "announcements",
                    f"{stay.owner} was told twice that {name} has {kind} {stay.room}, and not in "
                    f"between that {name} has {'left' if kind == 'joined' else 'joined'}",
                )
            state[name] = kind

    def was_absent(self, room, name, when):
        """Whether somebody who resumes was away for so long that its name may have become free."""
        long = 0.7 * self.lease
        return self.is_outage(when - self.lease, when) or any(
            end - begin >= long and begin + long <= when <= end + SOON
            for begin, end in self.absences[room, name]
        )

    def compare_stays(self):
        """Between the same two chats, all who were there must have seen the same."""
        by_room = defaultdict(list)
        for stay in self.stays:
            by_room[stay.room].append((stay, dict(self.between(stay))))
        for stays in by_room.values():
            for (one, ones), (other, others) in combinations(stays, 2):
                if one.owner == other.owner:
                    continue
                for chats in ones.keys() & others.keys():
                    its = [[it for it in seen[chats] if it[1] not in (one.name, other.name)]
                           for seen in (ones, others)]
                    self.compared += 1
                    if its[0] != its[1]:
                        tell = lambda seen: ", ".join(f"{who} {what}" for what, who in seen) or "nothing"
                        self.wrong(
                            "announcements",
                            f"between the chats {chats[0]} and {chats[1]} of {one.room}, {one.owner} was "
                            f"told: {tell(its[0])}; and {other.owner}: {tell(its[1])}",
                        )

    def between(self, stay):
        """What a connection was told between two chats, where it can be compared. Chats of the
        log come without announcements: with the first of these, it has caught up."""
        last, seen, has_caught_up = None, [], False
        for when, kind, number, name in stay.events:
            if kind != "chat":
                seen.append((kind, name))
                has_caught_up = True
                continue
            is_live = last and last[2] and last[1] > stay.newest
            if is_live and not self.is_outage(last[0], when) and not self.is_late(stay, last[0], when):
                yield (last[1], number), seen
            last, seen = (when, number, has_caught_up), []

    def is_late(self, stay, begin, end):
        return any(begin < there and here < end for here, there in stay.is_late)

    def is_outage(self, begin, end):
        return any(begin < there and here < end for here, there in self.outages)
