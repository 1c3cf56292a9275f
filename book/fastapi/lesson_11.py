import asyncio

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse

app = FastAPI()
connections = asyncio.Semaphore(2)

FULL = PlainTextResponse("Too many connections.", 503, {"Retry-After": "10"})


@app.websocket("/ws")
async def echo(socket: WebSocket):
    if connections.locked():
        return await socket.send_denial_response(FULL)
    async with connections:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)


@app.get("/rooms")
async def rooms():
    return []
