import asyncio
import os
import sqlite3

from fastapi import FastAPI, WebSocket

app = FastAPI()
db = sqlite3.connect(os.environ.get("DATABASE", ":memory:"), isolation_level=None)
db.execute("PRAGMA synchronous = FULL")
db.execute("""
    CREATE TABLE IF NOT EXISTS chats (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, content TEXT NOT NULL)
""")
outboxes: set[asyncio.Queue] = set()


def append(id: str, content: str) -> int:
    sql = "INSERT INTO chats (id, content) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING seq"
    new = db.execute(sql, (id, content)).fetchall()  # Durable when this returns.
    if not new:  # It was sent again.
        return db.execute("SELECT seq FROM chats WHERE id = ?", (id,)).fetchone()[0]
    seq = new[0][0]
    for outbox in outboxes:
        outbox.put_nowait((seq, content))
    return seq


@app.websocket("/ws")
async def chat(socket: WebSocket, resume: int = 0):
    await socket.accept()
    outbox = asyncio.Queue()  # Lesson 12 has what a limit is for.
    outboxes.add(outbox)
    writer = asyncio.create_task(write(socket, outbox, resume))
    try:
        async for message in socket.iter_json():
            seq = append(message["id"], message["content"])
            await socket.send_json({"type": "ack", "id": message["id"], "seq": seq})
    finally:
        outboxes.discard(outbox)
        writer.cancel()


async def write(socket: WebSocket, outbox: asyncio.Queue, seen: int):
    sql = "SELECT seq, content FROM chats WHERE seq > ? ORDER BY seq"
    for seq, content in db.execute(sql, (seen,)).fetchall():
        await socket.send_json({"type": "chat", "seq": seq, "content": content})
        seen = seq
    while True:
        seq, content = await outbox.get()
        if seq > seen:  # What was in the log and in the outbox comes once.
            await socket.send_json({"type": "chat", "seq": seq, "content": content})
