import asyncio
import os
import sqlite3
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Response, WebSocket
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

app = FastAPI()
db = sqlite3.connect(os.environ.get("DATABASE", ":memory:"), check_same_thread=False, isolation_level=None)
db.row_factory = sqlite3.Row
db.execute("PRAGMA journal_mode = WAL")
db.executescript("""
    CREATE TABLE IF NOT EXISTS changes (version INTEGER NOT NULL);
    INSERT INTO changes SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM changes);
    CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL,
        name TEXT NOT NULL, email TEXT NOT NULL UNIQUE COLLATE NOCASE, phone TEXT);
""")
turn = asyncio.Lock()
subscribers: set[asyncio.Queue] = set()

# Lesson 08 has how one knows who it is. Here the header says so.
Person = Annotated[str, Header(alias="x-user")]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class NewUser(BaseModel, extra="forbid"):
    name: Name
    email: str
    phone: str | None = None


class UserChanges(BaseModel, extra="forbid"):
    name: Name = ""  # Never used: `exclude_unset` leaves out what the body does not name.
    email: str = ""
    phone: str | None = None


@app.post("/api/v1/users", status_code=201)
async def create(new: NewUser, person: Person, response: Response):
    async with turn:  # The next change waits until this one is announced.
        version, row = await run_in_threadpool(insert, person, new)
        announce("created", version, row)
    response.headers["x-version"] = str(version)
    return row


def insert(owner: str, new: NewUser) -> tuple[int, dict]:
    db.execute("BEGIN IMMEDIATE")
    try:
        sql = "INSERT INTO users (owner, name, email, phone) VALUES (?, ?, ?, ?) RETURNING *"
        row = dict(db.execute(sql, (owner, new.name, new.email, new.phone)).fetchone())
        return next_version(), row
    except Exception as error:
        db.execute("ROLLBACK")
        if isinstance(error, sqlite3.IntegrityError):
            raise HTTPException(409, "Another user has this e-mail address.")
        raise


@app.patch("/api/v1/users/{id}")
async def update(id: int, changes: UserChanges, person: Person, response: Response):
    async with turn:
        named = changes.model_dump(exclude_unset=True)  # So null is not "missing".
        version, row = await run_in_threadpool(change, id, person, named)
        announce("updated", version, row)
    response.headers["x-version"] = str(version)
    return row


def change(id: int, person: str, named: dict) -> tuple[int, dict]:
    db.execute("BEGIN IMMEDIATE")
    try:
        row = db.execute("SELECT * FROM users WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise HTTPException(404, f"There is no user {id}.")
        if row["owner"] != person:
            raise HTTPException(403, f"Only its owner may change user {id}.")
        row = dict(row) | named
        db.execute("UPDATE users SET name = :name, email = :email, phone = :phone WHERE id = :id", row)
        return next_version(), row
    except Exception:
        db.execute("ROLLBACK")
        raise


def next_version() -> int:
    """Counts the change, and commits."""
    (version,) = db.execute("UPDATE changes SET version = version + 1 RETURNING version").fetchone()
    db.execute("COMMIT")
    return version


def announce(kind: str, version: int, row: dict):
    event = {"type": kind, "model": "users", "version": version, "data": row}
    for outbox in subscribers:
        outbox.put_nowait(event)


@app.websocket("/api/v1/ws/users")
async def follow(socket: WebSocket):
    await socket.accept()
    outbox = asyncio.Queue()  # Lesson 12 has what a limit is for.
    subscribers.add(outbox)
    try:
        await socket.send_json({"type": "connection", "channel": "users"})
        while True:
            await socket.send_json(await outbox.get())
    finally:
        subscribers.discard(outbox)
