"""Measures what somebody who guesses passwords can do to lesson 08, and to the others.

    .ci/measure/sign_in                    all of it: about a minute
    .ci/measure/sign_in memory hang-ups    these parts alone; the others are names and guesses
    .ci/measure/sign_in --release          the release build; otherwise it is the debug build
    .ci/measure/sign_in --check            the exit code is 1 if a limit is exceeded

The guesses come from many addresses of this machine (127.0.0.2 to 127.0.0.254), because
the server limits how many may come from one. Memory is the resident set size, as `ps`
shows it; the first figure is from before the first login.
"""

import itertools
import multiprocessing
import os
import re
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from client import PASSWORDS, PING, PONG, Frames, Report, Server, build, frame

LESSON, IDLE = "lesson_08_auth", "lesson_01_echo"
PROFILE = "release" if "--release" in sys.argv else "debug"

LOGINS, AT_ONCE = 300, 20
HANG_UPS, PATIENCE = 320, 0.005  # How many, and after how many seconds each hangs up.
CALM = 0.1  # The part of a core that a server needs, at most, when it checks no password.

MEMORY = 60  # MiB that may be resident after all these logins.
PEAK = 60  # MiB that may ever be resident, after those that hang up.
THREADS = os.cpu_count() + 8  # One for each core, one for the passwords, and some spare.
CHECKED = 0.95  # The part of the guesses that must really be checked, not limited.
PONG_WITHIN = 50  # Milliseconds for 99 of 100 pongs, unless an idle server needs half of it.
GUESSES = 60  # After so many guesses, at the latest, the limit must be felt.
ENTRY = 5.0  # Seconds after which the right password is accepted, at the latest.
WAIT = 60  # Seconds that a client may be told to wait, at most.

TITLE, FIGURE = 46, 60  # How wide the columns are.


def addresses():
    return itertools.cycle(f"127.0.0.{number}" for number in range(10, 255))


def start():
    return Server(LESSON, profile=PROFILE)


class Pings:
    """Somebody who sends pings all the time, in a process of its own."""

    def __init__(self, connection):
        self.results, results = multiprocessing.Pipe(duplex=False)
        self.stop = multiprocessing.Event()
        arguments = (connection, self.stop, results)
        self.process = multiprocessing.Process(target=self.ping, args=arguments, daemon=True)
        self.process.start()

    @staticmethod
    def ping(connection, stop, results):
        client, waits = Frames(connection), []
        while not stop.is_set():
            start = time.monotonic()
            connection.sendall(frame(PING))
            if client.until(PONG, 30) is None:
                break
            waits.append(time.monotonic() - start)
            time.sleep(0.01)
        results.send(sorted(waits))

    def end(self):
        """How long all pongs took, in seconds, the longest last."""
        self.stop.set()
        waits = self.results.recv() if self.results.poll(40) else []
        self.process.join(10)
        return waits or [99]


class Neighbour:
    """Somebody in a room who sends pings, and somebody else who does at an idle server.

    The second one shows what is due to the machine: the passwords take all its cores, and
    perhaps other programs do.
    """

    def __init__(self, server):
        room = f"/ws/chat/tea?token={server.token('ben')}"
        self.idle_server = Server(IDLE, profile=PROFILE)
        self.here, self.there = Pings(server.upgrade(room)), Pings(self.idle_server.upgrade("/ws"))

    def report(self, report, meanwhile):
        """Ends it, and tells how long the pongs took."""
        here, there = self.here.end(), self.there.end()
        self.idle_server.stop()
        p99, idle = (1000 * waits[len(waits) * 99 // 100] for waits in (here, there))
        row(
            report,
            f"  a neighbour's {len(here)} pings",
            f"99 of 100 in {p99:.0f} ms, the slowest in {1000 * here[-1]:.0f} ms "
            f"(at an idle server: {idle:.0f} and {1000 * there[-1]:.0f} ms)",
        )
        report.expect(
            p99 < max(PONG_WITHIN, 2 * idle) and len(here) > 20,
            f"{meanwhile}, 99 of 100 pongs should come within {PONG_WITHIN} ms, but they need "
            f"{p99:.0f} ms (at an idle server: {idle:.0f} ms)",
        )


def row(report, title, figure):
    report.row((title, TITLE), (figure, FIGURE))


def memory(report):
    """Wrong passwords, for people who exist and for others, from everywhere."""
    with start() as server:
        before = server.memory("VmRSS")
        neighbour = Neighbour(server)
        cpu, begin = server.cpu(), time.monotonic()

        def guess(job):
            number, source = job
            # Few for each of those who exist, because that is limited.
            name = [*PASSWORDS][number // 100] if number % 20 == 0 else f"user-{number}"
            return server.log_in(name, f"guess {number}", source)[0]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(guess, zip(range(LOGINS), addresses())))
        took, cpu = time.monotonic() - begin, server.cpu() - cpu
        after = server.memory("VmRSS")
        title = f"{LOGINS} wrong logins, {AT_ONCE} at a time"
        checked = answers.count(401)
        counts = ", ".join(f"{answers.count(code)} x {code}" for code in sorted(set(answers)))
        row(report, title, f"{counts}; {took:.1f} s, {1000 * cpu / LOGINS:.0f} ms of CPU each")
        neighbour.report(report, f"During {title}")
        time.sleep(10)
        later = server.memory("VmRSS")
        figures = f"{before:.0f} -> {after:.0f} MiB, {later:.0f} MiB 10 s later"
        row(report, "  resident memory", figures)
        report.expect(
            checked >= CHECKED * LOGINS,
            f"Only {checked} of {LOGINS} logins were checked, so this measures nothing",
        )
        report.expect(
            max(after, later) <= MEMORY,
            f"After {title}, {MEMORY} MiB should be enough, but it has {max(after, later):.0f} MiB",
        )


def hang_ups(report):
    """Logins that do not wait for their answer. What limits the work must live as long."""
    with start() as server:
        before = server.memory("VmRSS")
        neighbour = Neighbour(server)
        threads, done = [server.status("Threads")], threading.Event()

        def watch():
            while not done.wait(0.002):
                threads.append(server.status("Threads"))

        watcher = threading.Thread(target=watch)
        watcher.start()
        cpu = server.cpu()
        for number, source in zip(range(HANG_UPS), addresses()):
            hang_up(server, f"user-{number}", source)
        wait_until_calm(server)
        done.set()
        watcher.join()
        cpu = server.cpu() - cpu
        most, peak = max(threads), server.memory("VmHWM")
        title = f"{HANG_UPS} logins that hang up"
        row(report, title, f"{most} threads, {cpu:.1f} s of CPU")
        neighbour.report(report, f"During {title}")
        row(report, "  peak of the memory", f"{before:.0f} -> {peak:.0f} MiB")
        report.expect(
            most <= THREADS, f"{title} should need at most {THREADS} threads, but need {most}"
        )
        report.expect(
            peak < PEAK, f"{title} should need less than {PEAK} MiB, but need {peak:.0f} MiB"
        )


def wait_until_calm(server):
    """Waits until no password is checked any more: that would need the processor all the time.
    The neighbour's pings go on, and need little."""
    begin, calm = time.monotonic(), 0
    while calm < 4 and time.monotonic() - begin < 60:
        busy = server.cpu()
        time.sleep(0.5)
        calm = calm + 1 if server.cpu() - busy < CALM * 0.5 else 0


def hang_up(server, name, source):
    """Sends a whole login, waits until the check has begun, and is gone."""
    body = f'{{"username":"{name}","password":"a guess"}}'
    request = (
        f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    connection = server.dial(source=source)
    connection.sendall(request.encode())
    time.sleep(PATIENCE)
    connection.close()


def names(report):
    """Whether the time until the answer tells which names exist."""
    with start() as server:
        times = {"ana": [], "eve": []}
        for _, source in zip(range(10), addresses()):
            for name, waits in times.items():
                begin = time.monotonic()
                server.log_in(name, "a guess", source)
                waits.append(1000 * (time.monotonic() - begin))
        known, unknown = map(statistics.median, times.values())
        row(report, "a wrong password, and a wrong name", f"{known:.0f} ms, and {unknown:.0f} ms")
        report.expect(
            known / 2 < unknown < 2 * known,
            f"A wrong name should take as long as a wrong password ({known:.0f} ms), but takes "
            f"{unknown:.0f} ms",
        )


def guesses(report):
    """How many guesses are allowed, and whether the limit is a weapon."""
    with start() as server:
        # Pairs of an account and an address, twice as many as may be checked.
        numbers = range(2 * GUESSES)
        one_to_one = [("ana", "127.0.0.3") for _ in numbers]
        one_to_many = [(f"user-{number}", "127.0.0.4") for number in numbers]
        many_to_one = [("cem", source) for _, source in zip(numbers, addresses())]
        limit(report, server, "one address guesses at one account", one_to_one)
        limit(report, server, "one address guesses at many accounts", one_to_many)
        limit(report, server, "many addresses guess at one account", many_to_one)
    with start() as server:
        codes = [server.log_in("ana", word)[0] for word in ("tea", "ana-likes", "Ana-likes-tea")]
        codes.append(server.log_in("ana", PASSWORDS["ana"])[0])
        row(report, "three typos, and then the right password", " ".join(map(str, codes)))
        report.expect(
            codes == [401, 401, 401, 200],
            f"Three typos and the right password should give 401, 401, 401, 200, not {codes}",
        )
    lock_out(report, "one address guesses at Ana all the time", ["127.0.0.3"])
    everywhere = [f"127.0.0.{number}" for number in range(10, 110)]
    lock_out(report, "a hundred addresses do, and she was here before", everywhere, True)


def limit(report, server, title, pairs):
    """Guesses, several at a time, and counts how many are checked."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda pair: server.log_in(pair[0], "a guess", pair[1]), pairs))
    refused = [(headers, text) for status, headers, text in answers if status == 429]
    allowed = len(answers) - len(refused)
    waits = [headers["Retry-After"] or "" for headers, _ in refused]
    seconds = [int(wait) for wait in waits if wait.isdigit()]
    figure = f"{allowed} of {len(answers)} are checked"
    if seconds:
        figure += f", the others are to wait up to {max(seconds)} s"
    row(report, title, figure)
    report.expect(
        allowed <= GUESSES,
        f"When {title}, 429 should come after {GUESSES} guesses, but {allowed} were checked",
    )
    report.expect(
        len(seconds) == len(refused) and all(1 <= wait <= WAIT for wait in seconds),
        f"When {title}, each 429 should have a Retry-After of 1 to {WAIT} seconds, not {waits[:3]}",
    )
    report.expect(
        all(re.search(r"Try again in \d+ s\.$", text) for _, text in refused),
        f"When {title}, each 429 should say when to try again, not {[text for _, text in refused[:1]]}",
    )


def lock_out(report, title, sources, was_here=False):
    """Ana signs in from her own address, while others guess her password."""
    her_address = "127.0.0.2"
    with start() as server:
        neighbour = Neighbour(server)
        if was_here:
            server.log_in("ana", PASSWORDS["ana"], her_address)
        stop, counts = threading.Event(), {}

        def attack(number):
            for round in itertools.count():
                if stop.is_set():
                    return
                source = sources[(number + round) % len(sources)]
                status = server.log_in("ana", f"guess {round}", source)[0]
                counts[status] = counts.get(status, 0) + 1
                time.sleep(0.01)

        attackers = [threading.Thread(target=attack, args=(number,)) for number in range(4)]
        for attacker in attackers:
            attacker.start()
        time.sleep(2)  # By now the guesses are limited.
        waits = [sign_in(server, "ana", her_address) for _ in range(5)]
        stop.set()
        for attacker in attackers:
            attacker.join()
        guessed = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
        slowest = max(waits)
        told = f"in after {slowest:.1f} s" if slowest < ENTRY else f"not in after {ENTRY:.0f} s"
        row(report, title, f"Ana, from her address, is {told} (guesses: {guessed})")
        neighbour.report(report, f"When {title}")
        report.expect(
            slowest < ENTRY,
            f"When {title}, Ana should get in within {ENTRY:.0f} s from her own address",
        )


def sign_in(server, name, source):
    """How long somebody with the right password tries until it is accepted."""
    begin = time.monotonic()
    while (took := time.monotonic() - begin) < ENTRY:
        if server.log_in(name, PASSWORDS[name], source)[0] == 200:
            return time.monotonic() - begin
        time.sleep(0.2)
    return took


def main():
    build(LESSON, IDLE, profile=PROFILE)
    parts = {"memory": memory, "hang-ups": hang_ups, "names": names, "guesses": guesses}
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")] or [*parts]
    report = Report("--check" in sys.argv)
    row(report, f"{LESSON}, {PROFILE} build", "")
    problems = []
    for name in wanted:
        parts[name](report)
        if report.check and report.problems:
            # A busy machine can miss a limit of time, but not twice.
            print(f"Once more, because: {'; '.join(report.problems)}.")
            report.problems.clear()
            parts[name](report)
        problems += report.problems
        report.problems.clear()
    report.problems = problems
    return report.end()


sys.exit(main())
