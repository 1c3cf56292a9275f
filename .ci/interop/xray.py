"""Holds X-ray against the frames of the Autobahn test suite: its rows must agree with what
the suite wrote down of the frames that it sent and received.

The suite cannot send a cookie, so it connects through a relay that adds one. The cases
are those about lengths, pings, reserved bits and opcodes, fragments and closing. The groups
about UTF-8 are left out, because their frames are of the same kinds.

Run: .ci/interop/xray, which installs what this needs. Exits with 77 if Autobahn cannot run.
"""

import asyncio
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import websockets

here = Path(__file__).resolve().parent
loader = importlib.machinery.SourceFileLoader("autobahn", str(here / "autobahn"))
autobahn = importlib.util.module_from_spec(importlib.util.spec_from_loader("autobahn", loader))
loader.exec_module(autobahn)

# How many cases each group has. Fewer means that something was left out unnoticed.
GROUPS = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "7": 37}

# In so many cases at least, every frame of the suite must have its row. In the others the
# server stops reading, because a frame before was wrong.
COMPLETE = 60

PATIENCE = 10  # Seconds until the last row is there.

os.environ["NO_PROXY"] = "127.0.0.1"


async def main():
    python = autobahn.find_python_2_7()
    if python is None:
        print("SKIPPED: Autobahn needs Python 2.7, and there is none here.")
        return autobahn.EXIT_SKIPPED
    wstest = autobahn.install(python)
    build = ["cargo", "build", "--quiet", "--example", "pure_echo"]
    subprocess.run(build, cwd=autobahn.ROOT, check=True)

    folder = autobahn.CACHE / "xray"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    said = folder / "server.txt"
    with said.open("w") as output:
        program = autobahn.TARGET / "debug/examples/pure_echo"
        environment = os.environ | {"ADDR": "127.0.0.1:0"}
        server = autobahn.start([program], output, env=environment)
    try:
        address = autobahn.wait_for_address(server, said)
        rows = await watch(wstest, folder, address)
    finally:
        autobahn.stop(server)
    reports = [json.loads(path.read_text()) for path in folder.glob("*_case_*.json")]
    complaints = judge(reports, rows)
    for sentence in complaints:
        print(f"FAILED: {sentence}")
    return 1 if complaints else 0


async def watch(wstest, folder, address):
    """Runs the cases, and gives all rows."""
    cookie = f"xray={secrets.token_hex(16)}.autobahn"
    relay = await asyncio.start_server(
        lambda *client: pass_on(client, address, cookie), "127.0.0.1", 0
    )
    port = relay.sockets[0].getsockname()[1]
    cases = [f"{group}.*" for group in GROUPS]
    viewer = websockets.connect(
        f"ws://{address}/lab/xray", additional_headers={"Cookie": cookie}, max_size=None
    )
    rows = []
    async with viewer as messages:
        url = f"ws://127.0.0.1:{port}/ws"
        fuzzing = asyncio.to_thread(autobahn.fuzz, wstest, folder, url, cases)
        fuzzing = asyncio.create_task(fuzzing)
        opened = gone = 0
        while not fuzzing.done() or gone < opened:
            with contextlib.suppress(TimeoutError):
                message = await asyncio.wait_for(messages.recv(), PATIENCE)
                rows += json.loads(message)
                opened = sum(row.get("what") == "open" for row in rows)
                gone = sum(row.get("what") == "gone" for row in rows)
                continue
            if fuzzing.done():
                break  # Something is missing, and `judge` will say what.
        if problem := await fuzzing:
            raise RuntimeError(problem)
    relay.close()
    return rows


async def pass_on(client, address, cookie):
    """Connects a client with the server, and adds the cookie to its request."""
    host, port = address.split(":")
    server = await asyncio.open_connection(host, int(port))
    first = await client[0].readline()
    server[1].write(first + f"Cookie: {cookie}\r\n".encode())
    await asyncio.gather(pump(client[0], server[1]), pump(server[0], client[1]))
    for _, writer in [client, server]:
        writer.close()


async def pump(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


def judge(reports, rows):
    """Compares what the suite wrote down with the rows. Returns sentences."""
    complaints = []
    if gaps := [row for row in rows if row["kind"] == "gap"]:
        complaints.append(f"Rows were left out: {gaps}.")
    for group, wanted in GROUPS.items():
        ran = sum(report["id"].split(".")[0] == group for report in reports)
        if ran != wanted:
            complaints.append(f"Group {group} has {wanted} cases, but {ran} ran.")

    complete = frames = 0
    for report in sorted(reports, key=lambda report: autobahn.by_number(report["id"])):
        key = re.search(r"Sec-WebSocket-Key: (.*)", report["httpRequest"])[1].strip()
        sent, received = told(report, "TF"), told(report, "RF")
        own = [row for row in rows if row.get("connection") == connection_of(rows, key)]
        from_client, from_server = shown(own, "client"), shown(own, "server")
        frames += len(from_client) + len(from_server)
        complete += len(from_client) == len(sent)
        # The server may stop reading before the suite stops sending, and the other way round.
        for who, ours, theirs in [
            ("client", from_client, sent[: len(from_client)]),
            ("server", from_server[: len(received)], received),
        ]:
            if len(ours) != len(theirs) or not all(map(agree, ours, theirs)):
                complaints.append(f"Case {report['id']}, {who}: {ours}, but it was {theirs}.")
        if not from_client or not from_server:
            complaints.append(f"Case {report['id']} has no rows.")
    if complete < COMPLETE:
        complaints.append(f"Only {complete} cases have a row for every frame of the client.")
    print(f"{len(reports)} cases, {frames} frames: {complete} cases with every frame of the client.")
    return complaints


def connection_of(rows, key):
    """The connection whose handshake had this key."""
    for row in rows:
        if row["kind"] == "request" and f"Sec-WebSocket-Key: {key}" in row["head"]:
            return row["connection"]
    return None


def told(report, kind):
    """The frames that the suite sent (TF) or received (RF)."""
    frames = []
    for what, *entry in report["wirelog"]:
        if what != kind:
            continue
        (length, text), opcode, fin, rsv = entry[:4]
        mask = entry[4] if kind == "TF" else entry[5]
        if kind == "TF" and (repeated := entry[5]):
            # The suite sends the same text again and again, up to this length.
            text = as_written(text.encode() * (repeated // length + 1), repeated)
            length = repeated
        frames.append((opcode, fin, rsv, mask, length, text))
    return frames


def shown(rows, side):
    """The same of the rows. A frame of which the server read only a part has no text."""
    return [
        (
            *(row["opcode"], row["fin"], row["rsv"], row.get("mask"), row["len"]),
            None if "got" in row else as_written(bytes.fromhex(row["data"]), row["len"]),
        )
        for row in rows
        if row["kind"] == "frame" and row["from"] == side
    ]


def agree(ours, theirs):
    return ours == theirs or (ours[-1] is None and ours[:-1] == theirs[:-1])


def as_written(data, length):
    """A payload, as the suite writes it down: its beginning, in hex if it is no text."""
    begin, cut = data[:64], " ..." if length > 60 else ""
    try:
        return begin.decode() + cut
    except UnicodeDecodeError:
        return f"0x{begin.hex()}{cut}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
