from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws/{client_id}")
async def greet(socket: WebSocket, client_id: int):
    await socket.accept()
    await socket.send_text(f"You are client {client_id}.")
