from typing import Annotated, Literal

from fastapi import FastAPI, WebSocket
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

app = FastAPI()


class Chat(BaseModel):
    type: Literal["chat"]
    content: str


class Ping(BaseModel):
    type: Literal["ping"]


ClientMessage = TypeAdapter(Annotated[Chat | Ping, Field(discriminator="type")])


@app.websocket("/ws")
async def talk(socket: WebSocket):
    await socket.accept()
    while True:
        try:
            message = ClientMessage.validate_json(await socket.receive_text())
            await socket.send_json(message.model_dump())
        except ValidationError as error:
            await socket.send_json({"type": "error", "message": error.errors()[0]["msg"]})
