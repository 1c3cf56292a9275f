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
    tungstenite::{self, client::IntoClientRequest},
};

use crate::{
    Client, Hint, OpenLine, WAIT,
    client::{Ignored, settle},
    line::{Line, MemoryListener},
    watchdog::Watchdog,
};

/// How many bytes a line in memory holds in each direction, as a kernel would.
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
    let (sender, lines) = mpsc::channel(64);
    let writes = Arc::<AtomicUsize>::default();
    let task = tokio::spawn(serve(MemoryListener { lines, writes: writes.clone() }));
    Server::new(Door::Memory(sender, writes), task)
}

/// Serves a router on a real port of this machine, in real time.
pub async fn serve_tcp(router: Router) -> Result<Server, Hint> {
    let failed = |error| Hint::new(format!("No port could be opened: {error}."));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    let listener = listener.tap_io(|line| {
        let _ = line.set_nodelay(true); // As `pages::listen` does.
    });
    let task = tokio::spawn(async {
        let _ = axum::serve(listener, router).await; // Never returns.
    });
    Ok(Server::new(Door::Tcp(addr), task))
}

/// A server under test.
pub struct Server {
    door: Door,
    task: JoinHandle<()>,
    conversation: Conversation,
    ignored: Ignored,
    _watchdog: Watchdog,
}

enum Door {
    /// Where lines come in, and how often the server has written to one.
    Memory(mpsc::Sender<DuplexStream>, Arc<AtomicUsize>),
    Tcp(SocketAddr),
}

/// What an HTTP request brought.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: String,
}

/// All that the clients of one server have said and heard.
#[derive(Clone, Default)]
pub(crate) struct Conversation(Arc<Mutex<Vec<String>>>);

impl Conversation {
    pub fn note(&self, line: String) {
        self.0.lock().expect("no task panics with the lock").push(line);
    }

    /// What is noted later may belong in front of what others have noted meanwhile.
    fn place(&self) -> usize {
        self.0.lock().expect("no task panics with the lock").len()
    }

    fn note_at(&self, place: usize, line: String) {
        self.0.lock().expect("no task panics with the lock").insert(place, line);
    }

    /// A hint that ends with the last lines of the conversation. What was said many times
    /// in a row is one line.
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
    fn new(door: Door, task: JoinHandle<()>) -> Self {
        let conversation = Conversation::default();
        Self {
            door,
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

    /// Lets clients that connect from now on hear JSON messages without these fields. The
    /// conversation in a hint still shows them.
    pub fn ignoring_fields(mut self, fields: &'static [&'static str]) -> Self {
        self.ignored.fields = fields;
        self
    }

    /// Opens a WebSocket for `name`, and returns when the server has taken note of it.
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
            Err(Answer { status, body, .. }) => Err(self.conversation.hint(format!(
                "{name} should get a WebSocket at {path}, but was refused: {status}, \
                 {body:?}."
            ))),
        }
    }

    /// Asks for a WebSocket, and expects to be refused with `status`.
    pub async fn refuses(
        &self,
        name: &str,
        path: &str,
        status: u16,
    ) -> Result<Answer, Hint> {
        self.refuses_with(name, path, &[], status).await
    }

    /// Asks for a WebSocket with additional request headers, and expects to be refused.
    pub async fn refuses_with(
        &self,
        name: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        status: u16,
    ) -> Result<Answer, Hint> {
        let hint = |came: String| {
            self.conversation.hint(format!(
                "{name} should be refused with {status} at {path}, but {came}."
            ))
        };
        match self.upgrade(name, path, headers).await? {
            Err(answer) if answer.status.as_u16() == status => Ok(answer),
            Err(answer) => Err(hint(format!("got {}: {:?}", answer.status, answer.body))),
            Ok(_) => Err(hint("got a WebSocket".into())),
        }
    }

    /// A hint that ends with the last lines of the conversation.
    pub fn hint(&self, sentence: impl Into<String>) -> Hint {
        self.conversation.hint(sentence)
    }

    /// How often the server has written to its lines. Each time would be a system call.
    /// 0 over TCP, where nobody counts.
    pub fn writes(&self) -> usize {
        match &self.door {
            Door::Memory(_, writes) => writes.load(Ordering::Relaxed),
            Door::Tcp(_) => 0,
        }
    }

    /// Opens a line, writes `text` to it, and leaves the rest to the test.
    pub async fn opens_a_line(&self, text: &str) -> Result<OpenLine, Hint> {
        let mut line = OpenLine::new(self.dial().await?);
        line.writes(text).await?;
        Ok(line)
    }

    /// The answer to a GET request.
    pub async fn get(&self, path: &str) -> Result<Answer, Hint> {
        let request = Request::get(path).body(String::new()).map_err(|error| {
            Hint::new(format!("{path} is no path for a request: {error}."))
        })?;
        self.request(request).await
    }

    /// The answer to an HTTP request.
    pub async fn request(&self, mut request: Request<String>) -> Result<Answer, Hint> {
        let what = format!("{} {}", request.method(), request.uri());
        let failed =
            |error: String| self.conversation.hint(format!("{what} failed: {error}."));
        request
            .headers_mut()
            .entry(header::HOST)
            .or_insert(header::HeaderValue::from_static("127.0.0.1:8000"));

        let exchange = async {
            let line = TokioIo::new(self.dial().await?);
            let (mut sender, line) = hyper::client::conn::http1::handshake(line)
                .await
                .map_err(|error| failed(error.to_string()))?;
            tokio::spawn(line);
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
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            })
        };
        timeout(WAIT, exchange).await.unwrap_or_else(|_| Err(failed("no answer".into())))
    }

    async fn upgrade(
        &self,
        name: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Result<Client, Answer>, Hint> {
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

        let line = self.dial().await?;
        let place = self.conversation.place();
        let handshake = timeout(WAIT, client_async(request, line.clone())).await;
        match handshake.map_err(|_| failed("no answer".into()))? {
            Ok((socket, response)) => {
                self.conversation.note_at(place, format!("{name} connects {path}"));
                let conversation = self.conversation.clone();
                let settles = matches!(self.door, Door::Memory(..));
                Ok(Ok(Client::new(
                    name,
                    socket,
                    line,
                    response,
                    conversation,
                    self.ignored,
                    settles,
                )))
            }
            Err(tungstenite::Error::Http(response)) => {
                let status = response.status();
                self.conversation.note(format!("{name} is refused {status} {path}"));
                let (head, body) = response.into_parts();
                let body = body.unwrap_or_default();
                Ok(Err(Answer {
                    status,
                    headers: head.headers,
                    body: String::from_utf8_lossy(&body).into_owned(),
                }))
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    async fn dial(&self) -> Result<Line, Hint> {
        match &self.door {
            Door::Memory(lines, _) => {
                let (ours, theirs) = duplex(PIPE_SIZE);
                match lines.send(theirs).await {
                    Ok(()) => Ok(Line::new(ours)),
                    Err(_) => Err(self.conversation.hint("The server has stopped.")),
                }
            }
            Door::Tcp(addr) => match TcpStream::connect(addr).await {
                Ok(line) => Ok(Line::new(line)),
                Err(error) => Err(Hint::new(format!("No line to {addr}: {error}."))),
            },
        }
    }

    /// Waits until every task waits. On a paused clock that costs no time.
    async fn settle(&self) {
        settle(matches!(self.door, Door::Memory(..))).await;
    }
}
