"""A day of the whole server, as the tour of its chapter tells it.

It runs behind Caddy, over TLS, with the settings of `deploy/chat.service` and the site of
`deploy/Caddyfile`; ports, paths and the certificate are others. People come from addresses of
their own. Ends with 1 if something is not as the chapter says.
"""

import http.client
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
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "measure"))
from client import CANNOT_BE_TRIED, CLOSE, PASSWORDS, ROOT, TEXT, WHOLE  # noqa: E402
from client import Frames, Report, Server, build, close_frame, contents, frame, free_ports  # noqa: E402
from edge import Files  # noqa: E402 (now it is found)

DEPLOY = ROOT / "lessons" / WHOLE / "deploy"
PROMETHEUS = Path(os.environ["PROMETHEUS"])
SOON = 15  # Seconds within which anything must happen, on a slow machine.
ANA, BEN, STRANGER = "127.0.2.1", "127.0.2.2", "127.0.2.66"
SECRET = "a-secret-of-the-day-which-has-32-bytes"

report = Report(check=True)
expect = report.expect


def settings():
    """The environment of the unit. systemd itself looks at the rest of it (.ci/edge/unit)."""
    unit = (DEPLOY / "chat.service").read_text()
    words = " ".join(re.findall(r"^Environment=(.*)$", unit, re.M)).split()
    return dict(word.split("=", 1) for word in words)


class Chat(Server):
    """The program, as the unit starts it, and the socket of its service manager."""

    def __init__(self, folder, **changes):
        [self.metrics_port] = free_ports(1)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = tempfile.mktemp(dir=folder)
        self.manager.bind(path)
        self.manager.settimeout(SOON)
        env = settings() | {
            "CHAT_ADDR": "127.0.0.1:0",
            "CHAT_DATABASE": str(folder / "chat.db"),
            "CHAT_METRICS_ADDR": f"127.0.0.1:{self.metrics_port}",
            "CHAT_JWT_SECRET": SECRET,
            "NOTIFY_SOCKET": path,
            **changes,
        }
        super().__init__(WHOLE, **env)

    def told(self):
        return self.manager.recv(100).decode()

    def metrics(self):
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=SOON) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def lines(self):
        """The log: a JSON object in each line, but for what the pages print at the start."""
        whole, _, _ = contents(self.printed).rpartition(b"\n")  # It may be writing one.
        return [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]

    def log_has(self, count, **fields):
        """Waits until so many lines have these fields, and returns all that have."""
        deadline = time.monotonic() + SOON
        while True:
            found = [line for line in self.lines() if fields.items() <= line.items()]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


class Caddy:
    """Caddy with the site of `deploy/`, for localhost and with a certificate of our own."""

    def __init__(self, files):
        self.files, self.folder = files, files.folder
        self.port, self.admin = free_ports(2)
        self.log = open(self.folder / "caddy.log", "w")
        self.process = None

    def serves(self, upstream):
        text = (DEPLOY / "Caddyfile").read_text()
        for old, new in {
            "\n{\n": f"\n{{\n    admin localhost:{self.admin}\n    auto_https disable_redirects\n",
            "\nchat.example.com {\n": f"\nhttps://localhost:{self.port} {{\n    tls cert.pem key.pem\n",
            " 127.0.0.1:8000 ": f" 127.0.0.1:{upstream} ",
        }.items():
            assert text.count(old) == 1, f"the Caddyfile should have {old!r} once"
            text = text.replace(old, new)
        (self.folder / "Caddyfile").write_text(text)
        if self.process:
            code = self.run("reload", "--force", "--address", f"localhost:{self.admin}").wait(SOON)
            return expect(code == 0, f"Caddy does not reload: it ended with {code}")
        self.process = self.run("run")
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"Caddy does not listen: {self.said()}")

    def run(self, command, *more):
        config = ["--config", "Caddyfile", "--adapter", "caddyfile"]
        env = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}
        streams = {"stdin": subprocess.DEVNULL, "stdout": self.log, "stderr": self.log}
        return subprocess.Popen(["caddy", command, *config, *more], cwd=self.folder, env=env, **streams)

    def said(self):
        return (self.folder / "caddy.log").read_text()

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(SOON)


class Person:
    """Somebody with a browser, at an address of their own."""

    def __init__(self, name, address, caddy):
        self.name, self.address, self.caddy = name, address, caddy
        self.trust = caddy.files.trust()
        self.host = f"localhost:{caddy.port}"
        self.cookie, self.seen, self.log = None, 0, None

    def dial(self):
        plain = socket.create_connection(("127.0.0.1", self.caddy.port), SOON, (self.address, 0))
        return self.trust.wrap_socket(plain, server_hostname="localhost")

    def ask(self, method, path, body=None):
        client = http.client.HTTPConnection(self.host)
        client.sock = self.dial()
        headers = {"Content-Type": "application/json"} if body else {}
        client.request(method, path, body and json.dumps(body), headers)
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return answer, text

    def signs_in(self, password=None):
        body = {"username": self.name, "password": password or PASSWORDS[self.name]}
        answer, _ = self.ask("POST", "/login", body)
        if answer.status == 200:
            self.set_cookie = answer.headers["Set-Cookie"]
            self.cookie = self.set_cookie.split(";")[0]
        return answer.status

    def connects(self, origin=None):
        """Connects as the page does, which knows what it has seen. The status."""
        position = f"?resume={self.seen}" + (f"&log={self.log}" if self.log else "")
        self.socket = self.dial()
        self.socket.sendall(
            (
                f"GET /ws/chat/tea{position} HTTP/1.1\r\nHost: {self.host}\r\n"
                f"Origin: {origin or f'https://{self.host}'}\r\nCookie: {self.cookie}\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ).encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n") and (byte := self.socket.recv(1)):
            head += byte
        self.frames = Frames(self.socket)
        return int(head.split()[1])

    def says(self, id, content):
        text = json.dumps({"type": "chat", "id": id, "content": content})
        self.socket.sendall(frame(TEXT, text.encode()))

    def hears(self, kind):
        """The next message of a kind. What comes before it is noted. None at the end."""
        while payload := self.frames.until(TEXT, SOON):
            message = json.loads(payload)
            self.log = message.get("log", self.log)
            if message["type"] == "chat":
                expect(message["seq"] == self.seen + 1, f"{self.name}: a hole before {message}")
                self.seen = message["seq"]
            if message["type"] == kind:
                return message
            expect(message["type"] != "gap", f"{self.name} has missed something: {message}")
        return None

    def is_cut(self):
        """Waits for a Close: its code, or None if the connection ends without one."""
        payload = self.frames.until(CLOSE, SOON)
        return payload and int.from_bytes(payload[:2], "big")


def a_deploy_with_a_mistake(folder, caddy):
    """Nobody has told the chat who its proxy is: all people have one address, and one origin
    is not what the browser says."""
    with Chat(folder, CHAT_TRUSTED_PROXIES="127.0.0.9") as chat:
        expect(chat.told() == "READY=1", "the unit should become active")
        caddy.serves(chat.port)
        ana, ben = Person("ana", ANA, caddy), Person("ben", BEN, caddy)
        for _ in range(5):
            expect(ana.signs_in("perhaps") == 401, "a wrong password gets 401")
        ben.name = "ana"  # Ana's own phone, at another address.
        expect(ben.signs_in() == 429, "with the mistake, one address is out of guesses for all")
        ben.name = "ben"
        expect(ben.signs_in() == 200, "somebody else can still sign in")
        expect("Secure" not in ben.set_cookie, "with the mistake, the cookie is not Secure")
        expect(ben.connects() == 403, "with the mistake, the page of its own origin gets 403")
        addresses = {line.get("address") for line in chat.log_has(5, target=f"{WHOLE}::auth::login")}
        expect(addresses == {"127.0.0.1"}, f"the log shows it: all are the proxy, not {addresses}")
        count = chat.metrics()['chat_requests_total{route="login",status="429"}']
        expect(count == 1, f"the refused sign-in is counted, {count:.0f} times")
        print("A deploy with a mistake: all guesses come from 127.0.0.1, and the page gets 403.")


def the_day(folder, caddy):
    with Chat(folder) as chat:
        expect(chat.told() == "READY=1", "the unit should become active")
        caddy.serves(chat.port)
        ana, ben = Person("ana", ANA, caddy), Person("ben", BEN, caddy)
        expect(ana.ask("GET", "/ready")[1] == "ready", "GET /ready over TLS says ready")
        for person in ana, ben:
            expect(person.signs_in() == 200, f"{person.name} signs in")
            expect("; Secure" in person.set_cookie, "over HTTPS the cookie is Secure")
            status = person.connects()
            expect(status == 101, f"the page connects over wss, and gets {status}")
        status = ana.connects("https://evil.example")
        expect(status == 403, f"a page of strangers should get 403, and gets {status}")
        gone = chat.log_has(1, message="client disconnected")
        expect(len(gone) == 1, f"her first connection is gone, the log says {len(gone)} times")
        ana.connects()
        status = ana.ask("GET", "/metrics")[0].status
        expect(status == 404, f"strangers get no metrics, but {status}")
        ana.says("1", "good morning")
        expect(ben.hears("chat")["content"] == "good morning", "they talk")
        ana.hears("ack")
        print("Deployed: signed in over TLS, and talking over wss.")

        known = {re.sub(r"_(bucket|count|sum|total)?(\{.*)?$", "", name) for name in chat.metrics()}
        for name in set(re.findall(r"\bchat_\w+", (DEPLOY / "alerts.yml").read_text())):
            base = re.sub(r"_(bucket|count|sum|total)$", "", name)
            expect(any(base == it or it.startswith(base) for it in known), f"no metric {name}")

        caddy.serves(chat.port)  # A reload.
        codes = [person.is_cut() for person in (ana, ben)]
        # Of the chat's answer to a Close without a mask, 1002, Caddy may pass on as much as comes
        # before it has written its own to the page.
        expect({*codes} <= {1001, 1002}, f"Caddy's reload ends all WebSockets with a Close: {codes}")
        # Otherwise a page that comes back at once could replace the connection that it had.
        gone = chat.log_has(3, message="client disconnected")
        expect(len(gone) == 3, f"the chat knows it, too: the log says {len(gone)} times")
        expect(ana.connects() == 101, "the pages come back")
        ana.says("2", "still here")
        ana.hears("ack")
        expect(ben.connects() == 101, "the pages come back")
        expect(ben.hears("chat")["content"] == "still here", "and get what they have missed")
        print("Reloaded: both were cut, came back, and have missed nothing.")

        stranger = Person("ana", STRANGER, caddy)
        codes = [stranger.signs_in(f"guess-{number}") for number in range(20)]
        expect(codes == [401] * 5 + [429] * 15, f"five guesses, and then no more: {codes}")
        expect(Person("ana", ANA, caddy).signs_in() == 200, "Ana can sign in all the same")
        refused = chat.log_has(5, message="sign-in refused: wrong name or password")
        addresses = {line["address"] for line in chat.lines() if "address" in line}
        expect(len(refused) == 5, f"the log has the five guesses, and not {len(refused)} lines")
        expect(addresses == {STRANGER}, f"the log says who it was, and not {addresses}")
        count = chat.metrics()['chat_requests_total{route="login",status="429"}']
        expect(count == 15, f"the refused sign-ins are counted, {count:.0f} times")
        print(f"An incident: 15 refused sign-ins in the metrics, and the log has {STRANGER}.")

        ana.says("3", "good night")
        ana.hears("ack")
        chat.process.send_signal(signal.SIGTERM)
        expect(chat.told() == "STOPPING=1", "the service manager should know")
        for person in ana, ben:
            code = person.is_cut()
            expect(code == 1001, f"{person.name} should get 1001 through Caddy, and gets {code}")
            person.socket.sendall(close_frame(1001))
        code = chat.process.wait(SOON)
        expect(code == 0, f"all have left, so the exit code is 0, and not {code}")
        left = chat.log_has(5, message="client disconnected")
        causes = [line["span"]["cause"] for line in left]
        # To the chat, Caddy 2.6 sends a Close without a mask (RFC 6455, section 5.1).
        wanted = {"lost": 1, "protocol error": 2, "the server is stopping": 2}
        found = {cause: causes.count(cause) for cause in set(causes)}
        expect(found == wanted, f"the log says how each connection ended: {found}")
        logs = json.dumps(chat.lines())
    # Caddy writes a request into its log if nobody answers it. A program has its token here.
    token = ana.cookie.split("=", 1)[1]
    status = ana.ask("GET", f"/me?token={token}")[0].status
    expect(status == 502, f"without the chat, Caddy answers 502, and not {status}")

    with Chat(folder) as chat:
        caddy.serves(chat.port)
        expect(ana.connects() == 101, "the page comes back with the cookie that it has")
        ana.says("3", "good night")  # It sends again what it is not sure about.
        expect(ana.hears("ack")["seq"] == 3, "a chat that is there already is not there twice")
        expect(ben.connects() == 101, "the page comes back")
        ben.seen = max(ben.seen, 2)
        while ben.seen < 3 and ben.hears("chat"):
            pass
        expect(ben.seen == 3, f"Ben should have all three chats, and has {ben.seen}")
        chat.process.send_signal(signal.SIGTERM)
        for person in ana, ben:
            person.is_cut()
            person.socket.sendall(close_frame(1001))
        expect(chat.process.wait(SOON) == 0, "it ends")
        logs += json.dumps(chat.lines())
    print("Stopped and started: 1001, exit code 0, and the next one has all that was said.")

    tokens = [person.cookie.split("=", 1)[1] for person in (ana, ben)]
    for what, text in ("the chat", logs), ("Caddy", caddy.said()):
        for secret in *PASSWORDS.values(), *tokens, SECRET, "good morning":
            expect(secret not in text, f"the log of {what} has {secret!r} in it")
    print("No log has a password, a token or a chat in it.")


def main():
    for command in ["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]:
        promtool = [PROMETHEUS.parent / "promtool", *command]
        done = subprocess.run(promtool, cwd=DEPLOY, capture_output=True, text=True)
        expect(done.returncode == 0, f"promtool {' '.join(command)}: {done.stdout}{done.stderr}")
    build(WHOLE)
    start, files = time.monotonic(), Files()
    folder, caddy = files.folder, Caddy(files)
    try:
        a_deploy_with_a_mistake(folder, caddy)
        (folder / "chat.db").unlink()
        the_day(folder, caddy)
    except CANNOT_BE_TRIED as error:
        expect(False, f"the day breaks off: {error!r}")  # What was wrong before may say why.
    finally:
        caddy.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.monotonic() - start:.0f} s")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
