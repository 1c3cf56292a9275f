import asyncio
import sqlite3

from fastapi import FastAPI, WebSocket
from fastapi.concurrency import run_in_threadpool

app = FastAPI()
db = sqlite3.connect(":memory:", check_same_thread=False)
db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL)")
turn = asyncio.Lock()
followers: set[asyncio.Queue] = set()


@app.post("/users", status_code=201)
async def create(user: dict[str, str]):
    async with turn:  # The next change waits until this one is announced.
        created = await run_in_threadpool(insert, user["name"])
        for outbox in followers:
            outbox.put_nowait({"type": "created", "data": created})
    return created


def insert(name: str) -> dict:
    with db:  # This commits.
        (number,) = db.execute("INSERT INTO users (name) VALUES (?) RETURNING id", (name,)).fetchone()
    return {"id": number, "name": name}


@app.websocket("/ws/users")
async def follow(socket: WebSocket):
    await socket.accept()
    outbox = asyncio.Queue(256)
    followers.add(outbox)
    try:
        await socket.send_json({"type": "connection"})
        while True:
            await socket.send_json(await outbox.get())
    finally:
        followers.discard(outbox)
