"""One who writes and 19 who read, in one room: with lesson 08, with lesson 21, and with lesson 21
while its metrics are asked for each second. The three take turns, because other programs on this
machine come and go, and every other time in the opposite order. All figures are medians.

How many deliveries there are in a second depends on this program, which is slower than the server.
What a delivery costs the server, in microseconds of the processor, does not. The server has one
thread, because with several the size of what is written in one go differs from turn to turn.
"""

import socket
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "measure"))
import delivery_client  # noqa: E402 (now it is found)
from client import Server, build, free_ports  # noqa: E402
from delivery_client import PEOPLE, SECRET, chat_path, fan_out  # noqa: E402

WITHOUT, WITH = "lesson_08_auth", "lesson_21_observability"
TURNS = 20
LIMIT = 0.05


def main():
    check = "--check" in sys.argv
    if "--no-build" not in sys.argv:
        build(WITHOUT, WITH, profile="release")
    delivery_client.SECONDS = 1
    metrics_port = free_ports(1)[0]
    settings = {"profile": "release", "JWT_SECRET": SECRET, "RUST_LOG": "info"}
    settings["TOKIO_WORKER_THREADS"] = "1"
    with Server(WITHOUT, **settings) as without, Server(
        WITH, METRICS_ADDR=f"127.0.0.1:{metrics_port}", **settings
    ) as observed:
        ways = {
            "lesson 08": lambda: turn(without, WITHOUT),
            "lesson 21": lambda: turn(observed, WITH),
            "lesson 21, scraped each second": lambda: scraped(metrics_port, lambda: turn(observed, WITH)),
        }
        turns = {name: [] for name in ways}
        for number in range(TURNS):
            for name, way in list(ways.items())[:: -1 if number % 2 else 1]:
                turns[name].append(way())

    print(f"{len(PEOPLE)} members in one room, {TURNS} turns of {delivery_client.SECONDS} s each, medians:")
    medians = {name: [statistics.median(it) for it in zip(*figures)] for name, figures in turns.items()}
    base_rate, base_cost = medians["lesson 08"]
    worst = 0
    for name, (rate, cost) in medians.items():
        more = cost / base_cost - 1
        print(
            f"{name:31} {rate:9,.0f} deliveries/s ({rate / base_rate - 1:+.1%}),"
            f" {1e6 * cost:6.3f} microseconds of the processor for each ({more:+.1%})"
        )
        worst = max(worst, more)
    if check and worst > LIMIT:
        sys.exit(f"The metrics cost {worst:.1%} of the processor, but at most {LIMIT:.0%} were wanted.")


def turn(server, audience):
    """One turn: deliveries in a second, and the processor's time for each."""
    before = server.cpu()
    _, everyone, *_ = fan_out([server], lambda name: chat_path(audience, "rust", name))
    rate = float(everyone.split(" ")[0].replace(",", ""))
    used = server.cpu() - before
    time.sleep(0.2)  # Until all have left.
    return rate, used / (rate * delivery_client.SECONDS)


def scraped(port, way):
    """Does it, while somebody asks for the metrics each second."""
    ended = threading.Event()

    def scrape():
        while not ended.wait(1):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                while connection.recv(1 << 16):
                    pass

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        return way()
    finally:
        ended.set()
        thread.join()


main()
