from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
connections: list[WebSocket] = []


@app.websocket("/ws")
async def chat(socket: WebSocket):
    await socket.accept()
    connections.append(socket)
    try:
        while True:
            await broadcast(await socket.receive_text(), exclude=socket)
    except WebSocketDisconnect:
        connections.remove(socket)


async def broadcast(text: str, exclude: WebSocket):
    for socket in list(connections):
        if socket is not exclude:
            await socket.send_text(text)
