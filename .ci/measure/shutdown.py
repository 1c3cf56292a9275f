"""Stops a server while five hundred clients are connected, and tells what they received.

Run: .ci/measure/shutdown, which builds the servers and installs what this needs. It ends
with 0 only if everything is as the book says.
"""

import asyncio
import json
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))

import websockets
from clients import Server
from websockets.exceptions import ConnectionClosed

PASSWORDS = {"ana": "ana-likes-tea", "ben": "ben-likes-jam", "cem": "cem-likes-figs"}
CLIENTS = 500
PATIENCE_OF_DOCKER = 10  # Seconds, then it kills. The capstone ends earlier.
PATIENCE = 30  # Seconds for anything that takes long with so many clients.

# Three people in each room: a name is taken once per room. In the capstone, one of them may
# talk until the connection of a client that does not read is full.
CAPSTONE = "lesson_24_capstone"
CAPSTONE_LIMITS = {
    "CHAT_MAX_CONNECTIONS_PER_USER": "200",
    "CHAT_MAX_ROOMS": "200",
    "CHAT_MAX_MEMBERS_PER_ROOM": "3",
    "CHAT_MESSAGES_PER_SECOND": "10000",
    "CHAT_MESSAGE_BURST": "1000",
    "CHAT_OUTBOX_SIZE": "4000",
}
SIGNAL_GAP = 0.6  # Seconds. A signal that comes sooner counts as the first one again.
LEFT_BEHIND = 3  # The exit code when somebody did not leave in time.

problems = []


def expect(what, is_so):
    if not is_so:
        problems.append(what)


def log_in(address, name):
    body = json.dumps({"username": name, "password": PASSWORDS[name]}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}/login", body, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())["token"]


class Client:
    """Reads whatever comes, and remembers the last thing that was said."""

    def __init__(self, name, socket):
        self.name = name
        self.socket = socket
        self.last = None
        self.leaves = 0
        self.heard = asyncio.Event()
        self.reading = asyncio.create_task(self.read())

    async def read(self):
        try:
            async for text in self.socket:
                message = json.loads(text)
                self.leaves += message["type"] == "user_left"
                if message["type"] == "chat":
                    self.last = message["content"]
                    if self.last == "last words":
                        self.heard.set()
        except ConnectionClosed:
            pass

    async def says(self, content):
        await self.socket.send(json.dumps({"type": "chat", "content": content}))

    def was_told(self):
        """Whether it got 1001, and the closing handshake was completed."""
        end = self.socket.protocol
        received, sent = end.close_rcvd, end.close_sent
        return sent is not None and received is not None and received.code == 1001


async def crowd(server):
    tokens = {name: log_in(server.address, name) for name in PASSWORDS}
    at_once = asyncio.Semaphore(50)

    async def enter(number):
        name = list(PASSWORDS)[number % 3]
        url = f"ws://{server.address}/ws/chat/room-{number // 3}?token={tokens[name]}"
        async with at_once:
            return Client(name, await websockets.connect(url, proxy=None))

    clients = await asyncio.gather(*(enter(number) for number in range(CLIENTS - 1)))
    return clients, tokens


async def stalled(server, token):
    """A client that never reads. Its neighbour talks until its connection is full."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    host, port = server.address.split(":")
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (host, int(port)))
    await loop.sock_sendall(
        connection,
        f"GET /ws/chat/stalled?token={token['ben']} HTTP/1.1\r\nHost: {server.address}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode(),
    )
    url = f"ws://{server.address}/ws/chat/stalled?token={token['ana']}"
    neighbour = Client("ana", await websockets.connect(url, proxy=None))
    for _ in range(800):
        await neighbour.says("🦀" * 2000)  # Eight kilobytes each.
    return connection, neighbour


async def run(lesson, limits, number, with_stalled):
    """Stops a lesson with a signal. Returns what became of its clients."""
    server = Server(lesson, **limits)
    clients, tokens = await crowd(server)
    connection = None
    if with_stalled:
        connection, neighbour = await stalled(server, tokens)
        clients[-1].reading.cancel()
        clients[-1].socket.transport.abort()
        clients[-1] = neighbour

    speakers = {}
    for client in clients:
        speakers.setdefault(client.socket.request.path.split("?")[0], client)
    await asyncio.gather(*(client.says("last words") for client in speakers.values()))
    # Whoever hears itself was heard by the server. The others may still have to read.
    heard = (client.heard.wait() for client in speakers.values())
    await asyncio.wait_for(asyncio.gather(*heard), PATIENCE)

    leaves = sum(client.leaves for client in clients)
    server.process.send_signal(number)
    start = time.monotonic()
    code = await asyncio.wait_for(asyncio.to_thread(server.process.wait), PATIENCE)
    took = time.monotonic() - start
    await asyncio.wait_for(asyncio.gather(*(client.reading for client in clients)), PATIENCE)

    printed = server.output()
    server.stop()
    if connection:
        connection.close()
    return {
        "readers": len(clients),
        "delivered": sum(client.last == "last words" for client in clients),
        "told": sum(client.was_told() for client in clients),
        "dropped": sum(client.socket.close_code == 1006 for client in clients),
        "leaves": sum(client.leaves for client in clients) - leaves,
        "seconds": took,
        "code": code,
        "panicked": "panicked" in printed,
    }


def tell(title, end):
    print(title)
    print(f"  heard the last words: {end['delivered']} of {end['readers']}")
    print(f"  1001, a clean close:  {end['told']} of {end['readers']}")
    print(f"  1006, no Close at all: {end['dropped']} of {end['readers']}")
    print(f"  the program ended after {end['seconds']:.2f} s, with {end['code']}", flush=True)


async def stop_crowds():
    end = await run("lesson_08_auth", {}, signal.SIGTERM, with_stalled=True)
    tell(f"lesson_08_auth, SIGTERM, {CLIENTS} clients, one of them stalled:", end)
    expect("lesson 08 should send no Close", end["told"] == 0)
    expect("lesson 08 should drop every connection", end["dropped"] == end["readers"])

    for lesson, limits in [("lesson_13_shutdown", {}), (CAPSTONE, CAPSTONE_LIMITS)]:
        for number, with_stalled in [(signal.SIGTERM, True), (signal.SIGINT, False)]:
            await stop_crowd(lesson, limits, number, with_stalled)


async def stop_crowd(lesson, limits, number, with_stalled):
    end = await run(lesson, limits, number, with_stalled)
    name = f"{lesson}, {number.name}"
    readers = end["readers"]
    who = f"{CLIENTS} clients, one of them stalled"
    if not with_stalled:
        who = f"{end['readers']} clients, all of them reading"
    tell(f"{name}, {who}:", end)
    expect(f"{name}: all should hear the last words", end["delivered"] == end["readers"])
    expect(f"{name}: all should get 1001, cleanly", end["told"] == end["readers"])
    code = LEFT_BEHIND if with_stalled else 0
    expect(f"{name}: the exit code should be {code}", end["code"] == code)
    expect(f"{name}: the server should not panic", not end["panicked"])
    expect(f"{name}: nobody should hear who leaves", end["leaves"] == 0)
    limit = PATIENCE_OF_DOCKER if with_stalled else 6  # Less than the time-out of the server.
    expect(f"{name}: it should end within {limit} s", end["seconds"] < limit)


async def ask_twice():
    """One signal begins the delay, the next one ends it."""
    server = Server(CAPSTONE, **CAPSTONE_LIMITS, CHAT_SHUTDOWN_DELAY="60")
    token = await asyncio.to_thread(log_in, server.address, "ana")
    url = f"ws://{server.address}/ws/chat/rust?token={token}"
    client = await websockets.connect(url, proxy=None)

    ready = [await asyncio.to_thread(ask, server.address)]
    server.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while (now := await asyncio.to_thread(ask, server.address)) == ready[0]:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.01)
    ready.append(now)
    await asyncio.sleep(SIGNAL_GAP)
    server.process.send_signal(signal.SIGTERM)
    start = time.monotonic()
    code = await asyncio.wait_for(asyncio.to_thread(server.process.wait), PATIENCE)
    took = time.monotonic() - start
    ready.append(await asyncio.to_thread(ask, server.address))
    server.stop()
    client.transport.abort()

    print(f"GET /ready before, during and after the delay: {ready}")
    print(f"two signals: the program ended after {took:.2f} s, with {code}", flush=True)
    expect("ready, stopping, and a closed port", ready == ["200 ready", "503 stopping", None])
    expect("two signals end at once", took < 5 and code == 1)


def ask(address):
    """What GET /ready says, or None if nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}/ready", timeout=PATIENCE) as answer:
            return f"{answer.status} {answer.read().decode()}"
    except urllib.error.HTTPError as answer:
        with answer:
            return f"{answer.code} {answer.read().decode()}"
    except OSError:
        return None


def fail_to_start():
    """A start that fails never opens the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        server = Server(CAPSTONE, CHAT_ADDR=f"127.0.0.1:{port}", CHAT_JWT_SECRET="short")
        server.stop()
        said = "an address"
    except RuntimeError as error:
        said = str(error)
    print(f"a start with a short secret: {said}")
    expect("it says why, and opens no port", "CHAT_JWT_SECRET has 5 bytes" in said and "http" not in said)


asyncio.run(stop_crowds())
asyncio.run(ask_twice())
fail_to_start()
for problem in problems:
    print(f"NOT AS THE BOOK SAYS: {problem}.")
sys.exit(bool(problems))
