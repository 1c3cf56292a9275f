from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket, WebSocketException

app = FastAPI()


async def guest(token: str = ""):
    if token != "let-me-in":
        raise WebSocketException(code=4001, reason="This is not the token.")


@app.websocket("/ws")
async def chat(socket: WebSocket, _: Annotated[None, Depends(guest)], echo: bool = True):
    await socket.accept()
    await socket.send_text(f"Echo: {echo}.")
