import asyncio

from fastapi import FastAPI, WebSocket

app = FastAPI()


class Outbox(asyncio.Queue):
    missed = 0

    def send(self, message: str):
        if self.full():
            self.get_nowait()
            self.missed += 1
        self.put_nowait(message)


@app.websocket("/ws")
async def talk(socket: WebSocket):
    await socket.accept()
    outbox = Outbox(maxsize=32)
    async with asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(write(socket, outbox))
        async for text in socket.iter_text():
            for number in range(int(text)):
                outbox.send(f"{number}")
        writer.cancel()


async def write(socket: WebSocket, outbox: Outbox):
    while True:
        message = await outbox.get()
        missed, outbox.missed = outbox.missed, 0
        if missed:
            await socket.send_text(f"missed {missed}")
        async with asyncio.timeout(10):
            await socket.send_text(message)
