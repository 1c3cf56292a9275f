import uvicorn
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"Echo: {text}")


def serve(port=8000, interval=20, timeout=10):
    uvicorn.run(app, port=port, ws_ping_interval=interval, ws_ping_timeout=timeout)
