"""Starts lesson 19's client in a terminal, as a person does, and looks what they see.

In a pipe, tests of the lesson try it. What only a terminal has: a password that nobody sees, a
prompt that says how the connection is, messages above the line that is being typed, keys that end
the program, and a terminal that is afterwards as it was before. It is tried with many columns and
with few.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

from client import PASSWORDS, TARGET, Report, Server, build

LESSON, SERVER = "lesson_19_client", "lesson_08_auth"
SECRET = {"JWT_SECRET": "a secret that only this test knows"}
LINES, WIDTHS = 24, [100, 24]
LIMIT = 60  # Seconds for anything. A client that was disconnected waits for some of them.
CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    def __init__(self, columns, *words):
        environment = {name: it for name, it in os.environ.items() if name != "CHAT_PASSWORD"}
        program = str(TARGET / "debug" / LESSON)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
            os.execve(program, [program, *words], environment)
        self.before = termios.tcgetattr(self.fd)
        self.raw, self.at = b"", 0

    def read(self):
        if not select.select([self.fd], [], [], 0.1)[0]:
            return
        try:
            self.raw += os.read(self.fd, 65536)
        except OSError:
            pass  # The other side is gone.

    def text(self):
        """All that has been on the screen, without the commands to the terminal."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw.decode(errors="replace"))

    def shows(self, words):
        """Waits for these words, behind those of the last time."""
        deadline = time.monotonic() + LIMIT
        while (found := self.text().find(words, self.at)) < 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the terminal should show {words!r}, not {self.text()[self.at:]!r}")
            self.read()
        self.at = found + len(words)

    def hides_what_is_typed(self):
        """Waits until it does. A person types later than we could."""
        deadline = time.monotonic() + LIMIT
        while termios.tcgetattr(self.fd)[3] & termios.ECHO:
            if time.monotonic() > deadline:
                raise RuntimeError("the terminal shows a password while it is typed")
            time.sleep(0.01)

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def ends(self):
        """The exit code."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise RuntimeError(f"the client does not end: {self.text()[-500:]!r}")

    def stop(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except OSError:
            pass  # It has ended.
        os.close(self.fd)


def try_it(columns, end, report):
    server = Server(SERVER, **SECRET)
    url = f"http://127.0.0.1:{server.port}"
    terminal = Terminal(columns, "ana", "rust", "--url", url)
    try:
        terminal.shows("Password")
        terminal.hides_what_is_typed()
        terminal.press(f"{PASSWORDS['ana']}\r")
        terminal.shows("* Connected.")
        report.expect(PASSWORDS["ana"] not in terminal.text(), "the terminal shows a password")
        terminal.press("hello\r")
        terminal.shows("ana: hello")
        terminal.shows("ana@rust> ")

        server.stop()
        terminal.shows("* Not connected")
        terminal.shows("(offline, 0 to send)> ")
        terminal.press("still here?\r")
        terminal.shows("(offline, 1 to send)> ")
        server = Server(SERVER, **SECRET, ADDR=f"127.0.0.1:{server.port}")
        terminal.shows("ana: still here?")
        terminal.shows("ana@rust> ")

        terminal.press(end)
        code = terminal.ends()
        report.expect(code == 0, f"with {columns} columns, the exit code is {code}, not 0")
        after = termios.tcgetattr(terminal.fd)
        report.expect(after == terminal.before, f"with {columns} columns, the terminal is not as before")
    finally:
        terminal.stop()
        server.stop()


def main():
    build(LESSON, SERVER)
    report = Report(check=True)
    for columns, end in zip(WIDTHS, [CTRL_D, CTRL_C]):
        try:
            try_it(columns, end, report)
            print(f"{columns} columns: signed in, wrote, was offline, came back, and left.", flush=True)
        except (AssertionError, RuntimeError, OSError) as error:
            report.expect(False, f"with {columns} columns, {error}")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
