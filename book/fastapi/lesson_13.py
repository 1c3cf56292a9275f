from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket


@asynccontextmanager
async def lifespan(app: FastAPI):
    print("before the port is open", flush=True)
    yield
    print("after the last socket is closed", flush=True)


app = FastAPI(lifespan=lifespan)


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)
    print("a socket is closed", flush=True)
