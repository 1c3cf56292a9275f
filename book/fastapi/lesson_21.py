import asyncio
import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket
from prometheus_client import Counter, Gauge, Histogram, start_http_server

METRICS_PORT = int(os.environ.get("METRICS_PORT", 8001))

connections = Gauge("chat_connections", "Connections that are open")
messages = Counter("chat_messages_total", "Messages that clients have sent")
lag = Histogram("chat_loop_lag_seconds", "How late a task woke up")


async def measure_lag():
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.1
        await asyncio.sleep(0.1)
        lag.observe(loop.time() - due)


@asynccontextmanager
async def lifespan(app: FastAPI):
    start_http_server(METRICS_PORT, "127.0.0.1")
    task = asyncio.create_task(measure_lag())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    with connections.track_inprogress():
        async for text in socket.iter_text():
            messages.inc()
            await socket.send_text(text)
