from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    try:
        while (text := await socket.receive_text()) != "bye":
            await socket.send_text(f"Echo: {text}")
        await socket.close(1000, "Goodbye!")
    except WebSocketDisconnect as left:
        print(f"A client left with {left.code}.", flush=True)
