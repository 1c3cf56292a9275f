from typing import Annotated

from fastapi import (
    APIRouter,
    Cookie,
    Depends,
    FastAPI,
    Header,
    Query,
    WebSocket,
    WebSocketDisconnect,
    WebSocketException,
)
from fastapi.middleware.cors import CORSMiddleware

app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["https://chat.example.com"])
log: list[str] = []


@app.middleware("http")
async def note(request, call_next):
    log.append(f"middleware {request.url.path}")
    return await call_next(request)


@app.get("/log")
async def read_log():
    return log


@app.websocket("/ws/json")
async def json_endpoint(socket: WebSocket):
    await socket.accept()
    while True:
        data = await socket.receive_json()
        await socket.send_json({"type": "response", "data": data})


@app.websocket("/ws/json/processed")
async def processed(socket: WebSocket):
    await socket.accept()
    while True:
        data = await socket.receive_json()
        await socket.send_json({"received": data, "processed": True, "echo": data.get("message", "")})


@app.websocket("/ws/bytes")
async def bytes_endpoint(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_bytes(await socket.receive_bytes())


async def verify_token(token: Annotated[str, Query()]):
    log.append("dependency")
    if token != "secret-token":
        raise WebSocketException(code=1008, reason="Invalid token")
    return token


@app.websocket("/ws/auth")
async def auth(socket: WebSocket, token: Annotated[str, Depends(verify_token)]):
    log.append("handler")
    await socket.accept()
    await socket.send_text(f"Authenticated with token: {token}")


@app.websocket("/ws/auth/polite")
async def polite(socket: WebSocket, token: str = Query(...)):
    await socket.accept()
    await verify_token(token)
    await socket.send_text(f"Authenticated with token: {token}")


@app.websocket("/ws/auth/closed")
async def closed(socket: WebSocket, token: str = Query(...)):
    if token != "secret-token":
        await socket.close(code=4001, reason="Invalid token")


@app.websocket("/ws/session")
async def session_endpoint(
    socket: WebSocket,
    session: Annotated[str, Cookie()],
    x_token: Annotated[str, Header()],
):
    await socket.accept()
    await socket.send_text("Authenticated")


class ConnectionManager:
    def __init__(self):
        self.users: dict[str, WebSocket] = {}

    async def register_user(self, name: str, socket: WebSocket):
        await socket.accept()
        self.users[name] = socket

    def unregister_user(self, name: str):
        self.users.pop(name, None)

    async def send_to_user(self, name: str, data: dict):
        if socket := self.users.get(name):
            await socket.send_json(data)


manager = ConnectionManager()


@app.websocket("/ws/user/{name}")
async def user_endpoint(socket: WebSocket, name: str):
    await manager.register_user(name, socket)
    try:
        while True:
            data = await socket.receive_json()
            await manager.send_to_user(data["to"], {"from": name, "content": data["content"]})
    except WebSocketDisconnect:
        manager.unregister_user(name)


router = APIRouter(prefix="/api/v1")


@router.websocket("/notifications")
async def notifications(socket: WebSocket):
    await socket.accept()
    await socket.send_json({"type": "connected"})
    async for _ in socket.iter_text():
        pass


@router.get("/users/")
async def list_users():
    return []


app.include_router(router)
