import asyncio

from fastapi import FastAPI, HTTPException, Response, WebSocket
from pydantic import BaseModel

app = FastAPI()
users: dict[int, dict] = {}
outboxes: set[asyncio.Queue] = set()
version = 0
last_id = 0


class NewUser(BaseModel):
    name: str
    email: str
    is_active: bool = True


class UserChanges(BaseModel):
    name: str | None = None
    email: str | None = None
    is_active: bool | None = None


def publish(kind: str, data: dict, response: Response) -> None:
    global version
    version += 1  # No await between the change and here, so nothing comes between.
    response.headers["x-version"] = str(version)
    for outbox in list(outboxes):
        if outbox.full():
            outboxes.discard(outbox)  # Too slow.
        else:
            outbox.put_nowait({"type": kind, "model": "users", "version": version, "data": data})


@app.get("/users")
async def all_users(response: Response):
    response.headers["x-version"] = str(version)
    return list(users.values())


@app.post("/users", status_code=201)
async def create(new: NewUser, response: Response):
    global last_id
    last_id += 1
    users[last_id] = {"id": last_id} | new.model_dump()
    publish("created", users[last_id], response)
    return users[last_id]


@app.patch("/users/{id}")
async def update(id: int, changes: UserChanges, response: Response):
    if id not in users:
        raise HTTPException(404, f"There is no user {id}.")
    users[id] = users[id] | changes.model_dump(exclude_unset=True)
    publish("updated", users[id], response)
    return users[id]


@app.websocket("/ws/users")
async def subscribe(socket: WebSocket):
    await socket.accept()
    outbox = asyncio.Queue(256)
    outboxes.add(outbox)
    try:
        await socket.send_json({"type": "connection"})
        while outbox in outboxes:
            await socket.send_json(await outbox.get())
        await socket.close(4008, "too slow")
    finally:
        outboxes.discard(outbox)
