"""The chat of lesson 07 with FastAPI: the manager of its documentation, with rooms, JSON and a time."""

import json
from collections import defaultdict
from datetime import datetime, timezone

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
rooms: dict[str, set[WebSocket]] = defaultdict(set)


@app.websocket("/ws/chat/{room}/{username}")
async def chat(socket: WebSocket, room: str, username: str):
    await socket.accept()
    await broadcast(room, {"type": "user_joined", "username": username})
    rooms[room].add(socket)
    try:
        while True:
            message = json.loads(await socket.receive_text())
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            text = {"type": "chat", "room": room, "from": username, "content": message["content"], "timestamp": now}
            await broadcast(room, text)
    except WebSocketDisconnect:
        rooms[room].discard(socket)


async def broadcast(room, message):
    text = json.dumps(message)
    for member in list(rooms[room]):
        try:
            await member.send_text(text)
        except (RuntimeError, WebSocketDisconnect):
            rooms[room].discard(member)
