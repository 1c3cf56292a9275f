from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_text(f"Echo: {await socket.receive_text()}")
