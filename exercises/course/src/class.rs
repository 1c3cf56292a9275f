//! Reports to the board of the class how far this learner is: `cargo course watch --class`.
//!
//! What leaves this machine: the name that the learner has typed, a random id that holds it
//! at the board, names of exercises and steps, whether each step passes, and for how many
//! seconds the current one has not. Code never does: [`Progress`] has no field for it, and
//! drops what does not look like a name.
//!
//! The messages are documented in `exercises/board/src/protocol.rs`. Each report is the
//! whole state, and not a change: after a reconnect it is sent again, so nothing is lost
//! and nothing counts twice, however often the board or the connection is away.

use std::{
    collections::{BTreeMap, hash_map::RandomState},
    fs,
    hash::{BuildHasher, Hasher},
    io::{self, ErrorKind},
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tungstenite::{
    Error, HandshakeError, Message, WebSocket,
    http::Uri,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// How long a connection, and then its handshake, may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a message may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the board may be silent. It sends a ping after 20 seconds without a message, so
/// this much silence means that the connection is lost.
const SILENCE: Duration = Duration::from_secs(45);

/// How long [`Class`] may take to say goodbye when it is dropped.
const GOODBYE: Duration = Duration::from_secs(1);

/// The longest name of a learner, in characters. The board has the same limit.
const NAME_LIMIT: usize = 20;

/// The longest name of an exercise or a step, in characters. So has the board.
const WORD_LIMIT: usize = 100;

/// Codes with which the board closes a connection for good.
const POLICY: u16 = 1008;
const NAME_TAKEN: u16 = 4009;
const REPLACED: u16 = 4014;

/// How far a learner is: which steps pass, and which one is next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    exercises: BTreeMap<String, Vec<Step>>,
    current: Option<Current>,
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    name: String,
    passes: bool,
}

/// The step that comes next, and since when.
#[derive(Clone, Debug, PartialEq)]
struct Current {
    exercise: String,
    step: String,
    since: Instant,
}

impl Progress {
    /// The steps of an exercise have been checked, and each passes or does not.
    ///
    /// One run may check many exercises. Which one the learner is at says
    /// [`is_at`](Self::is_at).
    pub fn checked<'a>(
        &mut self,
        exercise: &str,
        steps: impl IntoIterator<Item = (&'a str, bool)>,
    ) {
        if is_word(exercise) {
            let steps = steps.into_iter().filter(|(name, _)| is_word(name));
            let steps = steps.map(|(name, passes)| Step { name: name.into(), passes });
            self.exercises.insert(exercise.into(), steps.collect());
        }
    }

    /// The learner is at the first step of this exercise that does not pass, if there is
    /// one. Its time begins now, unless it was the current step already.
    pub fn is_at(&mut self, exercise: Option<&str>) {
        let steps = exercise.and_then(|exercise| self.exercises.get_key_value(exercise));
        let step = steps.and_then(|(exercise, steps)| {
            let step = steps.iter().find(|step| !step.passes)?;
            Some((exercise, &step.name))
        });
        let before = self.current.take();
        self.current = step.map(|(exercise, step)| {
            before
                .filter(|it| it.exercise == *exercise && it.step == *step)
                .unwrap_or_else(|| Current {
                    exercise: exercise.clone(),
                    step: step.clone(),
                    since: Instant::now(),
                })
        });
    }

    /// The message. It says how long ago, and not when: the clocks of two machines differ.
    fn encode(&self) -> String {
        let names = |steps: &[Step], passes| -> Vec<Value> {
            let some = steps.iter().filter(|step| step.passes == passes);
            some.map(|step| step.name.as_str().into()).collect()
        };
        let exercises: Vec<_> = self
            .exercises
            .iter()
            .map(|(name, steps)| {
                json!({
                    "name": name,
                    "passed": names(steps, true),
                    "failed": names(steps, false),
                })
            })
            .collect();
        let current = self.current.as_ref().map(|current| {
            json!({
                "exercise": current.exercise,
                "step": current.step,
                "seconds": current.since.elapsed().as_secs(),
            })
        });

        json!({ "type": "progress", "exercises": exercises, "current": current })
            .to_string()
    }
}

/// Whether this can be the name of a function or of a file in Rust.
fn is_word(text: &str) -> bool {
    (1..=WORD_LIMIT).contains(&text.chars().count())
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// This learner's membership in a class. It ends when this is dropped.
///
/// A thread of its own looks after the connection, so that nothing here waits for it.
pub struct Class {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes whoever waits for `stopping` or for `ended`.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The newest report. An older one that was not sent is not missed.
    progress: Option<Progress>,
    /// How many reports there have been.
    reports: u64,
    /// The thread shall end.
    stopping: bool,
    /// It has.
    ended: bool,
}

/// How often things happen. Tests are in more of a hurry.
#[derive(Clone, Copy)]
struct Timing {
    /// How long a read waits, and so how long a report may wait, too.
    poll: Duration,
    /// How long there is between two reports, at least. The board has a limit.
    between_reports: Duration,
    /// How long we wait before the first new attempt. Each further wait is twice as long.
    first_retry: Duration,
    /// How long we wait at most.
    last_retry: Duration,
}

const TIMING: Timing = Timing {
    poll: Duration::from_millis(100),
    between_reports: Duration::from_secs(1),
    first_retry: Duration::from_secs(1),
    last_retry: Duration::from_secs(15),
};

impl Class {
    /// Joins the class whose board is at `url`, as in `http://192.168.1.5:8000`.
    ///
    /// `session` is what [`session()`] gives: the board holds the name for it.
    ///
    /// This does not wait for the board: it may be started later. `notify` gets a sentence for
    /// the learner when we have joined, once when the board is away, once when it is back,
    /// and when the board refuses us for good. It is called by the thread of the connection.
    ///
    /// The error is a sentence that says what is wrong with the URL or the name.
    pub fn join(
        url: &str,
        name: &str,
        session: &str,
        notify: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, String> {
        Self::start(url, name, session, TIMING, notify)
    }

    fn start(
        url: &str,
        name: &str,
        session: &str,
        timing: Timing,
        notify: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, String> {
        let board = Board::parse(url)?;
        let name = checked_name(name)?;
        let shared = Arc::<Shared>::default();
        let mut client = Client {
            board,
            hello: json!({ "type": "hello", "name": name, "session": session })
                .to_string(),
            name,
            timing,
            shared: shared.clone(),
            notify: Box::new(notify),
            away: false,
            joined: false,
        };
        thread::Builder::new()
            .name("class".into())
            .spawn(move || {
                client.run();
                client.shared.lock().ended = true;
                client.shared.changed.notify_all();
            })
            .map_err(|error| {
                format!("No thread could be started for the board: {error}.")
            })?;

        Ok(Self { shared })
    }

    /// Sends the board this state, as soon as it is there. Never waits.
    pub fn report(&self, progress: &Progress) {
        let mut state = self.shared.lock();
        state.progress = Some(progress.clone());
        state.reports += 1;
    }
}

/// Says goodbye, so that the board knows that we left on purpose, and waits a moment for it.
impl Drop for Class {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        self.shared.changed.notify_all();
        let waited =
            self.shared.changed.wait_timeout_while(state, GOODBYE, |state| !state.ended);
        drop(waited); // Whether it ended or not: the program goes on.
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, unless we are stopping. Says whether we are.
    fn stops_within(&self, pause: Duration) -> bool {
        let state = self.lock();
        let waited =
            self.changed.wait_timeout_while(state, pause, |state| !state.stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }
}

/// What the thread of the connection knows, from one connection to the next.
struct Client {
    board: Board,
    name: String,
    hello: String,
    timing: Timing,
    shared: Arc<Shared>,
    notify: Box<dyn FnMut(&str) + Send>,
    /// The learner knows that the board is away.
    away: bool,
    /// The board has welcomed us at least once.
    joined: bool,
}

/// How one connection ended.
enum End {
    /// The board can be asked again later.
    Away(String),
    /// The board does not want us, and has said why.
    Refused(String),
    /// We have left.
    Left,
}

impl Client {
    fn run(&mut self) {
        let mut retry = self.timing.first_retry;
        loop {
            let end = match self.board.connect() {
                Ok(socket) => {
                    let started = Instant::now();
                    let end = Connection::new(self, socket).run();
                    // A connection that has lasted was a good one: the waits begin anew.
                    if started.elapsed() > self.timing.last_retry {
                        retry = self.timing.first_retry;
                    }
                    end
                }
                Err(why) => End::Away(why),
            };
            match end {
                End::Away(why) => self.is_away(&why),
                End::Refused(why) => return (self.notify)(&why),
                End::Left => return,
            }

            // Why jitter? When a board restarts, the whole class has lost its connections at
            // the same moment, and should not come back at the same moment.
            if self.shared.stops_within(jitter(retry)) {
                return;
            }
            retry = (2 * retry).min(self.timing.last_retry);
        }
    }

    fn is_away(&mut self, why: &str) {
        if !self.away {
            self.away = true;
            (self.notify)(&format!(
                "The board is away: {why}. Your progress is kept, and sent when it is back."
            ));
        }
    }

    fn is_here(&mut self) {
        let Self { board, name, .. } = self;
        if !self.joined {
            (self.notify)(&format!(
                "You are in the class at {} as {name}. The board gets the names of the steps \
                 and whether they pass, never your code.",
                board.url
            ));
        } else if self.away {
            (self.notify)("The board is back, and has your progress.");
        }
        self.joined = true;
        self.away = false;
    }
}

/// One connection to the board.
struct Connection<'a> {
    client: &'a mut Client,
    socket: WebSocket<TcpStream>,
    /// The board has welcomed us on this connection.
    welcomed: bool,
    /// The last error that it has sent: if it closes, this says why.
    error: Option<String>,
    /// The number of the report that was sent last, and when.
    sent: u64,
    sent_at: Option<Instant>,
    received_at: Instant,
}

impl<'a> Connection<'a> {
    fn new(client: &'a mut Client, socket: WebSocket<TcpStream>) -> Self {
        Self {
            client,
            socket,
            welcomed: false,
            error: None,
            sent: 0,
            sent_at: None,
            received_at: Instant::now(),
        }
    }

    /// Says hello, and sends the newest report whenever there is one that is not sent.
    fn run(mut self) -> End {
        let mut step = self.send_hello();
        loop {
            if let Err(end) = step {
                return end;
            }
            step = self.recv().and_then(|()| self.send_what_is_due());
        }
    }

    fn send_hello(&mut self) -> Result<(), End> {
        // So that a report need not wait for the board to say something.
        let poll = Some(self.client.timing.poll);
        self.socket.get_ref().set_read_timeout(poll).map_err(|_| lost())?;
        self.send(self.client.hello.clone())
    }

    fn recv(&mut self) -> Result<(), End> {
        match self.socket.read() {
            Ok(message) => {
                self.received_at = Instant::now();
                self.handle_message(message)
            }
            Err(Error::Io(error)) if is_timeout(&error) => {
                if self.received_at.elapsed() > SILENCE {
                    return Err(End::Away("nothing comes from it any more".into()));
                }
                Ok(())
            }
            Err(_) => Err(lost()),
        }
    }

    fn handle_message(&mut self, message: Message) -> Result<(), End> {
        match message {
            Message::Text(text) => match FromBoard::parse(&text) {
                FromBoard::Welcome => {
                    self.welcomed = true;
                    self.client.is_here();
                }
                FromBoard::Error(sentence) => self.error = Some(sentence),
                FromBoard::Unknown => {}
            },
            Message::Close(frame) => {
                return Err(end(frame, self.welcomed, self.error.take()));
            }
            _ => {} // A ping: the library answers it.
        }
        Ok(())
    }

    /// The newest report, and then the Close if we are stopping.
    fn send_what_is_due(&mut self) -> Result<(), End> {
        // Asked first: who stops now has made the last report already.
        let stopping = self.client.shared.lock().stopping;
        if let Some((number, text)) = self.due_report() {
            self.send(text)?;
            self.sent = number;
            self.sent_at = Some(Instant::now());
        }
        if !stopping {
            return Ok(());
        }
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        // Whether the board reads it or not, we leave.
        let _ = self.socket.close(Some(frame));
        let _ = self.socket.flush();
        Err(End::Left)
    }

    /// The newest report and its number, if it is not sent and it is time for one.
    fn due_report(&self) -> Option<(u64, String)> {
        let pause = self.client.timing.between_reports;
        let state = self.client.shared.lock();
        let is_new = self.welcomed && state.reports != self.sent;
        let is_time =
            state.stopping || self.sent_at.is_none_or(|at| at.elapsed() >= pause);
        let progress = state.progress.as_ref().filter(|_| is_new && is_time)?;
        Some((state.reports, progress.encode()))
    }

    fn send(&mut self, text: String) -> Result<(), End> {
        self.socket.send(Message::text(text)).map_err(|_| lost())
    }
}

/// What the board sends. What a newer board may add is no concern of ours.
enum FromBoard {
    Welcome,
    Error(String),
    Unknown,
}

impl FromBoard {
    fn parse(text: &str) -> Self {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        match (message["type"].as_str(), message["message"].as_str()) {
            (Some("welcome"), _) => Self::Welcome,
            (Some("error"), Some(sentence)) => Self::Error(sentence.into()),
            _ => Self::Unknown,
        }
    }
}

/// What a Close means for us.
fn end(frame: Option<CloseFrame>, welcomed: bool, error: Option<String>) -> End {
    let code = frame.as_ref().map_or(1005, |frame| frame.code.into());
    match code {
        NAME_TAKEN | REPLACED => {}
        POLICY if !welcomed => {}
        _ => return End::Away(format!("it has closed the connection ({code})")),
    }
    // The sentence comes from the network: what is not to be shown in a terminal is left out.
    let reason = || frame.map_or(String::new(), |frame| frame.reason.to_string());
    let sentence = error.unwrap_or_else(reason);
    End::Refused(sentence.chars().filter(|c| is_visible(*c)).take(300).collect())
}

/// Not what moves the cursor, nor what turns the direction of the text after it around.
fn is_visible(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !is_format
}

/// For people who cannot do anything about it.
fn lost() -> End {
    End::Away("the connection is lost".into())
}

/// A read that has waited long enough. Which of the two it is depends on the system.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Between a half of `longest` and all of it.
fn jitter(longest: Duration) -> Duration {
    let share = random() as f64 / u64::MAX as f64;
    longest.mul_f64(0.5 + share / 2.0)
}

/// A number that differs from call to call: the standard library seeds its hash maps with
/// random bytes of the system. It does not promise that nobody can guess them. That is
/// enough here: who guesses a session's id could take a name at the board, and no more.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The session's id, which holds this learner's name at the board.
///
/// It is kept in `file`, so that a `watch` that is started again is the same learner. The
/// error says why it could not be kept: then the next start has an id of its own.
pub fn session(file: &Path) -> (String, Option<io::Error>) {
    if let Ok(known) = fs::read_to_string(file)
        && is_session(known.trim())
    {
        return (known.trim().into(), None);
    }
    let fresh = format!("{:016x}{:016x}", random(), random());
    let kept = fs::write(file, &fresh);
    (fresh, kept.err())
}

fn is_session(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The name without blanks around it, unless it cannot be one.
///
/// The board has the last word: it also knows which marks belong to which letters.
fn checked_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    let good =
        |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let length = name.chars().filter(|c| c.is_alphanumeric() || c.is_ascii()).count();

    if (1..=NAME_LIMIT).contains(&length) && name.chars().all(good) {
        Ok(name.into())
    } else {
        Err(format!(
            "{name:?} cannot be your name in the class: a name has 1 to {NAME_LIMIT} letters, \
             digits, - and _, as in --name ana."
        ))
    }
}

/// Where the board is.
struct Board {
    /// As a person types it.
    url: String,
    host: String,
    port: u16,
}

impl Board {
    fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            Err(format!(
                "{url:?} cannot be the address of the board: {what}. The page of the board \
                 shows it, as in --class http://192.168.1.5:8000."
            ))
        };
        let url = url.trim();
        let parts = url.split_once("://");
        let parts = parts.map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        let rest = match &parts {
            Some((scheme, rest)) => match scheme.as_str() {
                "http" | "ws" => *rest,
                "https" | "wss" => return wrong("it speaks http, not https"),
                _ => return wrong(&format!("it speaks http, not {scheme}")),
            },
            None => url,
        };
        let Ok(uri) = format!("http://{rest}").parse::<Uri>() else {
            return wrong("this is no URL");
        };
        let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
            return wrong("it has no host");
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return wrong("the name goes behind --name");
        }
        if !matches!(uri.path(), "" | "/" | "/join") || uri.query().is_some() {
            return wrong("it ends with the port");
        }
        match uri.port_u16() {
            Some(port) if port > 0 => {
                Ok(Self { url: format!("http://{host}:{port}"), host: host.into(), port })
            }
            _ => wrong("it has no port from 1 to 65535"),
        }
    }

    /// Opens a WebSocket. The error says what is wrong, as a part of a sentence.
    fn connect(&self) -> Result<WebSocket<TcpStream>, String> {
        let Self { url, host, port } = self;
        let stream = self.dial().map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => format!("no program listens at {url}"),
            ErrorKind::TimedOut => format!("no computer answers at {url}"),
            _ => format!("{url} cannot be reached ({error})"),
        })?;

        let request = format!("ws://{host}:{port}/ws/learner");
        let (socket, _) =
            tungstenite::client(request, stream).map_err(|error| match error {
                HandshakeError::Failure(Error::Http(response)) => {
                    format!(
                        "{url} answers, but not as a board does ({})",
                        response.status()
                    )
                }
                HandshakeError::Failure(error) => {
                    format!("{url} answers, but not as a board does ({error})")
                }
                HandshakeError::Interrupted(_) => format!("{url} does not answer"),
            })?;
        Ok(socket)
    }

    /// Connects to the first address of the host that answers.
    fn dial(&self) -> io::Result<TcpStream> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let mut last = io::Error::other("it has no address");
        for address in (host, self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
                    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
#[path = "class/tests.rs"]
// Written out, because the board's tests include this file, too.
mod tests;
