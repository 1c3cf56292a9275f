//! A client that goes silent: it keeps its connection open and reads, and sends nothing
//! any more. It does not even answer a ping, which no page in a browser can do.
//!
//! It signs in, joins the room `rust`, and prints what it receives.
//!
//! Run:   cargo run -p probe --example silent -- ben ben-likes-jam
//! Needs: lesson 08, or a later one, on port 8000, or at `ADDR`.

use std::{env, error::Error};

use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{self, AsyncRead, sink, split},
    net::TcpStream,
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::client::generate_key, protocol::Role},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [username, password] = args.as_slice() else {
        pages::quit("Say who you are: a name and a password.");
    };
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8000".into());

    match join(&addr, username, password).await {
        Ok(reader) => read(reader).await,
        Err(error) => pages::quit(format!("{addr}: {error}")),
    }
}

/// Signs in and opens a WebSocket. Returns the half of the connection that reads.
async fn join(addr: &str, username: &str, password: &str) -> Result<impl AsyncRead> {
    let stream = TokioIo::new(TcpStream::connect(addr).await?);
    let (mut server, connection) = handshake(stream).await?;
    tokio::spawn(connection.with_upgrades());

    let token = login(&mut server, addr, username, password).await?;
    let request = Request::get("/ws/chat/rust")
        .header(header::HOST, addr)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, generate_key())
        .body(Full::default())?;
    server.ready().await?; // The answer to the login may not be finished yet.
    let response = server.send_request(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(text(response.into_body()).await?.into());
    }

    let (reader, _writer) = split(TokioIo::new(hyper::upgrade::on(response).await?));
    Ok(reader)
}

async fn login(
    server: &mut SendRequest<Full<Bytes>>,
    addr: &str,
    username: &str,
    password: &str,
) -> Result<String> {
    let body = json!({ "username": username, "password": password }).to_string();
    let request = Request::post("/login")
        .header(header::HOST, addr)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body.into()))?;
    let response = server.send_request(request).await?;
    let (status, body) = (response.status(), text(response.into_body()).await?);

    let response: Value = serde_json::from_str(&body).unwrap_or_default();
    response["token"].as_str().map(String::from).ok_or(format!("{status} {body}").into())
}

async fn text(body: Incoming) -> Result<String> {
    let bytes = body.collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints what comes, until the connection is at its end.
async fn read(reader: impl AsyncRead + Unpin) {
    // The library answers pings by itself. Its pongs go into the sink, and get lost.
    let stream = io::join(reader, sink());
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;

    let start = Instant::now();
    let print =
        |what: String| println!("{:5.1} s  {what}", start.elapsed().as_secs_f64());
    print("I am in, and silent from now on.".into());

    while let Some(Ok(message)) = socket.next().await {
        print(match message {
            Message::Ping(_) => "A ping. I do not answer.".into(),
            Message::Close(Some(frame)) => {
                format!("A Close: {}, “{}”.", u16::from(frame.code), frame.reason)
            }
            message => format!("I receive {message}"),
        });
    }
    print("The connection has ended.".into());
}
