import asyncio
import time

from fastapi import FastAPI, WebSocket
from websockets.asyncio.client import connect

PAUSE = 0.02  # Between two messages, in seconds.

app = FastAPI()


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        if text == "report":
            time.sleep(1)  # A mistake: in an `async def`, this stops everybody.
        await socket.send_text(text)


async def closed_loop(url: str, count: int) -> list[float]:
    took = []
    async with connect(url) as socket:
        for number in range(count):
            sent = time.perf_counter()
            await socket.send(f"{number}")
            await socket.recv()
            took.append(time.perf_counter() - sent)
            await asyncio.sleep(PAUSE)
    return took


async def open_loop(url: str, count: int) -> list[float]:
    took = []
    async with connect(url) as socket, asyncio.TaskGroup() as tasks:
        begin = time.perf_counter()
        due = [begin + number * PAUSE for number in range(count)]
        tasks.create_task(send_when_due(socket, due))
        for moment in due:
            await socket.recv()
            took.append(time.perf_counter() - moment)
    return took


async def send_when_due(socket, due: list[float]):
    for number, moment in enumerate(due):
        await asyncio.sleep(moment - time.perf_counter())
        await socket.send(f"{number}")
