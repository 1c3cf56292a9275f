//! Over real TCP: a server, clients that write bytes, and the rows that come of it.

use std::{future::Future, io::IoSlice, time::Duration};

use axum::{extract::ConnectInfo, routing::get, serve::Listener};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, client::IntoClientRequest},
};
use tungstenite::protocol::{
    CloseFrame,
    frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::{
    hub::Token,
    row::{End, Side},
    tap::Tap,
    *,
};
use crate::without_delay;

/// How long anything may take.
const TIMEOUT: Duration = Duration::from_secs(10);

const ANA: &str = "Cookie: xray=000000000000000000000000000000aa.ana\r\n";
const EVE: &str = "Cookie: xray=000000000000000000000000000000ee.eve\r\n";

const MASK: [u8; 4] = [0xe0, 0xf7, 0xb1, 0xbb];

struct Server {
    hub: Hub,
    addr: SocketAddr,
}

/// Serves an echo, a rejection, and the viewers.
async fn serve() -> Server {
    let hub = Hub::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let listener = without_delay(TappedListener::new(listener, &hub));
    let addr = Listener::local_addr(&listener).expect("it has an address");
    let app =
        Router::new()
            .route(
                "/ws",
                any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }),
            )
            .route("/no", any(|| async { (StatusCode::UNAUTHORIZED, "Who are you?") }))
            .route("/long", any(|| async { (StatusCode::BAD_REQUEST, "a".repeat(5000)) }))
            .route(
                "/in",
                any(|| async {
                    (StatusCode::CONFLICT, [("set-cookie", "session=tea; Path=/")])
                }),
            )
            .route(
                "/who",
                get(|ConnectInfo(who): ConnectInfo<SocketAddr>| async move {
                    who.to_string()
                }),
            )
            .merge(router_of(hub.clone(), "https://chat.example.com"));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());

    Server { hub, addr }
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(&message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            break;
        }
    }
}

impl Server {
    async fn connect(&self) -> Client {
        Client { stream: soon(TcpStream::connect(self.addr)).await.expect("it listens") }
    }

    /// A client whose WebSocket is open.
    async fn upgrade(&self, headers: &str) -> Client {
        let mut client = self.connect().await;
        client.send(upgrade("/ws", headers)).await;
        let head = client.head().await;
        assert!(
            head.starts_with("HTTP/1.1 101 "),
            "the upgrade should be accepted: {head}"
        );
        client
    }

    /// The viewer of Ana's page.
    async fn viewer(&self) -> WebSocketStream<TcpStream> {
        let url = format!("ws://{}/lab/xray", self.addr);
        let mut request = url.into_client_request().expect("a URL");
        let cookie = ANA.trim_start_matches("Cookie: ").trim_end();
        request.headers_mut().insert("cookie", cookie.parse().expect("a header"));
        let stream = TcpStream::connect(self.addr).await.expect("it listens");
        soon(client_async(request, stream)).await.expect("it is accepted").0
    }

    /// The rows of a token.
    fn rows(&self, token: u128) -> Rows {
        let viewer =
            self.hub.subscribe(Token(token)).expect("there is room for a viewer");
        Rows { viewer, seen: Vec::new() }
    }
}

struct Client {
    stream: TcpStream,
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.expect("the server reads");
    }

    /// Reads a head, and nothing of what follows.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(self.stream.read_u8()).await.expect("the server answers"));
        }
        String::from_utf8(head).expect("a head is text")
    }

    /// Reads a head, and the body that it announces.
    async fn answer(&mut self) -> (String, String) {
        let head = self.head().await;
        let rest = head.split("content-length: ").nth(1).unwrap_or_default();
        let length = rest.split("\r\n").next().and_then(|length| length.parse().ok());
        let body = self.read(length.unwrap_or(0)).await;
        (head, String::from_utf8(body).expect("our bodies are text"))
    }

    async fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        soon(self.stream.read_exact(&mut bytes)).await.expect("the server answers");
        bytes
    }
}

/// Rows as they come.
struct Rows {
    viewer: Viewer,
    seen: Vec<Value>,
}

impl Rows {
    /// Waits for a row that has these members, and gives it.
    async fn until(&mut self, part: Value) -> Value {
        let fits = |row: &&Value| {
            part.as_object().is_some_and(|part| part.iter().all(|(k, v)| row[k] == *v))
        };
        loop {
            if let Some(row) = self.seen.iter().find(fits) {
                return row.clone();
            }
            let message = timeout(TIMEOUT, self.viewer.message()).await;
            let Ok(Some(rows)) = message else {
                panic!("no row has {part}: {:#?}", self.seen)
            };
            let rows: Vec<_> = serde_json::from_str(&rows)
                .unwrap_or_else(|error| panic!("{error}: {rows}"));
            self.seen.extend(rows);
        }
    }

    /// All rows of a kind that have come so far.
    fn of(&self, kind: &str) -> Vec<&Value> {
        self.seen.iter().filter(|row| row["kind"] == kind).collect()
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(TIMEOUT, future).await.expect("it should not take that long")
}

fn upgrade(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:8000\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// A request whose length is not in its head.
fn chunked(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
}

/// What a client sends.
fn masked(mut frame: Frame) -> Vec<u8> {
    frame.header_mut().mask = Some(MASK);
    let mut bytes = Vec::new();
    frame.format(&mut bytes).expect("memory accepts everything");
    bytes
}

fn text(text: &str) -> Vec<u8> {
    masked(Frame::message(text.to_owned(), OpCode::Data(Data::Text), true))
}

fn binary(length: usize) -> Vec<u8> {
    masked(Frame::message(vec![b'a'; length], OpCode::Data(Data::Binary), true))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_conversation_is_shown_from_the_handshake_to_the_end() {
    let server = serve().await;
    let mut rows = server.rows(0xaa);
    let request = upgrade("/ws", ANA).len();
    let mut ana = server.upgrade(ANA).await;
    let peer = ana.stream.local_addr().expect("it is connected");

    ana.send(text("Hello")).await;
    ana.read(2 + 5).await;
    ana.send(masked(Frame::ping("still here?"))).await;
    ana.read(2 + 11).await;
    let close = CloseFrame { code: 1000.into(), reason: "bye".into() };
    ana.send(masked(Frame::close(Some(close)))).await;
    ana.read(2 + 2 + 3).await;
    drop(ana);
    let gone = rows.until(json!({ "what": "gone" })).await;

    let without_times: Vec<Value> = rows
        .seen
        .iter()
        .map(|row| {
            let mut row = row.clone();
            for name in ["row", "t", "took", "rtt", "lasted", "head"] {
                row.as_object_mut().expect("a row is an object").remove(name);
            }
            row
        })
        .collect();
    let expected = [
        json!({ "connection": 1, "from": "client", "kind": "tcp", "what": "open",
                "peer": peer.to_string() }),
        json!({ "connection": 1, "from": "client", "kind": "request", "bytes": request,
                "label": "ana", "path": "/ws" }),
        json!({ "connection": 1, "from": "server", "kind": "response", "bytes": 166,
                "status": 101 }),
        json!({ "connection": 1, "from": "client", "kind": "frame", "fin": true, "rsv": 0,
                "opcode": 1, "mask": "e0f7b1bb", "len": 5, "header": "8185e0f7b1bb",
                "data": hex(b"Hello"), "message": 1, "part": 1 }),
        json!({ "connection": 1, "from": "server", "kind": "frame", "fin": true, "rsv": 0,
                "opcode": 1, "len": 5, "header": "8105", "data": hex(b"Hello"),
                "message": 1, "part": 1 }),
        json!({ "connection": 1, "from": "client", "kind": "frame", "fin": true, "rsv": 0,
                "opcode": 9, "mask": "e0f7b1bb", "len": 11, "header": "898be0f7b1bb",
                "data": hex(b"still here?") }),
        json!({ "connection": 1, "from": "server", "kind": "frame", "fin": true, "rsv": 0,
                "opcode": 10, "len": 11, "header": "8a0b", "data": hex(b"still here?") }),
        json!({ "connection": 1, "from": "client", "kind": "frame", "fin": true, "rsv": 0,
                "opcode": 8, "mask": "e0f7b1bb", "len": 5, "header": "8885e0f7b1bb",
                "data": "03e8627965" }),
        json!({ "connection": 1, "from": "server", "kind": "frame", "fin": true, "rsv": 0,
                "opcode": 8, "len": 5, "header": "8805", "data": "03e8627965" }),
        json!({ "connection": 1, "from": "server", "kind": "tcp", "what": "gone",
                "first": "server", "received": request + 11 + 17 + 11, "sent": 166 + 7 + 13 + 7 }),
    ];
    assert_eq!(without_times, expected, "this is what Ana and the server did, in order");

    let numbers: Vec<_> =
        rows.seen.iter().filter_map(|row| row["row"].as_u64()).collect();
    assert_eq!(numbers, Vec::from_iter(1..=10), "no row has the number of another");
    let times: Vec<f64> = rows.seen.iter().filter_map(|row| row["t"].as_f64()).collect();
    assert!(times.is_sorted(), "time goes on: {times:?}");
    let pong = rows.until(json!({ "opcode": 10 })).await;
    assert!(
        pong["rtt"].as_f64().is_some_and(|rtt| rtt > 0.0),
        "the pong has its time: {pong}"
    );
    let lasted = gone["lasted"].as_f64().expect("it lasted");
    let off = (times[9] - times[0] - lasted).abs(); // All three are rounded.
    assert!(off < 0.01, "it lasted all the time: {gone}");
    let request = rows.of("request")[0];
    assert_eq!(
        request["head"][0], "GET /ws HTTP/1.1",
        "the request is there as it was sent"
    );
    assert_eq!(request["head"][6], "Cookie: xray=●●●", "without the token");
    let response = rows.of("response")[0];
    assert_eq!(
        response["head"][0], "HTTP/1.1 101 Switching Protocols",
        "so is the answer"
    );
}

#[tokio::test]
async fn only_the_own_token_shows_a_connection() {
    let server = serve().await;
    let (mut own, mut eves) = (server.rows(0xaa), server.rows(0xee));
    let mut ana = server.upgrade(ANA).await;
    let mut nobody = server.upgrade("").await;
    let mut eve = server.upgrade(EVE).await;

    for client in [&mut ana, &mut nobody, &mut eve] {
        client.send(text("Hello")).await;
        client.read(2 + 5).await;
    }
    own.until(json!({ "kind": "frame", "from": "server" })).await;
    eves.until(json!({ "kind": "frame", "from": "server" })).await;

    assert_eq!(
        own.of("request").len(),
        1,
        "Ana's token shows her connection: {:?}",
        own.seen
    );
    assert_eq!(own.of("request")[0]["label"], "ana", "and it is hers");
    assert_eq!(
        eves.of("request").len(),
        1,
        "Eve's shows hers, and none without a cookie"
    );
    assert_eq!(eves.of("request")[0]["label"], "eve", "and not Ana's");
}

#[tokio::test]
async fn a_rejection_is_shown_with_its_body_and_the_client_may_try_again() {
    let server = serve().await;
    let mut rows = server.rows(0xaa);
    let mut ana = server.connect().await;

    ana.send(upgrade("/no", ANA)).await;
    let (head, body) = ana.answer().await;
    ana.send(upgrade("/long", ANA)).await;
    ana.answer().await;
    ana.send(upgrade("/ws", ANA)).await;
    ana.head().await;
    ana.send(text("Hello")).await;
    rows.until(json!({ "kind": "frame" })).await;

    let no = rows.until(json!({ "status": 401 })).await;
    assert_eq!(no["body"], "Who are you?", "the sentence is in a slice of its own");
    assert_eq!(no["bytes"], head.len() + body.len(), "its body is counted, too");
    let long = rows.until(json!({ "status": 400 })).await;
    assert_eq!(long["body"], "a".repeat(1024), "of a long body, the beginning is shown");
    let opens = rows.of("tcp").iter().filter(|row| row["what"] == "open").count();
    assert_eq!(opens, 1, "it is one connection");
    assert_eq!(rows.of("request").len(), 3, "with three requests");
}

#[tokio::test]
async fn frames_that_come_before_the_answer_are_shown() {
    let server = serve().await;
    let mut rows = server.rows(0xaa);
    let mut ana = server.connect().await;

    let both = [upgrade("/ws", ANA).into_bytes(), text("Hello")].concat();
    ana.send(both).await;
    ana.head().await;
    ana.read(2 + 5).await;

    let frame = rows.until(json!({ "kind": "frame", "from": "client" })).await;
    assert_eq!(frame["data"], hex(b"Hello"), "Ana could not wait: {frame}");
    let back = rows.until(json!({ "kind": "frame", "from": "server" })).await;
    assert_eq!(back["data"], hex(b"Hello"), "and the server did not mind");
}

#[tokio::test]
async fn requests_before_the_handshake_are_shown_by_their_first_line() {
    let server = serve().await;
    let mut rows = server.rows(0xaa);
    let mut ana = server.connect().await;

    ana.send("POST /in?token=tea HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n").await;
    ana.head().await;
    ana.send("GET /who HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (_, who) = ana.answer().await;
    ana.send(upgrade("/ws", ANA)).await;
    let open = rows.until(json!({ "what": "open" })).await;

    let lines = json!(["POST /in?token=●●● HTTP/1.1", "GET /who HTTP/1.1"]);
    assert_eq!(open["earlier"], lines, "never a header");
    let peer = ana.stream.local_addr().expect("it is connected").to_string();
    assert_eq!(who, peer, "handlers still have the address of the client");
}

#[tokio::test]
async fn of_many_long_requests_the_latest_are_shown_by_their_beginning() {
    let mut tapped = Tapped::new();

    for number in 1..=25 {
        let path = format!("/{number}/{}", "●".repeat(1000));
        tapped.tap.received(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
        tapped.tap.sent(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    }
    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    let rows = tapped.end().await;

    let earlier = rows.of("tcp")[0]["earlier"].as_array().expect("they are shown");
    let lines: Vec<_> = earlier.iter().filter_map(Value::as_str).collect();
    assert_eq!(lines.len(), 20, "five are forgotten");
    assert!(lines[0].starts_with("GET /6/"), "the first five: {}", lines[0]);
    assert!(lines.iter().all(|line| line.chars().count() == 200), "each is cut");
}

#[tokio::test]
async fn no_secret_is_in_any_row() {
    let server = serve().await;
    let mut rows = server.rows(0xaa);
    let secrets = format!(
        "{ANA}Authorization: Bearer darjeeling\r\nCookie: session=darjeeling\r\n\
         Sec-WebSocket-Protocol: chat, bearer.darjeeling\r\n\
         Referer: http://example.com/?token=darjeeling\r\nOrigin: http://example.com\r\n"
    );
    let mut ana = server.connect().await;
    ana.send("POST /in?password=darjeeling HTTP/1.1\r\nHost: a\r\n\r\n").await;
    ana.head().await;

    ana.send(upgrade("/no?token=darjeeling", &secrets)).await;
    ana.answer().await;
    ana.send(upgrade("/in?token=darjeeling", &secrets)).await;
    ana.head().await;
    ana.send(upgrade("/ws?token=darjeeling", &secrets)).await;
    ana.head().await;
    drop(ana);
    rows.until(json!({ "what": "gone" })).await;

    assert_eq!(
        rows.of("response").len(),
        3,
        "all three requests were answered: {:?}",
        rows.seen
    );
    let all = json!(rows.seen).to_string();
    assert!(all.contains("session=●●●; Path=/"), "a cookie was set: {all}");
    for row in &rows.seen {
        let row = row.to_string();
        for secret in ["darjeeling", "000000aa", "=tea"] {
            assert!(!row.contains(secret), "{secret} is a secret, and here it is: {row}");
        }
    }
}

#[tokio::test]
async fn a_frame_that_is_never_completed_is_shown_at_the_end() {
    let server = serve().await;
    let mut rows = server.rows(0xaa);
    let mut ana = server.upgrade(ANA).await;

    ana.send(&binary(70_000)[..14 + 4082]).await;
    drop(ana);
    rows.until(json!({ "what": "gone" })).await;

    let frame = rows.until(json!({ "kind": "frame" })).await;
    assert_eq!((&frame["len"], &frame["got"]), (&json!(70_000), &json!(4082)), "{frame}");
    let kinds: Vec<_> = rows.seen[3..].iter().map(|row| row["what"].as_str()).collect();
    assert_eq!(
        kinds,
        [None, Some("FIN"), Some("gone")],
        "the frame comes before the end"
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_sends_a_fin_and_one_that_breaks_off_a_rst() {
    let server = serve().await;
    let mut rows = server.rows(0xaa);
    let hangs_up = server.upgrade(ANA).await;
    let breaks_off = server.upgrade(ANA).await;

    drop(hangs_up);
    let gone = rows.until(json!({ "connection": 1, "what": "gone" })).await;
    breaks_off.stream.set_zero_linger().expect("the kernel knows this option");
    drop(breaks_off);
    rows.until(json!({ "connection": 2, "what": "gone" })).await;

    let ends: Vec<_> = rows
        .of("tcp")
        .iter()
        .filter(|row| row["what"] != "open")
        .map(|row| {
            (row["connection"].as_u64(), row["from"].as_str(), row["what"].as_str())
        })
        .collect();
    let expected = [
        (Some(1), Some("client"), Some("FIN")),
        (Some(1), Some("server"), Some("gone")),
        (Some(2), Some("client"), Some("RST")),
        (Some(2), Some("server"), Some("gone")),
    ];
    assert_eq!(ends, expected, "each end is shown once, and then we drop the connection");
    assert_eq!(gone["first"], "client", "the client ended it");
}

#[tokio::test]
async fn what_the_kernel_does_not_accept_is_not_shown() {
    let hub = Hub::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut listener = TappedListener::new(listener, &hub);
    let addr = Listener::local_addr(&listener).expect("it has an address");
    let server = Server { hub, addr };
    let (mut rows, mut ana) = (server.rows(0xaa), server.connect().await);
    ana.send(upgrade("/ws", ANA)).await;
    let (mut connection, _) = listener.accept().await;
    let mut request = vec![0; upgrade("/ws", ANA).len()];
    soon(connection.read_exact(&mut request)).await.expect("Ana has sent it");
    let answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
    soon(connection.write_all(answer)).await.expect("there is room for it");

    let (header, payload) = ([0x82, 127, 0, 0, 0, 0, 64, 0, 0, 0], vec![0; 1 << 30]);
    // So many that nobody could copy them all: only what is on its way may be read.
    let mut parts = vec![IoSlice::new(&payload); 1000];
    parts[0] = IoSlice::new(&header);
    let written =
        soon(connection.write_vectored(&parts)).await.expect("there is some room");
    drop(connection);

    let frame = rows.until(json!({ "kind": "frame" })).await;
    assert!(written < payload.len(), "the kernel does not take so much at once");
    assert_eq!(frame["got"], written - header.len(), "only this is on its way");
    let gone = rows.until(json!({ "what": "gone" })).await;
    assert_eq!(gone["sent"], answer.len() + written, "and only this is counted");
}

/// The status and the body for a request to `/lab/xray`.
async fn request_viewer(server: &Server, headers: &str) -> (String, String) {
    let mut client = server.connect().await;
    client.send(upgrade("/lab/xray", headers)).await;
    let (head, body) = client.answer().await;
    (head.split(' ').nth(1).unwrap_or_default().into(), body)
}

#[tokio::test]
async fn a_viewer_without_the_cookie_gets_400_and_a_sentence() {
    let server = serve().await;

    let (status, sentence) = request_viewer(&server, "").await;

    assert_eq!(status, "400", "there is nothing to show");
    assert!(
        sentence.contains("xray=<32 hexadecimal digits>"),
        "the sentence helps: {sentence}"
    );
}

#[tokio::test]
async fn pages_of_other_origins_have_no_viewers() {
    let server = serve().await;

    for (origin, status) in [
        ("http://evil.example", "403"),
        ("http://localhost:8000", "101"), // As it is in `Host`.
        ("http://localhost:8001", "403"),
        ("http://localhost:3000", "101"),
        ("https://chat.example.com", "101"),
    ] {
        let answer = request_viewer(&server, &format!("{ANA}Origin: {origin}\r\n")).await;

        assert_eq!(answer.0, status, "a page of {origin}: {}", answer.1);
    }
}

#[tokio::test]
async fn a_viewer_with_the_host_of_another_site_gets_403() {
    let server = serve().await;

    // The page is at evil.example, whose address became 127.0.0.1 after it was loaded.
    let mut client = server.connect().await;
    let request = upgrade("/lab/xray", &format!("{ANA}Origin: http://evil.example\r\n"));
    client.send(request.replace("localhost:8000", "evil.example")).await;
    let (head, sentence) = client.answer().await;

    assert!(head.starts_with("HTTP/1.1 403 "), "this is DNS rebinding: {head}");
    assert!(
        sentence.contains("localhost"),
        "the sentence has a name that is fine: {sentence}"
    );
}

#[tokio::test]
async fn one_viewer_too_many_of_all_browsers_gets_503() {
    let server = serve().await;
    let viewers: Vec<_> = (100..164).map(|token| server.rows(token)).collect();

    let (status, sentence) = request_viewer(&server, ANA).await;
    drop(viewers);
    let (then, _) = request_viewer(&server, ANA).await;

    assert_eq!(status, "503", "each viewer has a queue");
    assert!(sentence.contains("Close one first."), "the sentence helps: {sentence}");
    assert_eq!(then, "101", "now there is room");
}

#[tokio::test]
async fn a_viewer_whose_place_is_taken_gets_1008() {
    let server = serve().await;
    let mut oldest = server.viewer().await;

    let _others: Vec<_> = (0..8).map(|_| server.rows(0xaa)).collect();

    loop {
        let message = soon(oldest.next()).await.expect("a Close").expect("no error");
        if let tungstenite::Message::Close(close) = message {
            let code = close.map(|close| u16::from(close.code));
            assert_eq!(code, Some(1008), "so the page does not connect again");
            break;
        }
    }
}

#[tokio::test]
async fn a_viewer_gets_arrays_of_rows_and_nothing_about_itself() {
    let server = serve().await;
    let mut ana = server.upgrade(ANA).await;
    ana.send(text("Hello")).await;
    ana.read(2 + 5).await;

    let mut viewer = server.viewer().await;
    let mut rows: Vec<Value> = Vec::new();
    for until in [6, 8] {
        while rows.len() < until {
            let message =
                soon(viewer.next()).await.expect("rows come").expect("as messages");
            let message = message.into_text().expect("of text");
            rows.extend(
                serde_json::from_str::<Vec<Value>>(&message).expect("in an array"),
            );
        }
        ana.send(text("Bye")).await;
    }

    let id = rows.remove(0)["id"].as_str().map(str::to_owned).expect("it is the program");
    let kinds: Vec<_> = rows.iter().filter_map(|row| row["kind"].as_str()).collect();
    let expected = ["tcp", "request", "response", "frame", "frame", "frame", "frame"];
    assert_eq!(
        kinds, expected,
        "what was before, what came then, and no other connection"
    );
    assert!(
        rows.iter().all(|row| row["connection"] == 1),
        "the viewer's own is not there"
    );
    assert!(
        id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "it is a number in hex: {id}"
    );
    assert_ne!(Hub::new().program, Hub::new().program, "another start, another number");
}

#[tokio::test]
async fn with_a_listener_beyond_loopback_there_is_no_viewer() {
    for order in [["127.0.0.1:0", "0.0.0.0:0"], ["0.0.0.0:0", "127.0.0.1:0"]] {
        let hub = Hub::new();
        assert!(!hub.is_on(), "nothing listens yet");
        for addr in order {
            let listener = TcpListener::bind(addr).await.expect("a free port");
            TappedListener::new(listener, &hub);
        }

        assert!(!hub.is_on(), "one listener that others can reach is enough");
        let server = serve_viewers(hub).await;
        assert_eq!(
            request_viewer(&server, ANA).await,
            ("404".into(), "Nothing is served at /lab/xray.".into()),
            "as if it did not exist"
        );
    }
}

/// Serves the viewers alone, over a listener that has nothing to do with it.
async fn serve_viewers(hub: Hub) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("it has an address");
    let app: Router = router_of(hub.clone(), "");
    tokio::spawn(axum::serve(listener, app).into_future());
    Server { hub, addr }
}

/// A tap whose bytes come from the test.
struct Tapped {
    tap: Tap,
    rows: Rows,
}

impl Tapped {
    fn new() -> Self {
        let hub = Hub::new();
        let viewer = hub.subscribe(Token(0xaa)).expect("it is the first one");
        let tap = Tap::new(hub, ([127, 0, 0, 1], 50_000).into());
        Self { tap, rows: Rows { viewer, seen: Vec::new() } }
    }

    /// The rows, after the connection is gone.
    async fn end(self) -> Rows {
        let Self { tap, mut rows } = self;
        drop(tap);
        rows.until(json!({ "what": "gone" })).await;
        rows
    }
}

#[tokio::test]
async fn the_body_of_a_rejection_may_be_written_after_its_head() {
    let mut tapped = Tapped::new();

    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    tapped.tap.sent(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\n");
    tapped.tap.sent(b"No");
    tapped.tap.sent(b"t!");
    let mut rows = tapped.end().await;

    let response = rows.until(json!({ "kind": "response" })).await;
    assert_eq!(response["body"], "Not!", "the row waits for the whole body");
}

#[tokio::test]
async fn a_rejection_that_breaks_off_is_shown_as_far_as_it_came() {
    let mut tapped = Tapped::new();

    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    tapped.tap.sent(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 400\r\n\r\nNo");
    let mut rows = tapped.end().await;

    let response = rows.until(json!({ "kind": "response" })).await;
    assert_eq!(response["body"], "No", "nothing more came");
}

#[tokio::test]
async fn a_rejection_without_a_length_is_shown_and_nothing_after_it() {
    let mut tapped = Tapped::new();

    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    tapped
        .tap
        .sent(b"HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n2\r\nNo");
    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    let rows = tapped.end().await;

    assert_eq!(rows.of("response")[0]["status"], 400, "its head is there");
    assert_eq!(rows.of("request").len(), 1, "where its body ends, we do not know");
}

#[tokio::test]
async fn an_interim_response_is_not_the_answer() {
    let mut tapped = Tapped::new();

    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    tapped.tap.sent(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x02hi");
    let mut rows = tapped.end().await;

    assert_eq!(rows.of("response").len(), 1, "100 only says that the client may go on");
    assert_eq!(rows.of("response")[0]["status"], 101, "this is the answer");
    let frame = rows.until(json!({ "kind": "frame" })).await;
    assert_eq!(frame["data"], hex(b"hi"), "a frame may follow in the same write");
    let gone = rows.until(json!({ "what": "gone" })).await;
    assert_eq!(gone["sent"], 25 + 36 + 4, "each byte is counted once");
}

#[test]
fn what_nobody_may_see_or_nobody_can_follow_makes_no_rows() {
    let plain = "GET / HTTP/1.1\r\n\r\n";
    for (why, bytes) in [
        ("it has no cookie", upgrade("/ws", "")),
        ("it is a viewer", upgrade("/lab/xray?again", ANA)),
        ("it has a path in another form", upgrade("http://a/lab/xray", ANA)),
        ("it has a path below a prefix", upgrade("/nested/lab/xray", ANA)),
        ("its head has no length", chunked("/in") + &upgrade("/ws", ANA)),
        ("it has a body", upgrade("/ws", &format!("{ANA}Content-Length: 4\r\n"))),
        ("its length is none", upgrade("/ws", &format!("{ANA}Content-Length: +0\r\n"))),
        ("there are two answers to come", format!("{plain}{}", upgrade("/ws", ANA))),
        ("its head does not end", "a".repeat(20_000) + &upgrade("/ws", ANA)),
    ] {
        let mut tapped = Tapped::new();

        tapped.tap.received(bytes.as_bytes());

        assert!(tapped.tap.is_done(), "{why}, so the tap is not needed any more");
        tapped.tap.sent(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
        drop(tapped.tap);
        let rows = tapped.rows.viewer.message().now_or_never();
        assert!(rows.is_none(), "{why}, so there is no row");
    }
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_the_answer_is_followed_for_a_while() {
    let mut tapped = Tapped::new();

    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    tapped.tap.received(&[0; 20_000]);
    tapped.tap.sent(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
    let rows = tapped.end().await;

    assert_eq!(rows.of("response").len(), 0, "this would be too much to remember");
    assert_eq!(rows.of("request").len(), 1, "what was shown before stays");
}

#[tokio::test]
async fn the_answer_of_an_earlier_request_is_not_that_of_the_upgrade() {
    let mut tapped = Tapped::new();

    tapped.tap.received(b"GET / HTTP/1.1\r\n\r\nGET /me HTTP/1.1\r\n\r\n");
    tapped.tap.sent(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    tapped.tap.sent(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\ntea");

    assert!(tapped.tap.is_done(), "which answer is that of which request is unclear");
}

#[tokio::test]
async fn a_request_that_does_not_wait_for_a_rejection_ends_the_rows() {
    let mut tapped = Tapped::new();

    tapped.tap.received(upgrade("/no", ANA).as_bytes());
    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    tapped.tap.sent(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    tapped.tap.received(upgrade("/me", ANA).as_bytes()); // What comes is not its answer.
    tapped.tap.sent(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
    let rows = tapped.end().await;

    assert_eq!(rows.of("request").len(), 1, "the second one may be anything");
    assert_eq!(rows.of("response").len(), 1, "and so may its answer");
}

#[tokio::test]
async fn a_body_is_shown_of_errors_alone() {
    for (status, body) in [(200, Value::Null), (302, Value::Null), (400, json!("ana"))] {
        let mut tapped = Tapped::new();

        tapped.tap.received(upgrade("/me", ANA).as_bytes());
        let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 3\r\n\r\n");
        tapped.tap.sent(head.as_bytes());
        tapped.tap.sent(b"ana");
        let rows = tapped.end().await;

        let response = rows.of("response")[0];
        assert_eq!(response["body"], body, "what is no error may be private: {response}");
        assert_eq!(response["bytes"], head.len() + 3, "all of it is counted");
    }
}

#[tokio::test]
async fn an_answer_without_a_body_is_complete_whatever_length_it_announces() {
    for (method, status) in [("GET", 304), ("GET", 204), ("HEAD", 405)] {
        let mut tapped = Tapped::new();

        tapped.tap.received(upgrade("/ws", ANA).replacen("GET", method, 1).as_bytes());
        let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 90\r\n\r\n");
        tapped.tap.sent(head.as_bytes());
        tapped.tap.received(upgrade("/ws", ANA).as_bytes());
        tapped.tap.sent(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
        let rows = tapped.end().await;

        let last = rows.of("response").pop().expect("there is one");
        assert_eq!(last["status"], 101, "after {status} to {method}: {:?}", rows.seen);
    }
}

#[tokio::test]
async fn an_end_is_shown_once_however_often_it_is_read() {
    let mut tapped = Tapped::new();
    tapped.tap.received(upgrade("/ws", ANA).as_bytes());

    tapped.tap.end(Side::Client, End::Fin);
    tapped.tap.end(Side::Client, End::Fin);
    tapped.tap.end(Side::Client, End::Rst);
    tapped.tap.end(Side::Server, End::Fin);
    tapped.tap.end(Side::Server, End::Fin);
    let rows = tapped.end().await;

    let whats: Vec<_> = rows.of("tcp").iter().map(|row| row["what"].clone()).collect();
    assert_eq!(whats, ["open", "FIN", "FIN", "gone"], "each side can end only once");
}

#[tokio::test]
async fn another_attempt_with_another_cookie_is_not_shown() {
    let mut tapped = Tapped::new();

    tapped.tap.received(upgrade("/ws", ANA).as_bytes());
    tapped.tap.sent(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    tapped.tap.received(upgrade("/ws", EVE).as_bytes());
    let rows = tapped.end().await;

    assert_eq!(rows.of("request").len(), 1, "Ana's token does not show what Eve does");
}
