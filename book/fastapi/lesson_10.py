import time

from fastapi import FastAPI, WebSocket

app = FastAPI()


@app.websocket("/ws")
async def talk(socket: WebSocket):
    await socket.accept()
    pace = Pace(per_second=10, burst=20)
    async for text in socket.iter_text():
        await socket.send_text(text if pace.allows() else "too many messages")


class Pace:
    def __init__(self, per_second: float, burst: float):
        self.per_second, self.burst = per_second, burst
        self.left, self.last = burst, time.monotonic()

    def allows(self) -> bool:
        now = time.monotonic()
        earned = (now - self.last) * self.per_second
        self.left, self.last = min(self.burst, self.left + earned), now
        if self.left < 1:
            return False
        self.left -= 1
        return True
