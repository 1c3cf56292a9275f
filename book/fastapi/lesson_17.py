import asyncio
import time

from fastapi import BackgroundTasks, FastAPI, Request, WebSocket

app = FastAPI()
percent: dict[int, int] = {}


@app.post("/tasks", status_code=202)
async def start(request: Request, background: BackgroundTasks):
    words, task = (await request.body()).split(), len(percent) + 1
    percent[task] = 0
    background.add_task(count, task, words)
    return {"id": task}


# Not `async def`: FastAPI gives it a thread of its own.
def count(task: int, words: list[bytes]):
    for step in range(10):
        time.sleep(0.1)
        percent[task] = 10 * (step + 1)


@app.websocket("/ws/tasks")
async def progress(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_json(percent)
        await asyncio.sleep(0.1)
