from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    try:
        while (text := await socket.receive_text()) != "bye":
            await socket.send_text(f"Echo: {text}")
        await socket.close(1000, "Goodbye!")
    except WebSocketDisconnect as disconnect:
        print(f"client disconnected: {disconnect.code}", flush=True)
