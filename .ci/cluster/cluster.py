"""The processes of lesson 20: brokers, nodes, and a balancer in front of the nodes.

All listen on 127.0.0.1, and run until they are stopped by their process id.
"""

import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "measure"))

from client import ROOT, TARGET, Server, contents, free_ports
from delivery_client import SECRET, chat_path

LESSON, ALONE = "lesson_20_scale_out", "lesson_18_delivery"
CAPSTONE = "lesson_24_capstone"
FOLDER = ROOT / "lessons" / LESSON
# What the capstone allows one person, which lesson 20 does not limit.
ROOMY = {
    "CHAT_MESSAGES_PER_SECOND": "100000",
    "CHAT_MESSAGE_BURST": "1000",
    "CHAT_OUTBOX_SIZE": "50000",
    "CHAT_MAX_CONNECTIONS_PER_USER": "800",
    "CHAT_SHUTDOWN_TIMEOUT": "2",
}
USER, PASSWORD = "chat", "p" + "0123456789abcdef" * 2
LEASE = 15.0  # Seconds after which the others may take a node for dead.
START = 20.0  # Seconds within which a process must be ready.
SKIPPED = 77
# How far the clocks of the nodes are from ours, in seconds. A fourth node would have that of the first.
CLOCKS = 50, 0, -50
# A library for LD_PRELOAD in which it is later, or earlier. The clock that runs forward alone is as it is.
OTHER_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*original)(clockid_t, struct timespec *);
    if (!original) original = dlsym(RTLD_NEXT, "clock_gettime");
    int result = original(clock, time);
    if (clock == CLOCK_REALTIME) time->tv_sec += atoi(getenv("CLOCK"));
    return result;
}
"""


def tool(name):
    """The path of a program that is no part of the course. A script finds or installs it."""
    found = subprocess.run([HERE / name], stdout=subprocess.PIPE, text=True)
    if found.returncode:
        sys.exit(found.returncode)  # It has said why.
    return found.stdout.strip()


def other_clock(folder):
    """The path of the library. None without cc."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(OTHER_CLOCK)
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return library


class Process(Server):
    """A process on a port of its own, which can be stopped, killed and started again."""

    def __init__(self, cluster, title, port):
        self.cluster, self.title, self.port = cluster, title, port
        self.process, self.is_paused = None, False
        self.began = 0.0  # When it was started, or went on after a pause.
        self.said_before = ""  # What it has said in its earlier lives.

    def __str__(self):
        return self.title

    def launch(self):
        if self.process:
            self.said_before += self.all_said()
        self.printed = tempfile.TemporaryFile()
        self.is_paused, self.began = False, time.monotonic()
        self.start_process()

    def start_process(self):
        """A command of another program."""
        command, env = self.command()
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=self.printed,
            stderr=self.errors,
        )

    def all_said(self):
        said = self.said_before
        for file in self.printed, self.errors:
            said += contents(file).decode(errors="replace")
        return said

    def runs(self):
        return self.process is not None and self.process.poll() is None and not self.is_paused

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def pause(self):
        self.signal(signal.SIGSTOP)
        self.is_paused = True

    def go_on(self):
        self.signal(signal.SIGCONT)
        self.is_paused, self.began = False, time.monotonic()

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process:
            self.kill()

    def get(self, path, timeout=2.0):
        """The status of a request, and its text. None if there is no answer."""
        try:
            status, _, text = self.ask("GET", path, timeout=timeout)
            return status, text
        except (OSError, http.client.HTTPException):
            return None

    def wait_until(self, holds, what):
        deadline = time.monotonic() + START
        while not holds():
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                why = f"has waited {START:.0f} s" if ended is None else f"has ended with {ended}"
                raise RuntimeError(f"{self} {why} and {what}: {self.all_said()[-2000:]}")
            time.sleep(0.05)


class Broker(Process):
    """A nats-server with JetStream, which keeps its data in a folder."""

    def __init__(self, cluster, number, port, ports):
        super().__init__(cluster, f"broker {number}", port)
        self.monitor, self.between = ports
        self.number = number
        self.data = cluster.folder / f"broker-{number}"
        self.config = cluster.folder / f"broker-{number}.conf"

    def configure(self):
        """The lesson's configuration, and what differs here."""
        text = (FOLDER / "nats.conf").read_text()
        text = text.replace("sync_interval: always", f"sync_interval: {self.cluster.sync}")
        text += f'\nserver_name: "broker-{self.number}"\n'
        if files := self.cluster.tls:
            text += f'tls {{ cert_file: "{files[0]}", key_file: "{files[1]}" }}\n'
        if len(self.cluster.brokers) > 1:
            routes = ", ".join(f'"nats://127.0.0.1:{it.between}"' for it in self.cluster.brokers)
            # A node must not learn the address of another broker from this one, and pass its relay.
            between = f"listen: 127.0.0.1:{self.between}, no_advertise: true"
            text += f"cluster {{ name: chat, {between}, routes: [{routes}] }}\n"
        self.config.write_text(text)

    def command(self):
        words = ["--addr", "127.0.0.1", "--port", self.port, "--http_port", self.monitor]
        env = {"NATS_PASSWORD": PASSWORD, "NATS_DATA": str(self.data)}
        return [self.cluster.nats, "-c", self.config, *map(str, words)], env

    def monitored(self, path):
        """What it says of itself."""
        client = http.client.HTTPConnection("127.0.0.1", self.monitor, timeout=2)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, ValueError, http.client.HTTPException):
            return None, {}
        finally:
            client.close()

    def is_ready(self):
        status, _ = self.monitored("/healthz")
        return status == 200

    def counted(self):
        """Messages and bytes that clients have sent and received, and the processor's time."""
        _, said = self.monitored("/varz")
        return {name: said[name] for name in ("in_msgs", "out_msgs", "in_bytes", "out_bytes")}


class Node(Process):
    """A program of the course, as one of several."""

    def __init__(self, cluster, number, port, relays):
        super().__init__(cluster, f"node {number}", port)
        self.number, self.package = number, cluster.program
        self.brokers = relays or [it.port for it in cluster.brokers]
        self.relay = Relay(cluster, number, relays) if relays else None
        self.env = {}  # What this node alone has.

    def start_process(self):
        self.start(self.printed, 8192, self.cluster.profile, self.settings())

    def settings(self):
        settings = {"ADDR": f"127.0.0.1:{self.port}", "JWT_SECRET": SECRET}
        if self.cluster.lesson == ALONE:
            settings["DATABASE"] = str(self.cluster.folder / f"node-{self.number}.db")
        else:
            scheme = "tls" if self.cluster.tls else "nats"
            urls = [f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{port}" for port in self.brokers]
            settings["NATS_URL"] = ",".join(urls)
            settings["NATS_REPLICAS"] = str(len(self.cluster.brokers))
        if self.cluster.lesson == CAPSTONE:
            settings = {f"CHAT_{name}": it for name, it in settings.items()} | ROOMY
        return {**settings, **self.cluster.env, **self.env}

    def path(self, room, name, **query):
        return chat_path(self.cluster.lesson, room, name, **query)

    def is_ready(self):
        answer = self.get(self.cluster.health)
        return answer is not None and answer[0] == 200

    def clock(self):
        """By how many seconds its clock is ahead of ours: each answer says what time it is."""
        _, headers, _ = self.ask("GET", self.cluster.health)
        ahead = parsedate_to_datetime(headers["Date"]).timestamp() - time.time()
        return int(round(ahead, -1))  # There is a second or so between it and us.

    def rooms(self):
        """How many members each room has, as this node knows it."""
        answer = self.get("/rooms")
        if answer is None or answer[0] != 200:
            return None
        return {it["room"]: it["members"] for it in json.loads(answer[1])}


class Relay(Process):
    """What is between a node and its brokers. While it is paused, neither can reach the other."""

    def __init__(self, cluster, number, ports):
        super().__init__(cluster, f"the relay of node {number}", ports[0])
        self.ways = [f"{port}:{it.port}" for port, it in zip(ports, cluster.brokers)]

    def command(self):
        return [sys.executable, HERE / "relay.py", *self.ways], {}

    def is_ready(self):
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0

    def reset(self):
        self.signal(signal.SIGUSR1)


class Balancer(Process):
    """HAProxy, with the lesson's configuration for as many nodes as there are."""

    def __init__(self, cluster, port):
        super().__init__(cluster, "the balancer", port)
        self.config = cluster.folder / "haproxy.cfg"

    path = Node.path

    def command(self):
        text = (FOLDER / "haproxy.cfg").read_text()
        own = [f'    server node-{it.number} "127.0.0.1:{it.port}"' for it in self.cluster.nodes]
        text, count = re.subn(r"(^    server .*\n)+", "\n".join(own) + "\n", text, flags=re.M)
        assert count == 1, "haproxy.cfg should name its servers in one place"
        self.config.write_text(text.replace("GET /ready", f"GET {self.cluster.health}"))
        env = {"BALANCER": f"127.0.0.1:{self.port}"}
        return [self.cluster.haproxy, "-db", "-f", self.config], env

    def is_ready(self):
        answer = self.get(self.cluster.health)
        return answer is not None and answer[0] == 200


class Cluster:
    """Brokers, nodes, and perhaps a balancer. All of it ends with the `with`."""

    def __init__(
        self,
        nodes,
        brokers=1,
        balancer=True,
        profile="debug",
        sync="always",
        lesson=LESSON,
        program=None,
        relays=False,
        clocks=False,
        tls=None,
        **env,
    ):
        self.profile, self.sync, self.lesson, self.env = profile, sync, lesson, env
        self.program = program or lesson  # Or the path of another build of it.
        self.tls = tls  # The broker's certificate and key, if it has any.
        # Lesson 18 has no `/ready`. It answers to anything, or to nothing.
        self.health = "/rooms" if lesson == ALONE else "/ready"
        brokers = 0 if lesson == ALONE else brokers
        self.nats = tool("nats") if brokers else None
        self.haproxy = tool("haproxy") if balancer else None
        TARGET.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="cluster-", dir=TARGET))
        relayed = brokers if relays else 0  # Ports of each node's relay.
        ports = free_ports(3 * brokers + nodes * (1 + relayed) + 1)
        self.brokers = [
            Broker(self, number, ports.pop(), (ports.pop(), ports.pop()))
            for number in range(1, brokers + 1)
        ]
        self.nodes = [
            Node(self, number, ports.pop(), [ports.pop() for _ in range(relayed)])
            for number in range(1, nodes + 1)
        ]
        self.balancer = Balancer(self, ports.pop()) if balancer else None
        if clocks and (library := other_clock(self.folder)):
            for node, offset in zip(self.nodes, itertools.cycle(CLOCKS)):
                node.env |= {"LD_PRELOAD": str(library), "CLOCK": str(offset)}

    def everything(self):
        relays = [it.relay for it in self.nodes if it.relay]
        return [*self.brokers, *relays, *self.nodes, *([self.balancer] if self.balancer else [])]

    def __enter__(self):
        try:
            for broker in self.brokers:
                broker.configure()
                broker.launch()
            for broker in self.brokers:
                broker.wait_until(broker.is_ready, "is not ready")
            for node in self.nodes:
                if node.relay:
                    node.relay.launch()
                    node.relay.wait_until(node.relay.is_ready, "does not listen")
                node.launch()
            for node in self.nodes:
                node.wait_until(node.is_ready, f"does not answer GET {self.health} with 200")
            if self.balancer:
                self.balancer.launch()
                self.balancer.wait_until(self.balancer.is_ready, "has no node that is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.everything()):
            process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
