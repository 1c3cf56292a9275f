"""Python's websockets over wss: connects to a chat, pings, talks, sends what is no chat, and closes.

    .ci/interop/python .ci/edge/interop.py URL CERTIFICATE
"""

import asyncio
import json
import ssl
import sys

import websockets


async def main(url, certificate):
    trust = ssl.create_default_context(cafile=certificate)
    origin = url.split("/ws/")[0].replace("wss:", "https:")
    async with asyncio.timeout(20):
        async with websockets.connect(url, ssl=trust, origin=origin) as client:
            await (await client.ping(b"still here?"))
            await client.send(json.dumps({"type": "chat", "content": "x" * 2000}))
            said = json.loads(await client.recv())
            assert said["content"] == "x" * 2000, f"a chat comes back, and not {said}"
            await client.send(b"binary")
            said = json.loads(await client.recv())
            assert said["type"] == "error", f"binary gets an error, and not {said}"
        assert client.close_code == 1000, f"it ends with 1000, and not {client.close_code}"


asyncio.run(main(*sys.argv[1:]))
