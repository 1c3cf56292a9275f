import time
from collections import defaultdict

from fastapi import FastAPI, WebSocket


class RateLimiter:
    def __init__(self, per_second: float, burst: float):
        self.each, self.size = 1 / per_second, burst / per_second
        self.full_at = defaultdict(float)

    def allows(self, username: str) -> bool:
        now = time.monotonic()
        full_at = max(now, self.full_at[username]) + self.each
        if full_at > now + self.size:
            return False
        self.full_at[username] = full_at
        return True


app = FastAPI()
limiter = RateLimiter(per_second=10, burst=20)


@app.websocket("/ws/{username}")
async def echo(socket: WebSocket, username: str):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text if limiter.allows(username) else "too many messages")
