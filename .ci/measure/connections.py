#!/usr/bin/env python3
"""Measures what the limits of lesson 11 are for. Needs Linux, and nothing but Python.

    .ci/measure/connections.py            all of it: half a minute
    .ci/measure/connections.py --check    the same; the exit code is 1 if a limit is exceeded

One person tries to connect 2,000 times at once, to lesson 08 and to lesson 11. Then three
people open 798 connections to lesson 11; and somebody goes on trying when a lesson 11 is
full. Each row begins with a program that has been started for it, in a debug build.
"""

import selectors
import statistics
import sys
import time

import client
from client import PASSWORDS, Server, build

LESSON_08, LESSON_11 = "lesson_08_auth", "lesson_11_connection_limits"
ATTEMPTS = 2000
MANY = 798  # Three people may have no more of 800.

problems = []


def check(what, is_good):
    if not is_good:
        problems.append(what)


def path(room, token):
    return f"/ws/chat/{room}?token={token}"


def status(connection):
    """The status of an answer, and nothing of what comes after it."""
    head = b""
    while len(head) < 12:
        data = connection.recv(12 - len(head))
        if not data:
            return "none"
        head += data
    return head[9:12].decode()


def try_once(server, path):
    """One attempt: its status, and how long it took."""
    start = time.monotonic()
    with server.dial() as connection:
        connection.sendall(server.upgrade_request(path))
        return status(connection), (time.monotonic() - start) * 1000


def attempts(package):
    """Ana connects 2,000 times at once, and answers nothing. Then Ben comes."""
    with Server(package, files=1024) as server:
        ana, ben = (server.token(name) for name in ("ana", "ben"))
        begin, cpu = server.memory("VmRSS"), server.cpu()
        selector, counts, left = selectors.DefaultSelector(), {}, ATTEMPTS
        start = time.monotonic()
        connections = []
        for number in range(ATTEMPTS):
            try:
                connection = server.dial(timeout=2)
            except TimeoutError:
                break  # The kernel keeps some that the server has not accepted, and no more.
            connection.sendall(server.upgrade_request(path(f"r{number}", ana)))
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
            connections.append(connection)
        while left and time.monotonic() - start < 10:
            for key, _ in selector.select(timeout=1):
                selector.unregister(key.fileobj)
                answer = status(key.fileobj)
                counts[answer] = counts.get(answer, 0) + 1
                left -= 1
        if left:
            counts["no answer"] = left

        took = time.monotonic() - start
        try:
            ben_is, wait = try_once(server, path("rust", ben))
        except TimeoutError:
            ben_is, wait = "no answer", client.TIMEOUT * 1000
        cpu, memory = server.cpu() - cpu, server.memory("VmRSS")
        for connection in connections:
            connection.close()
    print(
        f"{package}: {client.counted(counts)} in {took:.1f} s; {cpu:.2f} s of a core; "
        f"{begin:.0f} MiB before, {memory:.0f} MiB after; Ben gets {ben_is} after {wait:.0f} ms",
        flush=True,
    )
    if package == LESSON_11:
        check(f"Ben gets {ben_is}", ben_is == "101")
        check(f"of one person: {counts}", counts.get("101", 0) <= 15 + 10 * took)


def many():
    """As many connections as three people may have, and what each costs."""
    with Server(LESSON_11, files=1024, MAX_CONNECTIONS_PER_USER=str(MANY // 3)) as server:
        tokens = [server.token(name) for name in PASSWORDS]
        begin = server.memory("VmRSS")
        connections = []
        for number in range(MANY):
            room = path(f"r{number // 12}", tokens[number % 3])
            connections.append(server.upgrade(room))
        memory = server.memory("VmRSS")
        for connection in connections:
            connection.close()
    print(
        f"{LESSON_11}: {begin:.0f} MiB before, {memory:.0f} MiB with {MANY} connections, "
        f"{(memory - begin) * 1024 / MANY:.0f} KiB for each",
        flush=True,
    )


def full():
    """A server for three is full, and one more tries again and again."""
    with Server(LESSON_11, files=1024, MAX_CONNECTIONS="3") as server:
        tokens = {name: server.token(name) for name in PASSWORDS}
        connections = [server.upgrade(path("rust", token)) for token in tokens.values()]
        cpu, start, times, answers = server.cpu(), time.monotonic(), [], {}
        for _ in range(ATTEMPTS):
            answer, wait = try_once(server, path("tea", tokens["ben"]))
            answers[answer] = answers.get(answer, 0) + 1
            times.append(wait)
        cpu, took = server.cpu() - cpu, time.monotonic() - start
        for connection in connections:
            connection.close()
        deadline = time.monotonic() + client.TIMEOUT
        while (after := try_once(server, path("tea", tokens["ben"]))[0]) == "503":
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)  # The server may not have noticed yet that they are gone.
    print(
        f"{LESSON_11}, full: {client.counted(answers)} one after the other in {took:.1f} s, "
        f"{cpu * 1000 / ATTEMPTS:.2f} ms of a core for each, median {statistics.median(times):.1f} ms; "
        f"when they are gone, Ben gets {after}",
        flush=True,
    )
    check(f"full: {answers}", answers == {"503": ATTEMPTS})
    check(f"afterwards: {after}", after == "101")


def main():
    if set(sys.argv[1:]) - {"--check"}:
        sys.exit(__doc__)
    build(LESSON_08, LESSON_11)
    for package in (LESSON_08, LESSON_11):
        attempts(package)
    many()
    full()
    for problem in problems:
        print(f"PROBLEM: {problem}")
    sys.exit(1 if problems and "--check" in sys.argv else 0)


main()
