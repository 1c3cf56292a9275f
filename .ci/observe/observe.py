"""Starts lesson 21 and a real Prometheus that scrapes it, on this machine alone. Makes four kinds
of trouble, and waits until Prometheus says that the alert which is about it fires.

The rules are those of the lesson, but with windows of seconds and not of minutes. With their own
windows promtool tests them, in time that it makes up.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci/measure"))
from client import Server, build, chat, contents, drain, free_ports  # noqa: E402 (now it is found)

PACKAGE = "lesson_21_observability"
LESSON = ROOT / "lessons" / PACKAGE
PROMETHEUS = Path(os.environ["PROMETHEUS"])
LIMIT = 30  # Seconds for an alert, which needs some five, and ten more for a slow client.

# These two are also about the machine, which may be busy with other things for a second.
OF_THE_MACHINE = {"ChatRuntimeLate", "ChatServerGone"}

# What is shorter here than in the lesson, so that nobody waits for minutes.
SHORTER = {"for: 1m": "for: 1s", "[1m]": "[5s]", "[5m]": "[5s]", "_interval: 5s": "_interval: 1s"}


def main():
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            [PROMETHEUS.parent / "promtool", *command], cwd=LESSON, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"promtool {' '.join(command)} fails:\n{done.stdout}{done.stderr}")
    print("promtool accepts the configuration, and the rules pass their tests.")

    build(PACKAGE)
    metrics_port = free_ports(1)[0]
    settings = {"METRICS_ADDR": f"127.0.0.1:{metrics_port}", "LOG_FORMAT": "json"}
    with tempfile.TemporaryDirectory() as folder, Server(PACKAGE, **settings) as server:
        prometheus = Prometheus(Path(folder), metrics_port)
        try:
            try_all(server, prometheus)
        finally:
            prometheus.stop()
    print(f"Each of the four alerts fires, {time.monotonic() - START:.0f} s in all.")


def try_all(server, prometheus):
    tokens = {name: server.token(name) for name in ("ana", "ben")}
    path = f"/ws/chat/rust?token={tokens['ana']}"
    prometheus.waits_for('up{job="chat"} == 1', "Prometheus should scrape the lesson")
    prometheus.waits_for("chat_joins_total == 0", "the metrics should be there from the beginning")

    # Some minutes of an ordinary day.
    ana = server.upgrade(path)
    ana.setblocking(False)
    for _ in range(3):
        ana.sendall(chat("hello"))
        time.sleep(1)
    prometheus.waits_for("chat_connections == 1", "Ana should be the one connection")
    prometheus.waits_for('chat_messages_total{kind="chat"} == 3', "Ana has sent three chats")
    prometheus.waits_for("chat_deliveries_total == 3", "and received them")
    prometheus.falls_silent("nothing is wrong")

    # A client that does not read: its system accepts what fits, then its outbox fills, and the
    # server gives up ten seconds later. Meanwhile there is time for strangers.
    ben = server.upgrade(f"/ws/chat/rust?token={tokens['ben']}", small=True)
    for _ in range(60):
        ana.setblocking(True)
        ana.sendall(chat("x" * 2000) * 100)
        ana.setblocking(False)
        drain(ana)

    def strangers():
        for _ in range(5):
            status, _, _ = server.ask("GET", "/ws/chat/rust", token="nonsense")
            assert status == 401, f"a stranger should get 401, and not {status}"

    prometheus.fires("ChatHandshakesRefused", "handshakes with a wrong token", strangers)
    prometheus.fires("ChatClientsTooSlow", "a client that does not read", lambda: drain(ana))
    ben.close()  # The server has waited for his answer to its Close.
    if (slow := slow_clients(server)) != [("ben", "rust", 4008)]:
        sys.exit(f"The log should say that Ben was too slow in rust, with 4008, but has {slow}.")

    def stand_still():
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.4)
        server.process.send_signal(signal.SIGCONT)

    prometheus.fires("ChatRuntimeLate", "a process that stands still again and again", stand_still)
    prometheus.falls_silent("the trouble is over")

    server.process.kill()
    prometheus.fires("ChatServerGone", "a server that is killed", lambda: None)


def slow_clients(server):
    """Who was too slow, according to the log: as soon as there is somebody."""
    deadline = time.monotonic() + LIMIT
    while True:
        whole, _, _ = contents(server.printed).rpartition(b"\n")  # It may be writing a line.
        lines = [line for line in whole.splitlines() if line[:1] == b"{"]
        spans = [json.loads(line).get("span", {}) for line in lines]
        slow = [span for span in spans if span.get("cause") == "too_slow"]
        if slow or time.monotonic() > deadline:
            return [(span["username"], span["room"], span["code"]) for span in slow]
        time.sleep(0.1)


class Prometheus:
    """A Prometheus with the lesson's configuration, in a folder that is removed afterwards."""

    def __init__(self, folder, metrics_port):
        self.folder, self.port, self.expected = folder, free_ports(1)[0], set()
        for name in ("prometheus.yml", "alerts.yml"):
            text = (LESSON / name).read_text().replace("127.0.0.1:8001", f"127.0.0.1:{metrics_port}")
            for long, short in SHORTER.items():
                text = text.replace(long, short)
            if found := re.search(r"\[\d+m\]|for: \d+m", text):
                sys.exit(f"{name} has {found[0]}, and this part knows no shorter time for it.")
            (folder / name).write_text(text)
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen(
            [
                PROMETHEUS,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=self.log, stderr=subprocess.STDOUT,
        )

    def stop(self):
        self.process.kill()
        self.process.wait()

    def get(self, path, **query):
        """What the HTTP API answers, or None while it does not."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        if (code := self.process.poll()) is not None:
            sys.exit(f"Prometheus has ended with {code}: {contents(self.log).decode()[-500:]}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except (OSError, http.client.HTTPException):
            return None

    def waits_for(self, query, sentence):
        """Waits until a query has a result."""
        deadline = time.monotonic() + LIMIT
        while not ((data := self.get("query", query=query)) and data["result"]):
            if time.monotonic() > deadline:
                found = self.get("query", query=re.split(r" [=>]", query)[0])
                sys.exit(f"{sentence}: {query} holds at no time within {LIMIT} s: {found}.")
            time.sleep(0.2)

    def firing(self):
        alerts = (self.get("alerts") or {}).get("alerts", [])
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def fires(self, name, trouble, go_on):
        """Makes trouble until this alert fires, and none whose trouble nobody has made."""
        start = time.monotonic()
        self.expected.add(name)
        while name not in (firing := self.firing()):
            if others := firing - self.expected - OF_THE_MACHINE:
                sys.exit(f"After {trouble}, {name} should fire, but {', '.join(others)} does.")
            if time.monotonic() > start + LIMIT:
                sys.exit(f"After {trouble}, {name} should fire within {LIMIT} s, but does not.")
            go_on()
            time.sleep(0.3)
        print(f"{name} fires after {trouble}, {time.monotonic() - start:.0f} s.", flush=True)

    def falls_silent(self, reason):
        """Waits until no alert fires."""
        deadline = time.monotonic() + LIMIT
        while firing := self.firing():
            if time.monotonic() > deadline:
                sys.exit(f"{', '.join(firing)} should not fire when {reason}, but does, {LIMIT} s long.")
            time.sleep(0.2)


START = time.monotonic()
main()
