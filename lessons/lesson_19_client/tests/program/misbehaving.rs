//! Servers that do what servers should not do, and what the client makes of it.

use std::{io, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role},
    },
};

use crate::process::Client;

/// Far longer than anything takes here.
const LIMIT: Duration = Duration::from_secs(30);

const WELCOME: &str = r#"{"type":"welcome","log":"4f1c","seq":9}"#;

/// A server that does what a test tells it.
struct Server {
    listener: TcpListener,
    url: String,
}

type Socket = WebSocketStream<TcpStream>;

impl Server {
    async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, url })
    }

    /// The next request for a socket: its first line and its key. Nobody signs in here.
    async fn request(&self) -> io::Result<(String, String, TcpStream)> {
        loop {
            let accepted = timeout(LIMIT, self.listener.accept()).await;
            let (mut connection, _) =
                accepted.map_err(|_| io::Error::other("Nobody came."))??;
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                head.push(connection.read_u8().await?.into());
            }
            if head.starts_with("GET /login ") {
                let refused = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                connection.write_all(refused).await?;
                continue;
            }
            let key =
                head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let key = key.ok_or_else(|| io::Error::other(format!("No key in {head}")))?;
            let path = head.split(' ').nth(1).unwrap_or_default();
            return Ok((path.into(), key.into(), connection));
        }
    }

    /// Answers the next request for a socket, and greets.
    async fn accept(&self, greeting: &str) -> io::Result<(String, Socket)> {
        let (path, key, mut connection) = self.request().await?;
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        connection.write_all(answer.as_bytes()).await?;
        let mut socket =
            WebSocketStream::from_raw_socket(connection, Role::Server, None).await;
        says(&mut socket, greeting).await?;
        Ok((path, socket))
    }

    /// The client of Ana, in the room "rust".
    fn ana(&self) -> io::Result<Client> {
        Client::start(&self.url, "rust", None)
    }
}

async fn says(socket: &mut Socket, text: &str) -> io::Result<()> {
    socket.send(text.into()).await.map_err(io::Error::other)
}

async fn closes(socket: &mut Socket, code: u16, reason: &'static str) -> io::Result<()> {
    let frame = CloseFrame { code: code.into(), reason: reason.into() };
    socket.send(Message::Close(Some(frame))).await.map_err(io::Error::other)
}

/// What comes next, but for pings in JSON.
async fn hears(socket: &mut Socket) -> io::Result<Message> {
    loop {
        let received = timeout(LIMIT, socket.next()).await.map_err(io::Error::other)?;
        match received.ok_or_else(|| io::Error::other("it has ended"))? {
            Ok(message) if message.to_string() == r#"{"type":"ping"}"# => {}
            Ok(message) => return Ok(message),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

fn chat(seq: u64, content: &str) -> String {
    format!(
        r#"{{"type":"chat","room":"rust","from":"ben","content":"{content}","seq":{seq},"timestamp":"2026-11-26T09:30:00.125Z"}}"#
    )
}

/// Waits for the client without holding up the server.
async fn with<T: Send + 'static>(
    mut client: Client,
    act: impl FnOnce(&mut Client) -> io::Result<T> + Send + 'static,
) -> io::Result<Client> {
    let task = spawn_blocking(move || act(&mut client).map(|_| client));
    task.await.map_err(io::Error::other)?
}

async fn ended(client: Client) -> io::Result<(Option<i32>, String, Vec<String>)> {
    spawn_blocking(|| client.has_ended()).await.map_err(io::Error::other)?
}

#[tokio::test]
async fn a_connection_that_is_cut_in_a_frame_is_resumed() -> io::Result<()> {
    let server = Server::start().await?;
    let ana = server.ana()?;
    let (first, mut socket) = server.accept(WELCOME).await?;
    says(&mut socket, &chat(7, "hello")).await?;
    socket.get_mut().write_all(&[0x81, 0x30, b'{', b'"']).await?; // 4 of 50 bytes.
    let ana = with(ana, |ana| ana.prints("ben: hello")).await?;
    drop(socket);

    let (second, mut socket) = server.accept(WELCOME).await?;
    says(&mut socket, &chat(7, "hello")).await?;
    says(&mut socket, &chat(8, "still here?")).await?;
    let ana = with(ana, |ana| ana.prints("ben: still here?")).await?;

    closes(&mut socket, 1000, "").await?;
    let (_, _, printed) = ended(ana).await?;
    assert_eq!(first, "/ws/chat/rust/ana?resume=0", "nobody signs in here");
    assert_eq!(second, "/ws/chat/rust/ana?resume=7&log=4f1c", "it has seen 7");
    let lines = printed.iter().filter(|line| line.contains("ben: hello")).count();
    assert_eq!(lines, 1, "7 came twice: {printed:#?}");
    Ok(())
}

#[tokio::test]
async fn what_was_typed_without_a_server_is_sent_once_and_again_only_if_it_has_to()
-> io::Result<()> {
    let server = Server::start().await?;
    let mut ana = server.ana()?;
    let (_, socket) = server.accept(WELCOME).await?;
    drop(socket);
    ana.types("hello")?;
    ana.types("still here?")?;

    let (_, mut socket) = server.accept(WELCOME).await?;
    let first = hears(&mut socket).await?;
    let second = hears(&mut socket).await?;
    drop(socket); // Neither is acknowledged.
    let (_, mut socket) = server.accept(WELCOME).await?;
    let again = [hears(&mut socket).await?, hears(&mut socket).await?];

    assert!(
        first.to_string().contains("hello"),
        "the first comes first, and not {first}"
    );
    assert_eq!(again, [first, second], "the server may have neither, so both come again");
    Ok(())
}

#[tokio::test]
async fn after_some_closes_it_comes_back() -> io::Result<()> {
    let server = Server::start().await?;
    let ana = server.ana()?;

    for code in [1001, 1013, 4008] {
        let (_, mut socket) = server.accept(WELCOME).await?;
        closes(&mut socket, code, "try again").await?;
        let answer = hears(&mut socket).await?;
        assert!(answer.is_close(), "a Close is answered by a Close, and not by {answer}");
    }

    let (_, mut socket) = server.accept(WELCOME).await?;
    says(&mut socket, &chat(1, "hello")).await?;
    with(ana, |ana| ana.prints("ben: hello")).await.map(drop)
}

#[tokio::test]
async fn after_other_closes_it_ends_with_a_sentence() -> io::Result<()> {
    for (code, reason) in [(1009, "too big"), (4009, "this name is taken"), (1000, "go")]
    {
        let server = Server::start().await?;
        let ana = server.ana()?;
        let (_, mut socket) = server.accept(WELCOME).await?;
        closes(&mut socket, code, reason).await?;
        let _ = hears(&mut socket).await?;
        drop(socket);

        let (status, errors, _) = ended(ana).await?;

        assert_eq!(status, Some(1), "after {code} it cannot go on");
        let sentence = format!("* Not connected: {reason} ({code}).\n");
        assert_eq!(errors, sentence, "the person should know why");
    }
    Ok(())
}

#[tokio::test]
async fn what_it_does_not_understand_does_not_end_it() -> io::Result<()> {
    let server = Server::start().await?;
    let ana = server.ana()?;
    let (_, mut socket) = server.accept(WELCOME).await?;

    for text in ["", "{", "[1]", r#"{"type":"news"}"#, r#"{"type":"chat","seq":"x"}"#] {
        says(&mut socket, text).await?;
    }
    socket.send(vec![0, 159, 146, 150].into()).await.map_err(io::Error::other)?;
    socket.send(Message::Ping("?".into())).await.map_err(io::Error::other)?;
    says(&mut socket, &chat(1, "hello")).await?;

    let ana = with(ana, |ana| ana.prints("ben: hello")).await?;
    assert_eq!(
        hears(&mut socket).await?,
        Message::Pong("?".into()),
        "a ping is answered"
    );
    drop(ana);
    Ok(())
}

/// What was not understood may be a fault of what lies between, and so the next try may succeed.
#[tokio::test]
async fn bytes_that_are_no_http_and_no_frame_are_a_lost_connection() -> io::Result<()> {
    let server = Server::start().await?;
    let mut ana = server.ana()?;

    let (.., mut connection) = server.request().await?;
    connection.write_all(b"\x16\x03\x01 hello\r\n\r\n").await?;
    drop(connection);
    ana = with(ana, |ana| ana.prints("(1006). Next try in")).await?;
    let unknown_opcode = [0x83, 0];
    let no_utf_8 = [0x81, 2, 0xc3, 0x28];
    for frame in [&unknown_opcode[..], &no_utf_8] {
        let (_, mut socket) = server.accept(WELCOME).await?;
        socket.get_mut().write_all(frame).await?;
        ana = with(ana, |ana| ana.prints("(1006). Next try in")).await?;
    }

    let (_, mut socket) = server.accept(WELCOME).await?;
    says(&mut socket, &chat(1, "hello")).await?;
    with(ana, |ana| ana.prints("ben: hello")).await.map(drop)
}

#[tokio::test]
async fn a_message_that_is_too_long_gets_1009() -> io::Result<()> {
    let server = Server::start().await?;
    let ana = server.ana()?;
    let (_, mut socket) = server.accept(WELCOME).await?;

    // The head of a frame of a gigabyte. Nothing of it has to be sent.
    socket.get_mut().write_all(&[0x81, 127, 0, 0, 0, 0, 0x40, 0, 0, 0]).await?;

    let Message::Close(Some(CloseFrame { code, .. })) = hears(&mut socket).await? else {
        return Err(io::Error::other("A Close should come."));
    };
    assert_eq!(u16::from(code), 1009, "too big");
    drop(socket);
    let (status, errors, _) = ended(ana).await?;
    assert_eq!(status, Some(1), "the next try would end in the same way");
    assert!(errors.contains("1009"), "the person should know why: {errors}");
    Ok(())
}

#[tokio::test]
async fn a_refused_handshake_says_why_and_some_are_tried_again() -> io::Result<()> {
    let server = Server::start().await?;
    let ana = server.ana()?;

    let (.., mut connection) = server.request().await?;
    connection.write_all(&refusal("503 Service Unavailable", "full")).await?;
    drop(connection);
    let (.., mut connection) = server.request().await?;
    connection
        .write_all(&refusal("400 Bad Request", "a name has \u{1b}[31m letters"))
        .await?;
    drop(connection);

    let (status, errors, printed) = ended(ana).await?;
    assert!(
        printed[0].starts_with("* Not connected: full (503). Next try in "),
        "{printed:?}"
    );
    assert_eq!(status, Some(1), "a bad name stays bad");
    let sentence = "* Not connected: a name has  [31m letters (400).\n";
    assert_eq!(errors, sentence, "without what a terminal would obey");
    Ok(())
}

fn refusal(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

#[tokio::test]
async fn a_slow_handshake_is_waited_for() -> io::Result<()> {
    let server = Server::start().await?;
    let mut ana = server.ana()?;
    ana.types("hello")?;
    sleep(Duration::from_millis(500)).await; // It is what this test is about.

    let (_, mut socket) = server.accept(WELCOME).await?;

    let chat = hears(&mut socket).await?.to_string();
    assert!(chat.contains("hello"), "what was typed meanwhile comes: {chat}");
    Ok(())
}

#[tokio::test]
async fn a_new_log_is_read_from_its_beginning() -> io::Result<()> {
    let server = Server::start().await?;
    let ana = server.ana()?;
    let (_, mut socket) = server.accept(WELCOME).await?;
    says(&mut socket, &chat(57, "from the old log")).await?;
    let ana = with(ana, |ana| ana.prints("from the old log")).await?;
    drop(socket);

    let (_, mut socket) =
        server.accept(r#"{"type":"welcome","log":"77aa","seq":2}"#).await?;
    says(&mut socket, r#"{"type":"gap","next":1}"#).await?;
    says(&mut socket, &chat(1, "from the new log")).await?;
    let ana = with(ana, |ana| ana.prints("missing")).await?;
    let ana = with(ana, |ana| ana.prints("from the new log")).await?;
    drop(socket);

    let (path, _) = server.accept(WELCOME).await?;
    assert_eq!(
        path, "/ws/chat/rust/ana?resume=1&log=77aa",
        "its number belongs to the log"
    );
    drop(ana);
    Ok(())
}

#[tokio::test]
#[cfg(unix)]
async fn ctrl_c_leaves_with_1000_even_if_something_is_not_sent() -> io::Result<()> {
    let server = Server::start().await?;
    let mut ana = server.ana()?;
    let (_, mut socket) = server.accept(WELCOME).await?;
    ana.types("hello")?;
    let chat = hears(&mut socket).await?;

    ana.interrupt()?;

    assert!(chat.is_text(), "it is sent, and never acknowledged: {chat}");
    let Message::Close(Some(CloseFrame { code, .. })) = hears(&mut socket).await? else {
        return Err(io::Error::other("A Close should come."));
    };
    assert_eq!(u16::from(code), 1000, "she leaves because she wants to");
    let _ = socket.next().await; // The answer to the Close is sent.
    assert_eq!(ended(ana).await?.0, Some(0), "that is no error");
    Ok(())
}

#[tokio::test]
async fn a_text_cannot_make_the_terminal_do_anything() -> io::Result<()> {
    let server = Server::start().await?;
    let ana = server.ana()?;
    let (_, mut socket) = server.accept(WELCOME).await?;

    says(&mut socket, &chat(1, r"\u001b]0;owned\u0007\nana: I agree")).await?;

    let ana = with(ana, |ana| {
        let line = ana.prints("I agree")?;
        assert_eq!(
            line, "09:30 ben:  ]0;owned  ana: I agree",
            "one line, and no escapes"
        );
        Ok(())
    })
    .await?;
    drop(ana);
    Ok(())
}
