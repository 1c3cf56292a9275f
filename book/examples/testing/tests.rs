//! Tests over a real connection, in real time.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::app;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long we wait for what should come. A test that fails takes so long.
const WAIT: Duration = Duration::from_secs(5);

/// Serves the application on a free port, and gives the beginning of its addresses.
async fn serve() -> String {
    // Port 0 is any port that is free, so tests can run side by side.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port should be free");
    let addr = listener.local_addr().expect("a listener has an address");
    // The task ends with the test, because the test's runtime does.
    tokio::spawn(async { axum::serve(listener, app()).await });
    format!("ws://{addr}")
}

async fn connect(url: &str) -> Client {
    let (client, _response) = timeout(WAIT, connect_async(url))
        .await
        .expect("the server should answer the handshake in time")
        .expect("the server should accept the WebSocket");
    client
}

async fn send(client: &mut Client, message: Message) {
    client.send(message).await.expect("the connection should be open");
}

/// The next message, or `None` when the connection has ended.
async fn recv(client: &mut Client) -> Option<Message> {
    timeout(WAIT, client.next())
        .await
        .expect("the server should send something, or end the connection")
        .transpose()
        .expect("the connection should end with a Close, if it ends")
}

#[tokio::test]
async fn a_text_comes_back() {
    let mut ana = connect(&format!("{}/ws", serve().await)).await;

    send(&mut ana, Message::text("hello")).await;

    let echo = Message::text("Echo: hello");
    assert_eq!(recv(&mut ana).await, Some(echo), "Ana sent hello");
}

#[tokio::test]
async fn a_close_is_answered_with_the_same_code() {
    let mut ana = connect(&format!("{}/ws", serve().await)).await;
    let close = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };

    send(&mut ana, Message::Close(Some(close.clone()))).await;

    let answer = Message::Close(Some(close));
    assert_eq!(recv(&mut ana).await, Some(answer), "Ana said goodbye");
    assert_eq!(recv(&mut ana).await, None, "after the Close nothing comes");
}

#[tokio::test]
async fn an_unknown_path_is_rejected_before_the_upgrade() {
    let url = format!("{}/nowhere", serve().await);

    let rejected = timeout(WAIT, connect_async(&url)).await.expect("it should answer");

    match rejected {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 404, "there is nothing at {url}");
        }
        Err(error) => panic!("it should answer with a status, but: {error}"),
        Ok(_) => panic!("there is nothing at {url}, but it accepts a WebSocket"),
    }
}
