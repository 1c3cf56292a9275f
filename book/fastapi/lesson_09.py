import uvicorn
from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"Echo: {text}")


def serve(port=8000, ask_after=20, answer_within=10):
    uvicorn.run(app, port=port, ws_ping_interval=ask_after, ws_ping_timeout=answer_within)
