import asyncio
import json
from datetime import datetime, timezone

from fastapi import FastAPI, WebSocket

app = FastAPI()
channels: dict[str, dict[str, asyncio.Queue]] = {"users": {}, "posts": {}, "news": {}}


def broadcast(channel: str, event: dict, exclude_client: str | None = None) -> None:
    event = event | {"channel": channel, "timestamp": datetime.now(timezone.utc).isoformat()}
    for client_id, outbox in channels[channel].items():
        if client_id != exclude_client:
            outbox.put_nowait(event)


async def write(socket: WebSocket, outbox: asyncio.Queue) -> None:
    while True:
        await socket.send_json(await outbox.get())


@app.websocket("/ws/{channel}")
async def follow(socket: WebSocket, channel: str, client_id: str):
    await socket.accept()
    outbox = channels[channel][client_id] = asyncio.Queue()
    outbox.put_nowait({"type": "connection", "channel": channel, "client_id": client_id})
    writer = asyncio.create_task(write(socket, outbox))
    try:
        async for text in socket.iter_text():
            match json.loads(text):
                case {"action": "subscribe", "channel": name}:
                    channels[name][client_id] = outbox
                    outbox.put_nowait({"type": "subscribed", "channel": name})
                case {"action": "send", "channel": name, "message": message}:
                    broadcast(name, {"type": "message", "message": message})
    finally:
        writer.cancel()
        for subscribers in channels.values():
            subscribers.pop(client_id, None)
