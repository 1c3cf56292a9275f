import jwt
from fastapi import FastAPI, WebSocket, WebSocketException

app = FastAPI()
SECRET = "32 bytes or more, please, always"


@app.websocket("/ws/chat/{room}")
async def chat(socket: WebSocket, room: str, token: str = ""):
    username = current_user(token)
    await socket.accept()
    await socket.send_text(f"You are {username}.")


def current_user(token: str) -> str:
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"], audience="chat", issuer="us")["sub"]
    except jwt.InvalidTokenError as error:
        raise WebSocketException(code=4001, reason=str(error)) from error
