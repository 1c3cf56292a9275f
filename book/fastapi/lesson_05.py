from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket, WebSocketException

app = FastAPI()


async def valid_token(token: str = ""):
    if token != "let-me-in":
        raise WebSocketException(code=4001, reason="This is not the token.")


@app.websocket("/ws")
async def chat(socket: WebSocket, _: Annotated[None, Depends(valid_token)], echo: bool = True):
    await socket.accept()
    await socket.send_text(f"Echo: {echo}.")
