"""Talks to the lessons through a client that we did not write: Python's websockets.

Run: .ci/interop/clients, which installs what this needs. Part of it:

    python clients.py -k Lesson07

INTEROP_FRONT=HOST:PORT names who has a way to each server, such as a proxy: see Front in
.ci/edge/edge.py.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from unittest.mock import ANY
from urllib.parse import quote

import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

LESSONS = [
    "lesson_01_echo",
    "lesson_02_disconnect",
    "lesson_03_connection_manager",
    "lesson_04_path_params",
    "lesson_05_query_params",
    "lesson_06_json",
    "lesson_07_rooms",
    "lesson_08_auth",
    "lesson_09_heartbeat",
    "lesson_10_rate_limit",
    "lesson_11_connection_limits",
    "lesson_12_slow_clients",
    "lesson_13_shutdown",
]

PATIENCE = 10  # Seconds that we wait for anything, unless it says so.
MAX_MESSAGE_SIZE = 64 * 1024  # The longest message that a lesson accepts, in bytes.

# The servers are here, whatever proxy this machine has.
os.environ["NO_PROXY"] = "127.0.0.1,localhost"

FRONT = os.environ.pop("INTEROP_FRONT", None)


class Way:
    """How clients reach a server that is about to start."""

    def __init__(self):
        self.url, self.env, self.connection = None, {}, None
        if FRONT:
            host, port = FRONT.split(":")
            self.connection = socket.create_connection((host, int(port)), 3 * PATIENCE)
            with self.connection.makefile() as answer:
                way = json.loads(answer.readline())
            self.url, self.env = way["url"], way["env"]

    def end(self):
        """The way lasts as long as this connection."""
        if self.connection:
            self.connection.close()


class Server:
    """A lesson that runs, and what it prints."""

    running = set()

    def __init__(self, lesson, **env):
        program = TARGET / "debug" / lesson
        if not program.exists():
            raise FileNotFoundError(f"{program} is missing: cargo build -p {lesson}")

        self.way = Way()
        self.printed = tempfile.NamedTemporaryFile("r", prefix=lesson, encoding="utf-8")
        with open(self.printed.name, "w") as output:
            self.process = subprocess.Popen(
                [program],
                env=os.environ | {"ADDR": "127.0.0.1:0"} | self.way.env | env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        Server.running.add(self)
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(r"http://\S+", self.output())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{lesson} says no address: {self.output()!r}")
            time.sleep(0.01)
        self.url = self.way.url or found[0]
        self.ws_url = self.url.replace("http", "ws", 1)
        self.address = self.url.split("//")[1]
        # Where its own pages come from, as it sees it. That they came over TLS is told by
        # proxies, and believed from lesson 22 on.
        self.origin = self.url if lesson == "lesson_22_edge" else f"http://{self.address}"

    def dial(self):
        """A TCP connection for which the kernel keeps little that was not read."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(self.address.split(":")[1])))
        return connection

    def output(self):
        return Path(self.printed.name).read_text(encoding="utf-8")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.way.end()
        Server.running.discard(self)


def give_up(*_):
    """Somebody tells us to stop. No server shall outlive us."""
    for server in list(Server.running):
        server.stop()
    os._exit(1)


signal.signal(signal.SIGTERM, give_up)


class Conversation(unittest.IsolatedAsyncioTestCase):
    """A test with a server of its own, and the words in which to tell it."""

    lesson = None
    env = {}

    async def asyncSetUp(self):
        self.server = Server(self.lesson, **self.env)
        self.addCleanup(self.server.stop)

    async def asyncTearDown(self):
        self.assertNotIn("panicked", self.server.output(), "a server never panics")
        self.assertIsNone(self.server.process.poll(), "the server is still there")

    async def connect(self, path, **options):
        url = self.server.ws_url + path
        client = await self.soon(websockets.connect(url, **options), f"an upgrade at {path}")
        self.addCleanup(drop, client)
        await self.is_served(client)
        return client

    async def is_served(self, client):
        """Waits until the server listens to this client, or has closed it. The 101 comes
        earlier: whoever counts on it can be overtaken by the next one who comes in."""
        with contextlib.suppress(ConnectionClosed):
            pong = await client.ping()
            await self.soon(pong, "a pong after the upgrade")

    async def soon(self, what, title, patience=PATIENCE):
        try:
            return await asyncio.wait_for(what, patience)
        except TimeoutError:
            sentence = f"waited {patience} s for {title}, and it did not come"
            raise self.failureException(sentence) from None

    async def hears(self, client, expected):
        """The next message is this one: text, bytes, or a dict for a JSON object."""
        try:
            heard = await self.soon(client.recv(), repr(expected))
        except ConnectionClosed as end:
            sentence = f"waited for {expected!r}, but the connection ended: {end}"
            raise self.failureException(sentence) from None
        if isinstance(expected, dict):
            heard = json.loads(heard)
        self.assertEqual(heard, expected)

    async def is_closed(self, client, code, reason=ANY):
        """The next thing that happens is a Close from the server."""
        try:
            heard = await self.soon(client.recv(), f"a Close with {code}")
        except ConnectionClosed:
            self.assertEqual((client.close_code, client.close_reason), (code, reason))
        else:
            self.fail(f"waited for a Close with {code}, but heard {heard!r}")

    async def is_rejected(self, path, status, sentence, retry_after=None, **options):
        """The server answers with a status and a sentence, and there is no upgrade."""
        try:
            await self.connect(path, **options)
        except InvalidStatus as rejection:
            body = rejection.response.body.decode()
            self.assertEqual(rejection.response.status_code, status, f"it said {body!r}")
            self.assertRegex(body, sentence)
            self.assertEqual(rejection.response.headers.get("Retry-After"), retry_after)
        else:
            self.fail(f"{path} should be rejected with {status}, but we are in")

    async def leaves(self, client):
        """Closes with 1000. The server must answer, or else this would be a 1006."""
        await self.soon(client.close(), "the answer to our Close")
        self.assertEqual(client.close_code, 1000)

    async def http(self, path, **options):
        """Returns status, headers and body of a plain request."""

        def ask():
            request = urllib.request.Request(self.server.url + path, **options)
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    return answer.status, answer.headers, answer.read().decode()
            except urllib.error.HTTPError as answer:
                with answer:
                    return answer.code, answer.headers, answer.read().decode()

        return await asyncio.to_thread(ask)

    async def eventually(self, ask, expected):
        """For what the server does after it has let a client go."""
        deadline = time.monotonic() + PATIENCE
        while (answer := await ask()) != expected and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        self.assertEqual(answer, expected)


def drop(client):
    """Drops the connection without a Close."""
    client.transport.abort()


def reset(client):
    """Drops the connection with a TCP reset."""
    at_once = struct.pack("ii", 1, 0)  # Linger, for 0 seconds.
    connection = client.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    client.transport.abort()


UNMASKED = b"\x81\x02hi"
NOT_UTF_8 = b"\x81\x81\0\0\0\0\xff"
CLOSE_WITHOUT_A_CODE = b"\x88\x80\0\0\0\0"


def writes(client, frame):
    """Sends bytes that the client's library would not send."""
    client.transport.write(frame)


class EveryLesson:
    """What holds in all lessons. `enter` brings one client in."""

    async def enter(self, **options):
        raise NotImplementedError

    async def gets_through(self, client, text):
        """Says something, and makes sure that it arrived as one message."""
        raise NotImplementedError

    async def test_a_ping_is_answered_with_a_pong(self):
        ana = await self.enter()

        pong = await self.soon(ana.ping(b"are you there?"), "the ping to leave")

        await self.soon(pong, "the pong")

    async def test_a_close_is_answered_with_a_close(self):
        ana = await self.enter()

        await self.leaves(ana)

    async def test_a_code_of_the_clients_own_comes_back_to_it(self):
        ana = await self.enter()

        await self.soon(ana.close(3001, "lunch"), "the answer to our Close")

        self.assertEqual(ana.close_code, 3001)

    async def test_a_message_in_fragments_is_one_message(self):
        ana = await self.enter()

        await self.gets_through(ana, ["still ", "he", "", "re?"])

    async def test_a_ping_between_two_fragments_does_no_harm(self):
        ana = await self.enter()

        async def fragments():
            yield "still "
            await self.soon(await ana.ping(), "the pong between the fragments")
            yield "here?"

        await self.gets_through(ana, fragments())

    async def test_keepalive_pings_are_answered(self):
        ana = await self.enter(ping_interval=0.2, ping_timeout=2)

        await asyncio.sleep(1.1)

        self.assertGreater(ana.latency, 0, "pongs should have come")
        await self.gets_through(ana, "still here?")

    async def test_compression_is_declined(self):
        ana = await self.enter(compression="deflate")

        self.assertIn("permessage-deflate", ana.request.headers["Sec-WebSocket-Extensions"])
        self.assertNotIn("Sec-WebSocket-Extensions", ana.response.headers)
        self.assertEqual(ana.protocol.extensions, [])


class EveryLessonWithCodes(EveryLesson):
    """What holds from lesson 06 on."""

    async def test_a_protocol_violation_is_closed_with_its_code(self):
        async def violates(act, code):
            client = await self.enter()
            await act(client)
            await self.is_closed(client, code)

        async def too_long(client, size):
            try:
                await client.send("x" * size)
            except ConnectionClosed:
                pass  # The Close came before it had written everything.

        async def write(client, frame):
            writes(client, frame)

        await violates(lambda client: too_long(client, MAX_MESSAGE_SIZE + 1), 1009)
        await violates(lambda client: too_long(client, 1024 * 1024), 1009)
        await violates(lambda client: write(client, UNMASKED), 1002)
        await violates(lambda client: write(client, NOT_UTF_8), 1007)


class Lesson01(EveryLesson, Conversation):
    lesson = "lesson_01_echo"

    async def enter(self, **options):
        return await self.connect("/ws", **options)

    async def gets_through(self, client, text):
        await client.send(text)
        await self.hears(client, "Echo: still here?")

    async def test_text_comes_back_as_an_echo(self):
        ana = await self.connect("/ws")

        await ana.send("Grüß dich 👋")

        await self.hears(ana, "Echo: Grüß dich 👋")

    async def test_binary_comes_back_byte_for_byte(self):
        ana = await self.connect("/ws")
        everything = bytes(range(256))

        await ana.send(everything)

        await self.hears(ana, everything)

    async def test_a_message_of_the_longest_size_comes_back_and_a_longer_one_ends_it(self):
        ana = await self.connect("/ws")

        await ana.send(b"x" * MAX_MESSAGE_SIZE)
        await self.hears(ana, b"x" * MAX_MESSAGE_SIZE)
        await ana.send(b"x" * (MAX_MESSAGE_SIZE + 1))

        await self.is_closed(ana, 1006)

    async def test_a_plain_request_is_rejected_with_a_sentence(self):
        status, _, body = await self.http("/ws")

        self.assertEqual(status, 400)
        self.assertIn("upgrade", body)


class Lesson01Starts(unittest.TestCase):
    def start(self, addr):
        return subprocess.run(
            [TARGET / "debug/lesson_01_echo"],
            env=os.environ | {"ADDR": addr},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def ends_with_one_sentence(self, end, sentence):
        self.assertEqual(end.returncode, 1)
        self.assertEqual(end.stdout, "")
        self.assertRegex(end.stderr, rf"\A{sentence}\n\Z")

    def test_a_taken_port_gives_one_sentence(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            end = self.start(f"127.0.0.1:{port}")

        # A far one: Windows reserves whole ranges of ports.
        other = 28_000 if abs(port - 18_000) <= 1000 else 18_000
        self.ends_with_one_sentence(
            end, f"Port {port} is taken: .* another port: ADDR=127.0.0.1:{other} cargo run …"
        )

    def test_an_address_that_is_none_gives_one_sentence(self):
        for nonsense in ["nonsense", "127.0.0.1", "127.0.0.1:99999", ""]:
            with self.subTest(nonsense):
                end = self.start(nonsense)

                self.ends_with_one_sentence(end, f'ADDR is "{nonsense}", but should be .*')


class Lesson02(EveryLesson, Conversation):
    lesson = "lesson_02_disconnect"

    async def enter(self, **options):
        return await self.connect("/ws", **options)

    async def gets_through(self, client, text):
        await client.send(text)
        await self.hears(client, "Echo: still here?")

    async def count(self):
        return (await self.http("/connections"))[2]

    async def test_bye_gets_a_goodbye(self):
        ana = await self.connect("/ws")

        await ana.send("bye")

        await self.is_closed(ana, 1000, "Goodbye!")

    async def test_binary_comes_back_byte_for_byte(self):
        ana = await self.connect("/ws")

        await ana.send(b"\0\xff")

        await self.hears(ana, b"\0\xff")

    async def test_the_log_says_how_each_connection_ended_and_the_count_follows(self):
        too_long = "x" * (MAX_MESSAGE_SIZE + 1)
        ways = [
            ("ByClient(Some(1000))", lambda client: client.close()),
            ("ByClient(Some(3001))", lambda client: client.close(3001, "lunch")),
            ("ByClient(None)", CLOSE_WITHOUT_A_CODE),
            ("Lost", drop),
            ("Lost", reset),
            ("Lost", UNMASKED),
            ("Lost", NOT_UTF_8),
            ("Lost", lambda client: client.send(too_long)),
            ('ByUs(1000, "Goodbye!")', lambda client: client.send("bye")),
        ]
        for disconnect, way in ways:
            with self.subTest(disconnect):
                client = await self.connect("/ws")
                await self.gets_through(client, "still here?")
                self.assertEqual(await self.count(), "1")
                before = len(self.server.output())

                if isinstance(way, bytes):
                    writes(client, way)
                elif (leaving := way(client)) is not None:
                    await self.soon(leaving, "the client to leave")

                async def logged():
                    """Without the time, the level and the module."""
                    return re.sub(r"(?m)^\S+ +INFO [\w:]+: ", "", self.server.output()[before:])

                await self.eventually(logged, f"client disconnected disconnect={disconnect}\n")
                await self.eventually(self.count, "0")


class Lesson03(EveryLesson, Conversation):
    lesson = "lesson_03_connection_manager"

    async def enter(self, **options):
        client = await self.connect("/ws", **options)
        self.number = getattr(self, "number", 0) + 1
        await self.hears(client, f"You are client {self.number}.")
        return client

    async def gets_through(self, client, text):
        listener = await self.enter()
        await client.send(text)
        await self.hears(listener, "Client 1: still here?")

    async def test_clients_hear_each_other_come_speak_and_go(self):
        ana = await self.enter()
        ben = await self.enter()
        await self.hears(ana, "Client 2 joined.")

        await ana.send("hi")
        await self.hears(ben, "Client 1: hi")
        await ben.send("hello")
        await self.hears(ana, "Client 2: hello")
        await self.leaves(ben)
        await self.hears(ana, "Client 2 left.")

    async def test_a_client_whose_connection_is_lost_has_left_too(self):
        ana = await self.enter()
        for number, way in [(2, drop), (3, reset)]:
            ben = await self.enter()
            await self.hears(ana, f"Client {number} joined.")

            way(ben)

            await self.hears(ana, f"Client {number} left.")

    async def test_a_binary_message_is_no_reason_to_leave(self):
        ana = await self.enter()
        await ana.send(b"\0\xff")

        await self.gets_through(ana, "still here?")


class Lesson04(EveryLesson, Conversation):
    lesson = "lesson_04_path_params"

    async def enter(self, client_id=7, **options):
        client = await self.connect(f"/ws/{client_id}", **options)
        await self.hears(client, f"You are client {client_id}.")
        return client

    async def gets_through(self, client, text):
        listener = await self.enter(8)
        await client.send(text)
        await self.hears(listener, "Client 7: still here?")

    async def test_clients_bring_their_numbers(self):
        ana = await self.enter(7)
        ben = await self.enter(12)
        await self.hears(ana, "Client 12 joined.")

        await ben.send("hi")

        await self.hears(ana, "Client 12: hi")

    async def test_an_id_that_is_no_number_is_rejected_with_400(self):
        for path in ["/ws/abc", "/ws/-1", "/ws/7.5", "/ws/99999999999"]:
            await self.is_rejected(path, 400, "A client id is a whole number")

    async def test_an_id_in_use_is_rejected_with_409_until_its_owner_leaves(self):
        for way in [self.leaves, drop]:
            ana = await self.enter(7)
            await self.is_rejected("/ws/7", 409, "Client 7 is connected already")
            await ana.send("I am still here")

            if (leaving := way(ana)) is not None:
                await leaving

            await self.eventually(lambda: self.is_free("/ws/7"), True)

    async def is_free(self, path):
        try:
            client = await self.connect(path)
        except InvalidStatus:
            return False
        await self.leaves(client)
        return True


class Lesson05(EveryLesson, Conversation):
    lesson = "lesson_05_query_params"

    async def enter(self, client_id=7, query="token=let-me-in", **options):
        client = await self.connect(f"/ws/{client_id}?{query}", **options)
        await self.hears(client, f"You are client {client_id}.")
        return client

    async def gets_through(self, client, text):
        await client.send(text)
        await self.hears(client, "Client 7: still here?")

    async def test_nobody_comes_in_without_the_token(self):
        await self.is_rejected("/ws/7", 401, "token")
        await self.is_rejected("/ws/7?token=wrong", 401, "token")
        await self.is_rejected("/ws/7?token=", 401, "token")
        await self.is_rejected("/ws/abc", 401, "token")

    async def test_an_impossible_path_or_query_is_rejected_with_400(self):
        await self.is_rejected("/ws/abc?token=let-me-in", 400, "A client id is a whole number")
        await self.is_rejected("/ws/7?token=let-me-in&echo=perhaps", 400, "echo")

    async def test_an_id_in_use_is_rejected_with_409(self):
        await self.enter(7)

        await self.is_rejected("/ws/7?token=let-me-in", 409, "Client 7 is connected already")

    async def test_with_echo_off_one_does_not_hear_oneself(self):
        ana = await self.enter(7, "token=let-me-in&echo=false")
        ben = await self.enter(8)
        await self.hears(ana, "Client 8 joined.")

        await ana.send("hi")
        await self.hears(ben, "Client 7: hi")
        await ben.send("hello")

        await self.hears(ana, "Client 8: hello")
        await self.hears(ben, "Client 8: hello")

    async def test_the_polite_path_says_why_it_closes(self):
        for query in ["", "?token=wrong"]:
            eve = await self.connect(f"/ws/7/polite{query}")
            await self.is_closed(eve, 4001)
            self.assertRegex(eve.close_reason, "token")

        ana = await self.connect("/ws/7/polite?token=let-me-in")
        await self.hears(ana, "You are client 7.")


def chat(sender, content, **others):
    message = {"type": "chat", "from": sender, "content": content, "timestamp": ANY}
    return message | others


PONG = {"type": "pong"}


class EveryLessonWithJson(EveryLessonWithCodes):
    """What holds from lesson 06 on. `enter` takes a name, `others` are in `chat`."""

    others = {}

    async def says(self, client, **message):
        await client.send(json.dumps(message, ensure_ascii=False))

    async def gets_through(self, client, text):
        # `text` is whole or comes in parts; either way it is the content of a chat.
        async def parts():
            yield '{"type":"chat","content":"'
            if isinstance(text, str):
                yield text
            elif isinstance(text, list):
                for part in text:
                    yield part
            else:
                async for part in text:
                    yield part
            yield '"}'

        await client.send(parts())
        await self.hears(client, chat("ana", "still here?", **self.others))

    async def is_told_off(self, client, message, sentence):
        """The client says `message`, hears an error, and may go on."""
        await client.send(message)
        heard = json.loads(await self.soon(client.recv(), f"an error that says {sentence}"))
        self.assertEqual(heard, {"type": "error", "message": ANY})
        self.assertRegex(heard["message"], sentence)

        await self.says(client, type="ping")
        await self.hears(client, PONG)

    async def test_people_hear_each_other_come_speak_and_go(self):
        ana = await self.enter("ana")
        ben = await self.enter("ben")
        await self.hears(ana, {"type": "user_joined", "username": "ben"})

        await self.says(ben, type="chat", content="  Grüß dich 👋 \n")
        await self.hears(ana, chat("ben", "Grüß dich 👋", **self.others))
        await self.hears(ben, chat("ben", "Grüß dich 👋", **self.others))
        await self.leaves(ben)
        await self.hears(ana, {"type": "user_left", "username": "ben"})

    async def test_a_timestamp_is_rfc_3339_in_utc_and_now(self):
        ana = await self.enter("ana")

        await self.says(ana, type="chat", content="what time is it?")

        heard = json.loads(await self.soon(ana.recv(), "the chat"))
        self.assertRegex(heard["timestamp"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z")
        told = datetime.fromisoformat(heard["timestamp"])
        self.assertLess(abs((datetime.now(timezone.utc) - told).total_seconds()), PATIENCE)

    async def test_bad_input_is_answered_and_not_punished(self):
        ana = await self.enter("ana")
        ben = await self.enter("ben")
        await self.hears(ana, {"type": "user_joined", "username": "ben"})

        for message, sentence in [
            ("hello", "JSON object"),
            ("[]", "JSON object"),
            ("", "JSON object"),
            ('{"type":"chat"', "not valid JSON"),
            ('{"content":"hi"}', "type"),
            ('{"type":7}', "type"),
            (
                '{"type":"shout","content":"hi"}',
                "^unknown variant `shout`, expected `chat` or `ping`",
            ),
            ('{"type":"chat"}', "content"),
            ('{"type":"chat","content":7}', "string"),
            ('{"type":"chat","content":" \\n "}', "empty"),
            (json.dumps({"type": "chat", "content": "x" * 2001}), "2001.*2000"),
            (json.dumps({"type": "chat", "content": "x" * 60_000}), "bytes|characters"),
            (b"binary", "binary"),
        ]:
            with self.subTest(str(message)[:40]):
                await self.is_told_off(ana, message, sentence)

        await self.says(ben, type="ping")
        await self.hears(ben, PONG)

    async def test_two_thousand_characters_are_fine_in_both_spellings_of_json(self):
        ana = await self.enter("ana")
        longest = {"type": "chat", "content": "👋" * 2000}

        # As they are, or as "\ud83d\udc4b", which is what Python writes by default.
        for ensure_ascii in [False, True]:
            with self.subTest(ensure_ascii=ensure_ascii):
                await ana.send(json.dumps(longest, ensure_ascii=ensure_ascii))
                await self.hears(ana, chat("ana", longest["content"], **self.others))

    async def test_a_taken_name_is_closed_with_4009_until_its_owner_leaves(self):
        ana = await self.enter("ana")
        second = await self.enter("ana")
        await self.is_closed(second, 4009)
        self.assertRegex(second.close_reason, "name")
        await self.says(ana, type="ping")
        await self.hears(ana, PONG)

        await self.leaves(ana)

        third = await self.enter("ana")
        await self.says(third, type="ping")
        await self.hears(third, PONG)

    async def test_everybody_hears_one_order(self):
        ana, ben, cem = [await self.enter(name) for name in ["ana", "ben", "cem"]]
        for _ in range(2):
            await self.soon(ana.recv(), "somebody to join")
        await self.soon(ben.recv(), "Cem to join")

        async def talk(client):
            for number in range(50):
                await self.says(client, type="chat", content=str(number))

        async def listen(client):
            heard = [json.loads(await client.recv()) for _ in range(150)]
            return [(message["from"], message["content"]) for message in heard]

        everybody = [ana, ben, cem]
        tasks = [talk(client) for client in everybody] + [listen(client) for client in everybody]
        *_, first, second, third = await self.soon(asyncio.gather(*tasks), "150 messages")

        self.assertEqual(first, second)
        self.assertEqual(first, third)
        for name in ["ana", "ben", "cem"]:
            said = [content for sender, content in first if sender == name]
            self.assertEqual(said, [str(number) for number in range(50)])


class Lesson06(EveryLessonWithJson, Conversation):
    lesson = "lesson_06_json"

    async def enter(self, name="ana", **options):
        return await self.connect(f"/ws/{name}", **options)

    async def test_an_impossible_name_is_rejected_with_400(self):
        for name in ["no%20spaces", "x" * 21, "a.b", "%2F"]:
            await self.is_rejected(f"/ws/{name}", 400, "a name has 1 to 20 letters")
        # A proxy need not pass this on: nginx answers it by itself.
        others = "|400 Bad Request" if FRONT else ""
        await self.is_rejected("/ws/%00", 400, f"a name has 1 to 20 letters{others}")

    async def test_names_of_every_script_are_welcome_and_compared_in_nfc(self):
        for name in ["प्रिया", "தமிழ்", "ภาษาไทย", "Zoë"]:
            await self.says(client := await self.enter(quote(name)), type="ping")
            await self.hears(client, PONG)
            await self.leaves(client)

        await self.enter(quote("Jos\N{LATIN SMALL LETTER E WITH ACUTE}"))
        second = await self.enter(quote("Jose\N{COMBINING ACUTE ACCENT}"))
        await self.is_closed(second, 4009)


class Lesson07(EveryLessonWithJson, Conversation):
    lesson = "lesson_07_rooms"
    others = {"room": "rust"}

    async def enter(self, name="ana", room="rust", **options):
        return await self.connect(f"/ws/chat/{room}/{name}", **options)

    async def rooms(self):
        return json.loads((await self.http("/rooms"))[2])

    async def test_the_name_of_a_room_is_compared_in_nfc(self):
        ana = await self.enter("ana", quote("Caf\N{LATIN SMALL LETTER E WITH ACUTE}"))

        await self.enter("ben", quote("Cafe\N{COMBINING ACUTE ACCENT}"))

        await self.hears(ana, {"type": "user_joined", "username": "ben"})

    async def test_an_impossible_name_is_rejected_with_400(self):
        for path in ["rust/no%20spaces", f"rust/{'x' * 21}", "a.b/ana", f"{'x' * 41}/ana"]:
            await self.is_rejected(f"/ws/chat/{path}", 400, "a name has 1 to [24]0 letters")

    async def test_rooms_do_not_hear_each_other(self):
        ana = await self.enter("ana", "rust")
        ben = await self.enter("ben", "go")
        other_ana = await self.enter("ana", "go")
        await self.hears(ben, {"type": "user_joined", "username": "ana"})

        await self.says(ana, type="chat", content="hello, rust")
        await self.hears(ana, chat("ana", "hello, rust", room="rust"))
        await self.says(other_ana, type="chat", content="hello, go")

        await self.hears(ben, chat("ana", "hello, go", room="go"))
        await self.hears(other_ana, chat("ana", "hello, go", room="go"))
        await self.leaves(other_ana)
        await self.says(ana, type="ping")
        await self.hears(ana, PONG)

    async def test_the_list_of_rooms_is_exact(self):
        self.assertEqual(await self.rooms(), [])
        ana = await self.enter("ana", "rust")
        ben = await self.enter("ben", "rust")
        await self.hears(ana, {"type": "user_joined", "username": "ben"})
        cem = await self.enter("cem", "go")
        go, rust = {"room": "go", "members": 1}, {"room": "rust", "members": 2}
        await self.eventually(self.rooms, [go, rust])

        drop(cem)
        await self.eventually(self.rooms, [rust])
        reset(ben)
        await self.eventually(self.rooms, [rust | {"members": 1}])
        await self.leaves(ana)
        await self.eventually(self.rooms, [])

    async def outruns(self, silence):
        """Ana and Ben chat until Cem, who does not read, is removed.

        `silence` is how long he does not read after that, in seconds.
        """
        ana = await self.enter("ana")
        ben = await self.enter("ben")
        await self.hears(ana, {"type": "user_joined", "username": "ben"})
        # A client that takes nothing out of its queue soon stops to read.
        cem = await self.enter("cem", sock=self.server.dial(), max_queue=1)
        for client in [ana, ben]:
            await self.hears(client, {"type": "user_joined", "username": "cem"})
        await self.eventually(self.rooms, [{"room": "rust", "members": 3}])

        # They take turns, and each waits until both have heard all of the last turn. So
        # nobody but Cem falls behind.
        heard = {ana: [], ben: []}
        said, turn = [], 20
        left = {"type": "user_left", "username": "cem"}
        while left not in heard[ana] and len(said) < 2500:
            for name, speaker in [("ana", ana), ("ben", ben)]:
                for number in range(len(said), len(said) + turn):
                    content = f"{number} {'👋' * 1900}"
                    said.append(chat(name, content, room="rust"))
                    await self.says(speaker, type="chat", content=content)
                for listener in [ana, ben]:
                    while sum(message != left for message in heard[listener]) < len(said):
                        message = await self.soon(listener.recv(), f"message {number}")
                        heard[listener].append(json.loads(message))
                        self.assertNotIn('"error"', message)

        # His connection is given up when a write to him has taken ten seconds.
        for listener in [ana, ben]:
            while left not in heard[listener]:
                message = await self.soon(listener.recv(), "that Cem left", 15)
                heard[listener].append(json.loads(message))

        for listener in [ana, ben]:
            self.assertEqual(heard[listener].count(left), 1, "both hear once that Cem left")
            chats = [message for message in heard[listener] if message != left]
            self.assertEqual(chats, said, "both hear everything, in order")
        self.assertEqual(heard[ana].index(left), heard[ben].index(left), "in one order")
        self.assertEqual(await self.rooms(), [{"room": "rust", "members": 2}])

        await asyncio.sleep(silence)
        late = []
        with self.assertRaises(ConnectionClosed):
            while True:
                late.append(json.loads(await self.soon(cem.recv(), "what was sent to him")))

        self.assertEqual((cem.close_code, cem.close_reason), (4008, "too slow"))
        self.assertGreater(len(late), 0)
        self.assertEqual(late, said[: len(late)], "what reached Cem has no gap")
        self.assertLess(len(late), len(said), "and he missed the rest")

        await self.says(ana, type="chat", content="where is Cem?")
        await self.hears(ben, chat("ana", "where is Cem?", room="rust"))

    async def test_a_client_that_stops_reading_is_removed_and_finds_4008(self):
        await self.outruns(silence=0)

    async def test_a_client_that_reads_again_after_a_while_finds_4008_too(self):
        await self.outruns(silence=5)


def signed(secret, header=None, **claims):
    """A JSON Web Token, made without any library."""

    def encode(part):
        raw = part if isinstance(part, bytes) else json.dumps(part).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    head = encode(header or {"alg": "HS256", "typ": "JWT"})
    signing_input = f"{head}.{encode(claims)}"
    signature = hmac.digest(secret.encode(), signing_input.encode(), hashlib.sha256)
    return f"{signing_input}.{encode(signature)}"


class Lesson08(EveryLessonWithJson, Conversation):
    lesson = audience = "lesson_08_auth"
    others = {"room": "rust"}
    passwords = {"ana": "ana-likes-tea", "ben": "ben-likes-jam", "cem": "cem-likes-figs"}
    foreign_page = "Pages of this origin may not connect"
    secret = "a secret that only these tests know"
    env = {"JWT_SECRET": secret}

    async def log_in(self, username, password):
        return await self.http(
            "/login",
            data=json.dumps({"username": username, "password": password}).encode(),
            headers={"Content-Type": "application/json"},
        )

    async def token(self, name):
        status, _, body = await self.log_in(name, self.passwords[name])
        self.assertEqual(status, 200, body)
        return json.loads(body)["token"]

    async def enter(self, name="ana", room="rust", **options):
        token = await self.token(name)
        return await self.connect(
            f"/ws/chat/{room}", additional_headers={"Authorization": f"Bearer {token}"}, **options
        )

    @classmethod
    def claims(cls, seconds, **others):
        """What a token says that is valid for so many seconds."""
        exp = int(time.time()) + seconds
        known = {"sub": "ana", "iss": cls.lesson, "aud": cls.audience, "exp": exp}
        return known | others

    async def test_signing_in_gives_a_token_and_a_cookie(self):
        status, headers, body = await self.log_in("ana", "ana-likes-tea")

        answer = json.loads(body)
        self.assertEqual(status, 200)
        self.assertEqual(answer, {"token": ANY, "username": "ana", "expires_in": ANY})
        self.assertGreater(answer["expires_in"], 0)
        cookie = [part.strip() for part in headers["Set-Cookie"].split(";")]
        self.assertEqual(cookie[0], f"{self.lesson}_token={answer['token']}")
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"]:
            self.assertIn(attribute, cookie)

    async def test_a_wrong_name_or_password_is_rejected_with_401(self):
        for name, password in [("ana", "ben-likes-jam"), ("eve", "x"), ("ana", "")]:
            status, headers, body = await self.log_in(name, password)
            self.assertEqual((status, headers["Set-Cookie"]), (401, None))
            self.assertIn("Wrong name or password.", body)

    async def test_the_token_may_come_in_four_ways(self):
        token = await self.token("ana")
        for way, path, options in [
            ("query", f"/ws/chat/rust?token={token}", {}),
            (
                "header",
                "/ws/chat/rust",
                {"additional_headers": {"Authorization": f"Bearer {token}"}},
            ),
            (
                "cookie",
                "/ws/chat/rust",
                {"additional_headers": {"Cookie": f"{self.lesson}_token={token}"}},
            ),
            (
                "subprotocol",
                "/ws/chat/rust",
                {"subprotocols": ["chat.v1", f"bearer.{token}"]},
            ),
        ]:
            with self.subTest(way):
                ana = await self.connect(path, **options)
                self.assertEqual(ana.subprotocol, "chat.v1" if way == "subprotocol" else None)
                self.assertNotIn(token, str(ana.response.headers))
                await self.gets_through(ana, "still here?")
                await self.leaves(ana)

    async def test_nobody_comes_in_without_a_valid_token(self):
        good = signed(self.secret, **self.claims(60))
        head, body, signature = good.split(".")
        none = signed("", {"alg": "none", "typ": "JWT"}, **self.claims(60))
        await self.is_rejected("/ws/chat/rust", 401, "token is missing")
        for way, token in {
            "nonsense": "nonsense",
            "empty": "",
            "signed by a stranger": signed("another secret of thirty-two bytes", **self.claims(60)),
            "changed": f"{head}.{body}.{signature[::-1]}",
            "without a signature": f"{head}.{body}.",
            "with alg none": none,
            "with alg none, unsigned": none.rsplit(".", 1)[0] + ".",
            "expired": signed(self.secret, **self.claims(-1)),
            "for another service": signed(self.secret, **self.claims(60, aud="elsewhere")),
            "from another issuer": signed(self.secret, **self.claims(60, iss="elsewhere")),
            "for nobody we know": signed(self.secret, **self.claims(60, sub="eve")),
        }.items():
            with self.subTest(way):
                await self.is_rejected(f"/ws/chat/rust?token={token}", 401, "[Tt]oken|Sign in")
        ana = await self.connect(f"/ws/chat/rust?token={good}")
        await self.gets_through(ana, "still here?")

    async def test_the_page_of_another_site_is_rejected_with_403(self):
        token = await self.token("ana")
        path = f"/ws/chat/rust?token={token}"
        for origin in [
            "http://evil.example",
            "null",
            f"{self.server.origin}.evil.example",
            "http://127.0.0.1:1",
        ]:
            with self.subTest(origin):
                await self.is_rejected(path, 403, self.foreign_page, origin=origin)

        ana = await self.connect(path, origin=self.server.origin)
        await self.gets_through(ana, "still here?")

    async def test_a_session_ends_with_its_token(self):
        ana = await self.connect(
            f"/ws/chat/rust?token={signed(self.secret, **self.claims(3))}"
        )
        await self.gets_through(ana, "still here?")

        await self.is_closed(ana, 4001, "token expired")

    async def test_an_impossible_room_is_rejected_with_400(self):
        token = await self.token("ana")
        await self.is_rejected(f"/ws/chat/no%20spaces?token={token}", 400, "a name has 1 to 40")


class Lesson08OverHttp(Conversation):
    """What lesson 08 promises of requests, and of pages of other sites."""

    lesson = "lesson_08_auth"
    passwords, log_in, token = Lesson08.passwords, Lesson08.log_in, Lesson08.token
    env = Lesson08.env | {"ALLOWED_ORIGINS": "https://chat.example.com"}

    async def test_blanks_and_capital_letters_do_not_matter_in_a_name(self):
        for name in [" ana ", "ANA", "Ana"]:
            status, _, body = await self.log_in(name, "ana-likes-tea")
            self.assertEqual((status, json.loads(body)["username"]), (200, "ana"))

    async def test_me_says_who_is_signed_in(self):
        status, headers, _ = await self.http("/me")
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))

        authorization = {"Authorization": f"Bearer {await self.token('ana')}"}
        status, _, body = await self.http("/me", headers=authorization)

        self.assertEqual((status, json.loads(body)["username"]), (200, "ana"))
        self.assertLess(0, json.loads(body)["expires_in"])

    async def test_who_guesses_too_often_is_told_when_to_try_again(self):
        answers = [await self.log_in("ana", f"guess {number}") for number in range(6)]

        self.assertEqual([status for status, *_ in answers], 5 * [401] + [429])
        _, headers, body = answers[-1]
        sentence = f"Too many attempts to sign in. Try again in {headers['Retry-After']} s."
        self.assertEqual(body, sentence)

    async def test_an_origin_is_compared_as_a_whole(self):
        path = f"/ws/chat/rust?token={await self.token('ana')}"
        for origin in [
            self.server.origin.replace("http:", "https:"),
            "http://chat.example.com",
            "https://chat.example.com:8443",
            "https://chat.example.com.evil.example",
        ]:
            with self.subTest(origin):
                await self.is_rejected(path, 403, "Pages of this origin", origin=origin)

        for origin in [self.server.origin, "https://chat.example.com"]:
            with self.subTest(origin):
                await self.leaves(await self.connect(path, origin=origin))


class EveryProductionLesson(EveryLessonWithCodes):
    """What holds in lessons 09 to 13. They sign people in with lesson 08's code, whose own
    promises are tried on lessons 08 and 24."""

    others = Lesson08.others
    passwords, log_in = Lesson08.passwords, Lesson08.log_in
    token, enter = Lesson08.token, Lesson08.enter
    says, gets_through = EveryLessonWithJson.says, EveryLessonWithJson.gets_through
    test_people_hear_each_other_come_speak_and_go = (
        EveryLessonWithJson.test_people_hear_each_other_come_speak_and_go
    )
    test_a_taken_name_is_closed_with_4009_until_its_owner_leaves = (
        EveryLessonWithJson.test_a_taken_name_is_closed_with_4009_until_its_owner_leaves
    )
    test_keepalive_pings_are_answered = None  # It takes a second, and is in Keepalive.

    async def test_nobody_comes_in_without_a_token_or_from_another_site(self):
        path = f"/ws/chat/rust?token={await self.token('ana')}"
        await self.is_rejected("/ws/chat/rust", 401, "token is missing")
        await self.is_rejected(path, 403, Lesson08.foreign_page, origin="http://evil.example")


class Lesson09(EveryProductionLesson, Conversation):
    """A client that goes silent is in clients.mjs."""

    lesson = "lesson_09_heartbeat"


class Lesson10(EveryProductionLesson, Conversation):
    """Who is somewhat too fast is in clients.mjs."""

    lesson = "lesson_10_rate_limit"

    async def test_who_never_stops_is_closed_with_1008_and_does_not_come_back_at_once(self):
        ben = await self.enter("ben")
        token = await self.token("ana")
        ana = await self.connect(f"/ws/chat/rust?token={token}")
        await self.hears(ben, {"type": "user_joined", "username": "ana"})

        for _ in range(200):
            with contextlib.suppress(ConnectionClosed):
                await ana.send("no JSON")

        heard = []
        with self.assertRaises(ConnectionClosed):
            while True:
                heard.append(json.loads(await self.soon(ana.recv(), "the end"))["message"])
        self.assertEqual((ana.close_code, ana.close_reason), (1008, "too many messages"))
        self.assertRegex(heard[-1], r"^too many messages: try again in \d\.\d seconds$")
        await self.hears(ben, {"type": "user_left", "username": "ana"})

        async def comes_back():
            url = f"{self.server.ws_url}/ws/chat/rust?token={token}"
            try:
                drop(await websockets.connect(url))
            except InvalidStatus as rejection:
                response = rejection.response
                return response.status_code, response.headers["Retry-After"]

        # At once, so that it makes no difference how long each attempt takes.
        answers = await self.soon(asyncio.gather(*(comes_back() for _ in range(40))), "answers")
        self.assertIn((429, "1"), answers)
        await self.says(ben, type="ping")
        while json.loads(await self.soon(ben.recv(), "the pong")) != PONG:
            pass  # Ana came and went.


class Lesson11(EveryProductionLesson, Conversation):
    lesson = "lesson_11_connection_limits"
    rooms = ["one", "two", "three", "four", "five"]
    env = {"MAX_CONNECTIONS": "16", "MAX_MEMBERS_PER_ROOM": "2", "MAX_ROOMS": "5"}

    async def test_the_sixth_connection_of_a_person_is_closed_with_1008(self):
        for room in self.rooms:
            ana = await self.enter(room=room)

        sixth = await self.enter(room="one")

        await self.is_closed(sixth, 1008, "too many connections of yours")
        await self.leaves(ana)
        again = await self.enter(room="five")
        await self.says(again, type="ping")
        await self.hears(again, PONG)

    async def test_who_finds_all_permits_taken_is_rejected_with_503(self):
        self.server = Server(self.lesson, MAX_CONNECTIONS="2")
        self.addCleanup(self.server.stop)
        await self.enter("ana", "one")
        ben = await self.enter("ben", "one")
        path = f"/ws/chat/three?token={await self.token('cem')}"

        sentence = r"^There are too many connections\. Try again in 10 s"
        await self.is_rejected(path, 503, sentence, "10")

        await self.leaves(ben)
        await self.leaves(await self.connect(path))

    async def test_whoever_finds_a_room_full_or_opens_one_too_many_is_closed_with_1013(self):
        for room in self.rooms:
            await self.enter("ana", room)
        await self.enter("ben", "one")

        third = await self.enter("cem", "one")
        await self.is_closed(third, 1013, "this room is full")
        sixth = await self.enter("cem", "six")
        await self.is_closed(sixth, 1013, "there are too many rooms")

    async def test_a_configuration_that_contradicts_itself_gives_one_sentence(self):
        end = await asyncio.to_thread(
            subprocess.run,
            [TARGET / "debug" / self.lesson],
            env=os.environ | {"ADDR": "127.0.0.1:0"} | self.env | {"MAX_ROOMS": "17"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

        sentence = (
            'MAX_ROOMS is "17", not a whole number from 1 to 16 (at most MAX_CONNECTIONS).\n'
        )
        self.assertEqual((end.returncode, end.stderr), (1, sentence))


class Lesson12(EveryProductionLesson, Conversation):
    """It has rooms of its own. A slow client that is closed with 4008 is lesson 07's: this is
    the same policy."""

    lesson = "lesson_12_slow_clients"
    test_everybody_hears_one_order = EveryLessonWithJson.test_everybody_hears_one_order

    async def misses(self, policy):
        """What Cem receives who did not read while Ana sent all of this, under a policy."""
        server = self.server = Server(self.lesson, SLOW_CLIENT=policy)
        self.addCleanup(server.stop)
        ana = await self.enter("ana")
        cem = await self.enter("cem", sock=server.dial(), max_queue=1)
        await self.hears(ana, {"type": "user_joined", "username": "cem"})

        # A proxy reads for Cem, too: what it has, and what is on its way there, he can read later.
        count = 2500 if FRONT else 1000
        sent = [f"{number} {'👋' * 1900}" for number in range(count)]
        for content in sent:
            await self.says(ana, type="chat", content=content)
            await self.hears(ana, chat("ana", content, room="rust"))
        await self.says(ana, type="chat", content="the end")

        heard = []
        while not heard or heard[-1].get("content") != "the end":
            heard.append(json.loads(await self.soon(cem.recv(), "what Cem did not miss")))
        await self.says(cem, type="ping")
        await self.hears(cem, PONG)
        chats = [sent.index(it["content"]) for it in heard[:-1] if it["type"] == "chat"]
        self.assertEqual(chats, sorted(set(chats)), "what Cem receives is in order")
        return len(sent) - len(chats), [it["count"] for it in heard if it["type"] == "missed"]

    async def test_a_client_that_reads_in_time_stays_and_has_missed_the_oldest(self):
        missed, notices = await self.misses("drop")
        self.assertGreater(missed, 0)
        self.assertEqual(notices, [])

    async def test_a_client_is_told_how_many_messages_it_has_missed(self):
        missed, notices = await self.misses("notify")
        self.assertGreater(missed, 0)
        self.assertEqual(sum(notices), missed)


class Lesson17(EveryLessonWithCodes, Conversation):
    lesson = "lesson_17_tasks"
    log_in = Lesson08.log_in
    token = Lesson08.token
    passwords = Lesson08.passwords

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.headers = {"Authorization": f"Bearer {await self.token('ana')}"}

    async def enter(self, tasks=(), **options):
        client = await self.connect("/ws/tasks", additional_headers=self.headers, **options)
        await self.hears(client, {"type": "tasks", "tasks": list(tasks)})
        return client

    async def gets_through(self, client, text):
        async def parts():
            yield '{"type":"'
            if isinstance(text, (str, list)):
                for part in text:
                    yield part
            else:
                async for part in text:
                    yield part
            yield '"}'

        await client.send(parts())
        sentence = 'This socket understands {"type":"ping"} alone.'
        await self.hears(client, {"type": "error", "message": sentence})

    async def ask(self, method, path, body=None):
        status, headers, body = await self.http(
            path, method=method, data=None if body is None else body.encode(), headers=self.headers
        )
        return status, headers, body

    async def until(self, client, status):
        """The states of the first task, up to the first with this status."""
        heard = []
        while not heard or heard[-1]["status"] != status:
            message = json.loads(await self.soon(client.recv(), f"a task that is {status}"))
            heard += message["tasks"][:1]
        return heard

    async def test_long_work_is_accepted_and_its_progress_and_result_are_pushed(self):
        ana = await self.enter()

        text = "Tea for two, and tea. " * 50
        status, headers, _ = await self.ask("POST", "/tasks?seconds=1", text)

        self.assertEqual((status, headers["Location"]), (202, "/tasks/1"))
        heard = await self.until(ana, "finished")
        percents = [task["percent"] for task in heard if "percent" in task]
        self.assertEqual(percents, sorted(set(percents)), "no step back, and none twice")
        self.assertGreater(len(percents), 5)
        self.assertEqual(heard[-1]["result"], {"words": 250, "distinct": 4})
        task = json.loads((await self.ask("GET", "/tasks/1"))[2])
        self.assertEqual(task["status"], "finished")
        await self.enter(tasks=[task])

    async def test_cancel_works_over_http(self):
        ana = await self.enter()
        await self.ask("POST", "/tasks?seconds=60", "tea for two")
        await self.until(ana, "running")

        self.assertEqual((await self.ask("DELETE", "/tasks/1"))[0], 204)

        await self.until(ana, "cancelled")
        status = json.loads((await self.ask("GET", "/tasks/1"))[2])["status"]
        self.assertEqual(status, "cancelled")

    async def test_the_result_is_there_though_nobody_was_connected(self):
        ana = await self.enter()
        await self.ask("POST", "/tasks?seconds=1", "tea for two")
        drop(ana)

        async def status():
            return json.loads((await self.ask("GET", "/tasks/1"))[2])["status"]

        await self.eventually(status, "finished")

    async def test_what_is_too_much_is_rejected(self):
        for path, text, status in [
            ("/tasks", "x" * (2 * 1024 * 1024 + 1), 413),
            ("/tasks?seconds=256", "tea", 400),
        ]:
            answer = await self.ask("POST", path, text)
            self.assertEqual(answer[0], status, answer[2])
        for _ in range(10):
            await self.ask("POST", "/tasks?seconds=60", "tea for two")

        status, _, body = await self.ask("POST", "/tasks", "tea")

        self.assertEqual((status, body), (409, "You have too many: cancel one."))


class Lesson13(EveryProductionLesson, Conversation):
    lesson = "lesson_13_shutdown"

    async def test_a_server_that_is_there_is_ready(self):
        status, _, body = await self.http("/ready")
        self.assertEqual((status, body), (200, "ready"))


class Lesson13Stops(Conversation):
    lesson = "lesson_13_shutdown"
    passwords, log_in = Lesson08.passwords, Lesson08.log_in
    token, enter, others = Lesson08.token, Lesson08.enter, Lesson08.others

    async def asyncTearDown(self):
        self.assertNotIn("panicked", self.server.output(), "a server never panics")

    async def ends_with_0(self):
        code = await self.soon(asyncio.to_thread(self.server.process.wait), "the end")
        self.assertEqual(code, 0)

    async def test_everybody_gets_1001_after_either_signal(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(number.name):
                server = self.server = Server(self.lesson)
                self.addCleanup(server.stop)
                ana, ben = await self.enter("ana"), await self.enter("ben")
                await self.hears(ana, {"type": "user_joined", "username": "ben"})

                server.process.send_signal(number)

                for client in ana, ben:
                    await self.is_closed(client, 1001, "the server is stopping")
                await self.ends_with_0()

    async def test_what_was_said_is_heard_before_the_close(self):
        ana, ben = await self.enter("ana"), await self.enter("ben")
        await self.hears(ana, {"type": "user_joined", "username": "ben"})
        words = chat("ana", "last words", **self.others)
        await ana.send(json.dumps({"type": "chat", "content": "last words"}))
        await self.hears(ana, words)

        self.server.process.send_signal(signal.SIGTERM)

        await self.hears(ben, words)
        await self.is_closed(ben, 1001, "the server is stopping")
        await self.is_closed(ana, 1001, "the server is stopping")
        await self.ends_with_0()


class Lesson22(Lesson08):
    """All of lesson 08."""

    lesson = audience = "lesson_22_edge"

    @classmethod
    def claims(cls, seconds, **others):
        return super().claims(seconds, **{"iss": Lesson08.lesson} | others)


class EveryLessonWithDelivery:
    """What lesson 18 adds, and the capstone keeps."""

    async def resumes(self, position, **welcome):
        """Ana comes back, and is told which log this is."""
        ana = await self.enter("ana", f"rust?resume={position}")
        await self.hears(ana, {"type": "welcome", "log": ANY} | welcome)
        return ana

    async def test_what_is_sent_again_is_acknowledged_again_and_there_once(self):
        once = {"type": "chat", "id": "a-1", "content": "once"}
        said = chat("ana", "once", room="rust", id="a-1", seq=1)
        ack = {"type": "ack", "id": "a-1", "seq": 1}
        ana = await self.resumes(0, seq=0)
        await self.says(ana, **once)
        await self.hears(ana, said)
        await self.hears(ana, ack)
        drop(ana)

        ana = await self.resumes(0, seq=1)
        await self.says(ana, **once)

        # The one comes from the log, and the other is an answer: either may be first.
        heard = [json.loads(await self.soon(ana.recv(), "chat and ack")) for _ in range(2)]
        self.assertEqual(sorted(heard, key=lambda it: it["type"]), [ack, said])
        await self.says(ana, type="ping")
        await self.hears(ana, PONG)


class Lesson18(EveryLessonWithDelivery, Conversation):
    lesson = "lesson_18_delivery"
    passwords, log_in = Lesson08.passwords, Lesson08.log_in
    token, enter, says = Lesson08.token, Lesson08.enter, Lesson08.says


class Capstone(EveryLessonWithDelivery, Lesson08):
    """All of lesson 08, as fast as its tests talk, and a server that is ready."""

    lesson, audience = "lesson_24_capstone", "chat"
    others = Lesson08.others | {"seq": ANY}
    env = {
        "CHAT_JWT_SECRET": Lesson08.secret,
        "CHAT_MESSAGES_PER_SECOND": "10000",
        "CHAT_MESSAGE_BURST": "250",
        "CHAT_OUTBOX_SIZE": "20000",
    }

    @classmethod
    def claims(cls, seconds, **others):
        return super().claims(seconds, **{"role": "user"} | others)

    async def test_a_server_that_is_there_is_ready(self):
        status, _, body = await self.http("/ready")
        self.assertEqual((status, body), (200, "ready"))


class CapstoneStops(Lesson13Stops):
    lesson, others = "lesson_24_capstone", Capstone.others


class Lesson16(Conversation):
    lesson = "lesson_16_channels"

    async def asyncSetUp(self):
        await super().asyncSetUp()
        credentials = {"username": "ana", "password": "ana-likes-tea"}
        _, _, body = await self.http(
            "/login",
            data=json.dumps(credentials).encode(),
            headers={"Content-Type": "application/json"},
        )
        self.headers = {"Authorization": f"Bearer {json.loads(body)['token']}"}

    async def ask(self, method, path, body=None):
        status, headers, answer = await self.http(
            f"/api/v1{path}",
            method=method,
            data=body and json.dumps(body).encode(),
            headers=self.headers | {"Content-Type": "application/json"},
        )
        return status, headers["x-version"], answer and json.loads(answer)

    async def follow(self, path):
        return await self.connect(f"/api/v1/ws{path}", additional_headers=self.headers)

    async def test_a_change_over_http_is_heard_over_the_socket(self):
        ana = await self.follow("/users?client_id=python")
        greeting = {"type": "connection", "message": "Connected to channel: users"}
        about = {"channel": "users", "timestamp": ANY}
        await self.hears(ana, greeting | about | {"client_id": "python"})

        dora = {"name": "Dora", "email": "dora@example.org", "phone": None}
        status, version, made = await self.ask("POST", "/users", dora)
        given = {"id": 1, "owner": "ana", "is_active": True, "created_at": ANY}
        self.assertEqual((status, version, made), (201, "1", dora | given))

        event = {"model": "users"} | about
        await self.hears(ana, event | {"type": "created", "version": 1, "data": made})
        self.assertEqual(await self.ask("GET", "/users/"), (200, "1", [made]))
        self.assertEqual(await self.ask("DELETE", "/users/1"), (204, "2", ""))
        await self.hears(ana, event | {"type": "deleted", "version": 2, "data": {"id": 1}})
        await self.leaves(ana)

    async def test_one_socket_subscribes_sends_and_asks_for_the_stats(self):
        ana = await self.follow("?client_id=python")
        greeting = {"type": "connection", "message": "Connected", "channel": None}
        await self.hears(ana, greeting | {"client_id": "python", "timestamp": ANY})

        await ana.send('{"action":"subscribe","channel":"news"}')
        await self.hears(ana, {"type": "subscribed", "channel": "news"})
        await ana.send('{"action":"send","channel":"news","message":"hello"}')
        said = {"type": "message", "channel": "news", "message": "hello", "from": "ana"}
        await self.hears(ana, said | {"timestamp": ANY})
        await ana.send('{"action":"get_stats"}')
        channels = {"users": 0, "posts": 0, "news": 1}
        stats = {"total_channels": 3, "channels": channels, "total_connections": 1}
        await self.hears(ana, {"type": "stats", "data": stats})
        self.assertEqual(await self.ask("GET", "/ws/stats"), (200, None, stats))
        await ana.send('{"action":"ping"}')
        await self.hears(ana, {"type": "pong"})

    async def test_what_is_wrong_is_told_in_json(self):
        refused = {"message": "email is missing", "field": "email"}
        self.assertEqual(await self.ask("POST", "/users", {"name": "Dora"}), (422, None, refused))
        for path, status in {"/users/7": 404, "/users/abc": 400}.items():
            came, _, answer = await self.ask("GET", path)
            self.assertEqual((came, [*answer]), (status, ["message"]))

    async def test_nobody_comes_in_unknown_or_to_an_unknown_channel(self):
        await self.is_rejected("/api/v1/ws/users", 401, "token is missing")
        self.headers |= {"Origin": "http://evil.example"}
        with self.assertRaises(InvalidStatus) as rejection:
            await self.follow("/users")
        self.assertEqual(rejection.exception.response.status_code, 403)
        del self.headers["Origin"]
        with self.assertRaises(InvalidStatus) as rejection:
            await self.follow("/cats")
        self.assertEqual(rejection.exception.response.status_code, 404)


class CapstoneLive(Lesson16):
    lesson = "lesson_24_capstone"

    async def test_a_path_that_is_not_there_is_told_in_json(self):
        came, _, answer = await self.ask("GET", "/cats")
        self.assertEqual((came, [*answer]), (404, ["message"]))


class Keepalive(unittest.IsolatedAsyncioTestCase):
    async def test_a_client_with_all_its_defaults_stays_in_every_lesson(self):
        """By default websockets pings after 20 seconds, and waits for the pong."""
        paths = ["/ws", "/ws", "/ws", "/ws/7", "/ws/7?token=let-me-in", "/ws/ana"]
        paths += ["/ws/chat/rust/ana"]
        for lesson in LESSONS[7:]:
            claims = Lesson08.claims(300, aud=lesson)
            paths.append(f"/ws/chat/rust?token={signed(Lesson08.secret, **claims)}")

        async def stay(lesson, path):
            server = Server(lesson, JWT_SECRET=Lesson08.secret)
            self.addCleanup(server.stop)
            async with websockets.connect(server.ws_url + path) as client:
                async with asyncio.timeout(20 + PATIENCE):
                    while client.latency == 0:
                        await asyncio.sleep(0.1)
            self.assertEqual(client.close_code, 1000, lesson)

        self.assertEqual(len(paths), len(LESSONS))
        await asyncio.gather(*map(stay, LESSONS, paths))


if __name__ == "__main__":
    unittest.main(verbosity=2)
