//! A wrong way: it leaves the WebSockets to axum's graceful shutdown.

use std::{error::Error, net::SocketAddr};

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::oneshot,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

async fn serve(listener: TcpListener, app: Router, signal: oneshot::Receiver<()>) {
    let stop = async {
        let _ = signal.await;
    };
    let _ = axum::serve(listener, app).with_graceful_shutdown(stop).await;
}

fn app() -> Router {
    Router::new()
        .route("/ws", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// What Ana sees. Her runtime and the server's are two programs: when one is dropped, it
/// ends.
pub fn report() -> Result<String, Box<dyn Error>> {
    let (program, ana) = (Runtime::new()?, Runtime::new()?);
    let listener = program.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let addr = listener.local_addr()?;
    let (sender, signal) = oneshot::channel();
    let serving = program.spawn(serve(listener, app(), signal));
    let mut socket = ana.block_on(connect(addr))?;
    let mut said = String::new();

    drop(sender); // The signal.
    ana.block_on(serving)?;
    said.push_str("A signal comes, and axum::serve returns.\n");

    ana.block_on(socket.send(Message::text("still there?")))?;
    let answer = ana.block_on(socket.next()).ok_or("no answer came")??;
    said.push_str(&format!("Ana sends a text, and receives: {answer}\n"));

    drop(program);
    let end = ana.block_on(socket.next()).ok_or("no end came")?;
    let end = end.err().ok_or("another message came")?;
    said.push_str(&format!("Then the program ends, and Ana's library says: {end}\n"));
    Ok(said)
}

async fn connect(addr: SocketAddr) -> Result<WebSocketStream<TcpStream>, Box<dyn Error>> {
    let stream = TcpStream::connect(addr).await?;
    let (socket, _) = client_async(format!("ws://{addr}/ws"), stream).await?;
    Ok(socket)
}
