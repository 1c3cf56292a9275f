//! The way to a socket: signing in, a TCP connection, and the handshake.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    pin::Pin,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tungstenite::handshake::{client::generate_key, derive_accept_key};

use crate::options::{List, Options};

/// How long a handshake may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The kernel's buffer of somebody who does not read, in bytes. With the usual one, which
/// grows to megabytes, it takes long until the server notices.
const SLOW_BUFFER: u32 = 4096;

/// What can become a WebSocket: a TCP connection, or in the tests something in memory.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens a connection for the member with this number, who may be slow.
pub type Open = Box<dyn Fn(usize, bool) -> Opening + Send + Sync>;
pub type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Opens connections to the server of the options.
///
/// The error is a sentence for the person who started the program.
pub fn open(options: &Options) -> Result<Open, String> {
    let Options { server, from: List(from), .. } = options.clone();
    let found =
        server.to_socket_addrs().map_err(|error| format!("{server}: {error}."))?;
    // `localhost` may be two addresses, and the course's servers listen at 127.0.0.1.
    let to = found.min_by_key(SocketAddr::is_ipv6);
    let to = to.ok_or(format!("{server} has no address."))?;
    std::net::TcpStream::connect(to)
        .map_err(|error| format!("{to}: {error}. Is the server running?"))?;
    Ok(Box::new(move |member, is_slow| {
        let from = from.get(member % from.len().max(1)).copied();
        Box::pin(async move {
            let stream = open_tcp(to, from, is_slow).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }))
}

async fn open_tcp(
    to: SocketAddr,
    from: Option<IpAddr>,
    is_slow: bool,
) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if is_slow {
        socket.set_recv_buffer_size(SLOW_BUFFER)?;
    }
    if let Some(from) = from {
        socket.bind((from, 0).into())?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Opens a connection, and makes it a WebSocket. Beside it come the bytes that the server has
/// sent after its response. The error is what was wrong, such as the server's own words.
pub async fn connect(
    opening: Opening,
    host: &str,
    path: &str,
) -> io::Result<(Box<dyn Stream>, Vec<u8>)> {
    let connecting = async {
        let mut stream = opening.await?;
        let rest = handshake(&mut stream, host, path).await?;
        Ok((stream, rest))
    };
    timeout(TIMEOUT, connecting).await?
}

async fn handshake(
    stream: &mut impl Stream,
    host: &str,
    path: &str,
) -> io::Result<Vec<u8>> {
    let key = generate_key();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut received = Vec::new();
    let end = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let rest = received.split_off(end);
    let head = String::from_utf8_lossy(&received);
    if head.starts_with("HTTP/1.1 101 ")
        && head.contains(&derive_accept_key(key.as_bytes()))
    {
        return Ok(rest);
    }
    let status = head.lines().next().unwrap_or_default();
    Err(io::Error::other(format!("{status} {}", String::from_utf8_lossy(&rest))))
}

/// The path of a member's socket.
pub fn path(options: &Options, people: &[Person], member: usize) -> String {
    let room = member / options.members;
    // Members of one room are neighbours, so they are different people.
    match people.get(member % people.len().max(1)) {
        Some(Person { token, .. }) => format!("/ws/chat/room-{room}?token={token}"),
        None => format!("/ws/chat/room-{room}/member-{member}"),
    }
}

/// Somebody who has signed in.
#[derive(Clone, Serialize, Deserialize)]
pub struct Person {
    token: String,
}

/// Everybody in the file of the options, signed in, if there is a file.
///
/// The error is a sentence for the person who started the program.
pub fn people(options: &Options) -> Result<Vec<Person>, String> {
    let Options { people: file, server, rooms, members, .. } = options;
    if file.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let failed = |error| format!("{}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let person = |line: &str| match line.split_once(' ') {
        // So begins every token of this kind, because it is JSON in base64.
        Some((_, token)) if token.starts_with("eyJ") => {
            Ok(Person { token: token.into() })
        }
        Some((name, password)) => {
            sign_in(server, name, password.trim()).map_err(|e| failed(e.to_string()))
        }
        None => Err(failed(format!("{line:?} is no name and password."))),
    };
    let lines = text.lines().take(rooms * members);
    let people: Vec<Person> = lines.map(person).collect::<Result<_, _>>()?;
    match people.len() {
        enough if enough >= *members => Ok(people),
        few => Err(failed(format!("{few} people are too few for rooms of {members}."))),
    }
}

fn sign_in(server: &str, name: &str, password: &str) -> Result<Person, ureq::Error> {
    let account = serde_json::json!({ "username": name, "password": password });
    let request = ureq::post(format!("http://{server}/login"));
    let mut response =
        request.content_type("application/json").send(account.to_string())?;
    let text = response.body_mut().read_to_string()?;
    serde_json::from_str(&text).map_err(|error| ureq::Error::Other(error.into()))
}
