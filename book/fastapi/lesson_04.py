from fastapi import FastAPI, HTTPException, WebSocket

app = FastAPI()
connected: set[int] = set()


@app.websocket("/ws/{client_id}")
async def greet(socket: WebSocket, client_id: int):
    if client_id in connected:
        raise HTTPException(409, f"Client {client_id} is connected already.")
    connected.add(client_id)
    try:
        await socket.accept()
        await socket.send_text(f"You are client {client_id}.")
        await socket.receive_text()
    finally:
        connected.discard(client_id)
