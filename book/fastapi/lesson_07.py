from collections import defaultdict

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
rooms: dict[str, set[WebSocket]] = defaultdict(set)


@app.websocket("/ws/chat/{room}")
async def chat(socket: WebSocket, room: str):
    await socket.accept()
    rooms[room].add(socket)
    try:
        while True:
            text = await socket.receive_text()
            for member in list(rooms[room]):
                await member.send_text(text)
    except WebSocketDisconnect:
        leave(room, socket)


def leave(room: str, socket: WebSocket):
    rooms[room].discard(socket)
    if not rooms[room]:
        del rooms[room]


@app.get("/rooms")
async def list_rooms():
    return {name: len(members) for name, members in rooms.items()}
