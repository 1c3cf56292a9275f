//! A client that goes silent: it keeps its line open and listens, and never says a word
//! again. It does not even answer a ping, which no page in a browser can do.
//!
//! It signs in, enters the room `rust`, and prints what it hears.
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
    io::{AsyncRead, join, sink, split},
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

    match enter(&addr, username, password).await {
        Ok(ears) => listen(ears).await,
        Err(error) => pages::quit(format!("{addr}: {error}")),
    }
}

/// Signs in and opens a WebSocket. What comes back is the half of it that reads.
async fn enter(addr: &str, username: &str, password: &str) -> Result<impl AsyncRead> {
    let line = TokioIo::new(TcpStream::connect(addr).await?);
    let (mut server, line) = handshake(line).await?;
    tokio::spawn(line.with_upgrades());

    let token = log_in(&mut server, addr, username, password).await?;
    let request = Request::get("/ws/chat/rust")
        .header(header::HOST, addr)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, generate_key())
        .body(Full::default())?;
    let response = server.send_request(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(words(response.into_body()).await?.into());
    }

    let (ears, _mouth) = split(TokioIo::new(hyper::upgrade::on(response).await?));
    Ok(ears)
}

async fn log_in(
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
    let (status, body) = (response.status(), words(response.into_body()).await?);

    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    answer["token"].as_str().map(String::from).ok_or(format!("{status} {body}").into())
}

async fn words(body: Incoming) -> Result<String> {
    let bytes = body.collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints what comes, until the line is at its end.
async fn listen(ears: impl AsyncRead + Unpin) {
    // The library answers pings by itself. Its answers go nowhere.
    let line = join(ears, sink());
    let mut socket = WebSocketStream::from_raw_socket(line, Role::Client, None).await;

    let start = Instant::now();
    let tell = |what: String| println!("{:5.1} s  {what}", start.elapsed().as_secs_f64());
    tell("I am in, and silent from now on.".into());

    while let Some(Ok(message)) = socket.next().await {
        tell(match message {
            Message::Ping(_) => "A ping. I do not answer.".into(),
            Message::Close(Some(frame)) => {
                format!("A Close: {}, “{}”.", u16::from(frame.code), frame.reason)
            }
            message => format!("I hear {message}"),
        });
    }
    tell("The line has ended.".into());
}
