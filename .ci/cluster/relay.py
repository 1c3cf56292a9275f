"""The network between a node and its brokers, which can fail without stopping either of them.

    python3 relay.py 5000:4222 5001:4223    port 5000 leads to a broker at 4222, and so on

Passes bytes on, both ways. While it is stopped (SIGSTOP), nothing passes: no byte, no FIN and no
RST, as when a cable is pulled; what was on its way comes later, even if its sender has given up.
SIGUSR1 ends all connections with an RST to both sides.
"""

import asyncio
import signal
import socket
import struct
import sys

RST = struct.pack("ii", 1, 0)  # SO_LINGER: to close is to reset.

writers = set()


async def accept(reader, writer, target):
    writers.add(writer)
    try:
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        return close(writer)  # The broker is not there.
    writers.add(to_broker)
    await asyncio.gather(pump(reader, to_broker), pump(from_broker, writer))


async def pump(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # One of the two has reset the connection.
    close(writer)


def close(writer):
    writers.discard(writer)
    writer.close()


def reset():
    for writer in writers:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        writer.transport.abort()
    writers.clear()


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, reset)
    for word in sys.argv[1:]:
        port, target = map(int, word.split(":"))
        await asyncio.start_server(lambda r, w, to=target: accept(r, w, to), "127.0.0.1", port)
    await asyncio.Event().wait()


asyncio.run(main())
