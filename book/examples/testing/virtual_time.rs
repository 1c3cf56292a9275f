//! Tests on virtual time: the clock stands still while anybody works, so a minute takes no
//! time.

use std::{future::pending, io, time::Duration};

use axum::serve::Listener;
use futures_util::StreamExt;
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, protocol::CloseFrame},
};

use super::{IDLE, IDLE_TIMEOUT, app};

/// A listener whose connections are pipes in memory.
struct MemoryListener(mpsc::Receiver<DuplexStream>);

impl Listener for MemoryListener {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => pending().await, // Nobody is left who could connect.
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// How a test connects to the server.
struct Server(mpsc::Sender<DuplexStream>);

impl Server {
    fn start() -> Self {
        let (sender, incoming) = mpsc::channel(1);
        tokio::spawn(async { axum::serve(MemoryListener(incoming), app()).await });
        Self(sender)
    }

    async fn connect(&self, path: &str) -> WebSocketStream<DuplexStream> {
        // As many bytes fit into the pipe, in each direction. Then a writer waits.
        let (ours, theirs) = duplex(16 * 1024);
        self.0.send(theirs).await.expect("the server should be running");
        let (client, _response) = client_async(format!("ws://server{path}"), ours)
            .await
            .expect("the server should accept the WebSocket");
        client
    }
}

const ONE_SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_idle_client_is_closed_after_a_minute_and_not_before() {
    let mut ana = Server::start().connect("/ws").await;

    let early = timeout(IDLE_TIMEOUT - ONE_SECOND, ana.next()).await;
    let in_time = timeout(2 * ONE_SECOND, ana.next()).await;

    assert!(early.is_err(), "59 s are not yet idle, but {early:?} came");
    let came = in_time.expect("a Close should come").and_then(Result::ok);
    let close = CloseFrame { code: IDLE.into(), reason: "idle".into() };
    assert_eq!(came, Some(Message::Close(Some(close))), "Ana was idle for a minute");
}
