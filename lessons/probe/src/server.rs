use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    http::{Request, StatusCode, header},
    serve::ListenerExt,
};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{DuplexStream, duplex},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{self, client::IntoClientRequest, handshake::client::generate_key},
};

use crate::{
    Client, Hint, RawConnection, WAIT,
    client::{Ignored, settle},
    connection::{Connection, MemoryListener},
    watchdog::Watchdog,
};

/// How many bytes a connection in memory holds in each direction, as the kernel's socket
/// buffers would.
const PIPE_SIZE: usize = 16 * 1024;

/// How many lines of the conversation a hint repeats.
const REMEMBERED: usize = 20;

/// Serves a router in memory, for as long as the value lives.
///
/// For tests with `start_paused = true`.
pub fn serve(router: Router) -> Server {
    serve_by(|listener| async {
        let _ = axum::serve(listener, router).await; // Never returns.
    })
}

/// Serves in memory, too, but with the program's own way to serve, which gets the listener.
///
/// Dropping the server drops what `serve` has not finished.
pub fn serve_by<F>(serve: impl FnOnce(MemoryListener) -> F) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    let (connect, incoming) = mpsc::channel(64);
    let writes = Arc::<AtomicUsize>::default();
    let task = tokio::spawn(serve(MemoryListener { incoming, writes: writes.clone() }));
    Server::new(Endpoint::Memory(connect, writes), task)
}

/// Serves a router on a real port of this machine, in real time.
pub async fn serve_tcp(router: Router) -> Result<Server, Hint> {
    let failed = |error| Hint::new(format!("No port could be opened: {error}."));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true); // As `pages::listen` does.
    });
    let task = tokio::spawn(async {
        let _ = axum::serve(listener, router).await; // Never returns.
    });
    Ok(Server::new(Endpoint::Tcp(addr), task))
}

/// A server under test.
pub struct Server {
    endpoint: Endpoint,
    task: JoinHandle<()>,
    conversation: Conversation,
    ignored: Ignored,
    _watchdog: Watchdog,
}

enum Endpoint {
    /// How to connect, and how often the server has written to a connection.
    Memory(mpsc::Sender<DuplexStream>, Arc<AtomicUsize>),
    Tcp(SocketAddr),
}

/// The response to an HTTP request.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: String,
}

/// All that the clients of one server have sent and received.
#[derive(Clone, Default)]
pub(crate) struct Conversation(Arc<Mutex<Vec<String>>>);

impl Conversation {
    pub fn note(&self, line: String) {
        self.0.lock().expect("no task panics with the lock").push(line);
    }

    fn forget(&self) {
        *self.0.lock().expect("no task panics with the lock") = Vec::new();
    }

    /// What is noted later may belong in front of what others have noted meanwhile.
    fn position(&self) -> usize {
        self.0.lock().expect("no task panics with the lock").len()
    }

    fn note_at(&self, position: usize, line: String) {
        self.0.lock().expect("no task panics with the lock").insert(position, line);
    }

    /// A hint that ends with the last lines of the conversation. What happened many times in
    /// a row is one line.
    pub fn hint(&self, sentence: impl Into<String>) -> Hint {
        let lines = self.0.lock().expect("no task panics with the lock");
        let runs: Vec<_> = lines.chunk_by(|one, next| one == next).collect();
        let mut text = sentence.into();
        if !runs.is_empty() {
            text.push_str("\n\n  The conversation so far:");
        }
        if runs.len() > REMEMBERED {
            text.push_str("\n    …");
        }
        for run in &runs[runs.len().saturating_sub(REMEMBERED)..] {
            text.push_str("\n    ");
            text.push_str(&run[0]);
            if run.len() > 1 {
                text.push_str(&format!(" ({} times)", run.len()));
            }
        }
        Hint::new(text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    fn new(endpoint: Endpoint, task: JoinHandle<()>) -> Self {
        let conversation = Conversation::default();
        Self {
            endpoint,
            task,
            conversation,
            ignored: Ignored::default(),
            _watchdog: Watchdog::start(),
        }
    }

    /// Lets clients that connect from now on pass over JSON messages of these types. The
    /// conversation in a hint still shows them.
    pub fn ignoring(mut self, types: &'static [&'static str]) -> Self {
        self.ignored.types = types;
        self
    }

    /// Lets clients that connect from now on receive JSON messages without these fields. The
    /// conversation in a hint still shows them.
    pub fn ignoring_fields(mut self, fields: &'static [&'static str]) -> Self {
        self.ignored.fields = fields;
        self
    }

    /// Opens a WebSocket for `name`, and returns when the server has dealt with it.
    pub async fn connect(&self, name: &str, path: &str) -> Result<Client, Hint> {
        self.connect_with(name, path, &[]).await
    }

    /// Opens a WebSocket with additional request headers.
    pub async fn connect_with(
        &self,
        name: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Client, Hint> {
        match self.upgrade(name, path, headers).await? {
            Ok(client) => {
                self.settle().await;
                Ok(client)
            }
            Err(Response { status, body, .. }) => Err(self.conversation.hint(format!(
                "{name} should get a WebSocket at {path}, but was rejected: {status}, \
                 {body:?}."
            ))),
        }
    }

    /// Asks for a WebSocket, and expects to be rejected with `status`.
    pub async fn rejects(
        &self,
        name: &str,
        path: &str,
        status: u16,
    ) -> Result<Response, Hint> {
        self.rejects_with(name, path, &[], status).await
    }

    /// Asks for a WebSocket with additional request headers, and expects to be rejected.
    pub async fn rejects_with(
        &self,
        name: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        status: u16,
    ) -> Result<Response, Hint> {
        let hint = |came: String| {
            self.conversation.hint(format!(
                "{name} should be rejected with {status} at {path}, but {came}."
            ))
        };
        match self.upgrade(name, path, headers).await? {
            Err(response) if response.status.as_u16() == status => Ok(response),
            Err(response) => {
                Err(hint(format!("got {}: {:?}", response.status, response.body)))
            }
            Ok(_) => Err(hint("got a WebSocket".into())),
        }
    }

    /// A hint that ends with the last lines of the conversation.
    pub fn hint(&self, sentence: impl Into<String>) -> Hint {
        self.conversation.hint(sentence)
    }

    /// Forgets what its clients have sent and received. Hints begin anew.
    pub fn forgets_the_conversation(&self) {
        self.conversation.forget();
    }

    /// How often the server has written to its connections. Each write would be a system
    /// call. 0 over TCP, where nobody counts.
    pub fn writes(&self) -> usize {
        match &self.endpoint {
            Endpoint::Memory(_, writes) => writes.load(Ordering::Relaxed),
            Endpoint::Tcp(_) => 0,
        }
    }

    /// Opens a connection, writes `text` to it, and leaves the rest to the test.
    pub async fn opens_a_connection(&self, text: &str) -> Result<RawConnection, Hint> {
        let mut connection = RawConnection::new(self.dial().await?);
        connection.writes(text).await?;
        Ok(connection)
    }

    /// Opens a connection, and asks for a WebSocket on it. What comes is left to the test.
    pub(crate) async fn opens_a_websocket(
        &self,
        path: &str,
    ) -> Result<RawConnection, Hint> {
        let request = format!(
            "GET {path} HTTP/1.1\r\n\
             Host: 127.0.0.1:8000\r\n\
             Connection: upgrade\r\n\
             Upgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {}\r\n\r\n",
            generate_key()
        );
        self.opens_a_connection(&request).await
    }

    /// The response to a GET request.
    pub async fn get(&self, path: &str) -> Result<Response, Hint> {
        let request = Request::get(path).body(String::new()).map_err(|error| {
            Hint::new(format!("{path} is no path for a request: {error}."))
        })?;
        self.request(request).await
    }

    /// The response to an HTTP request.
    pub async fn request(&self, mut request: Request<String>) -> Result<Response, Hint> {
        let what = format!("{} {}", request.method(), request.uri());
        let failed =
            |error: String| self.conversation.hint(format!("{what} failed: {error}."));
        request
            .headers_mut()
            .entry(header::HOST)
            .or_insert(header::HeaderValue::from_static("127.0.0.1:8000"));

        let exchange = async {
            let stream = TokioIo::new(self.dial().await?);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
                .await
                .map_err(|error| failed(error.to_string()))?;
            tokio::spawn(connection);
            let response = sender
                .send_request(request.map(|body| Full::new(Bytes::from(body))))
                .await
                .map_err(|error| failed(error.to_string()))?;
            let (head, body) = response.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|error| failed(error.to_string()))?
                .to_bytes();
            Ok(Response {
                status: head.status,
                headers: head.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            })
        };
        timeout(WAIT, exchange)
            .await
            .unwrap_or_else(|_| Err(failed("no response".into())))
    }

    async fn upgrade(
        &self,
        name: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Result<Client, Response>, Hint> {
        let failed = |error: String| {
            self.conversation
                .hint(format!("{name} could not connect to {path}: {error}."))
        };
        let url = format!("ws://127.0.0.1:8000{path}");
        let mut request =
            url.into_client_request().map_err(|error| failed(error.to_string()))?;
        for (header, value) in headers {
            let value = value.parse().map_err(|_| failed(format!("bad {header}")))?;
            request.headers_mut().insert(*header, value);
        }

        let connection = self.dial().await?;
        let position = self.conversation.position();
        let handshake = timeout(WAIT, client_async(request, connection.clone())).await;
        match handshake.map_err(|_| failed("no response".into()))? {
            Ok((socket, response)) => {
                self.conversation.note_at(position, format!("{name} connects {path}"));
                let conversation = self.conversation.clone();
                let settles = matches!(self.endpoint, Endpoint::Memory(..));
                Ok(Ok(Client::new(
                    name,
                    socket,
                    connection,
                    response,
                    conversation,
                    self.ignored,
                    settles,
                )))
            }
            Err(tungstenite::Error::Http(response)) => {
                let status = response.status();
                self.conversation.note(format!("{name} is rejected {status} {path}"));
                let (head, body) = response.into_parts();
                let body = body.unwrap_or_default();
                Ok(Err(Response {
                    status,
                    headers: head.headers,
                    body: String::from_utf8_lossy(&body).into_owned(),
                }))
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    async fn dial(&self) -> Result<Connection, Hint> {
        match &self.endpoint {
            Endpoint::Memory(connect, _) => {
                let (ours, theirs) = duplex(PIPE_SIZE);
                match connect.send(theirs).await {
                    Ok(()) => Ok(Connection::new(ours)),
                    Err(_) => Err(self.conversation.hint("The server has stopped.")),
                }
            }
            Endpoint::Tcp(addr) => match TcpStream::connect(addr).await {
                Ok(stream) => Ok(Connection::new(stream)),
                Err(error) => {
                    Err(Hint::new(format!("No connection to {addr}: {error}.")))
                }
            },
        }
    }

    /// Waits until every task waits. On a paused clock that costs no time.
    async fn settle(&self) {
        settle(matches!(self.endpoint, Endpoint::Memory(..))).await;
    }
}
