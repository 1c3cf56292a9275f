//! A broker of one's own for each test: a `nats-server`, which may be stopped and killed.

use std::{
    env, fs,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    ops::Range,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    join,
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    spawn,
    sync::{mpsc, watch},
    time::{sleep, sleep_until},
};

use super::LIMIT;

/// Below those that systems give to clients.
const PORTS: Range<u32> = 20_000..32_000;

/// Where `nats-server` is: in `NATS_SERVER`, or on the path. If it is nowhere, this says so,
/// and the test has nothing to do.
pub fn nats_server() -> Option<PathBuf> {
    let path = env::var_os("NATS_SERVER").map_or("nats-server".into(), PathBuf::from);
    let found = Command::new(&path).arg("--version").stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Some(path);
    }
    let test = thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln!`: the test runner would keep it to itself.
    let _ = writeln!(
        io::stderr(),
        "SKIPPED: {test} needs nats-server, on the PATH or in NATS_SERVER."
    );
    None
}

/// A `nats-server` with JetStream, and the folder with its data.
pub struct TestBroker {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

impl TestBroker {
    /// `None` if there is no `nats-server`.
    pub fn start() -> Option<Self> {
        Self::with(Vec::new())
    }

    fn with(options: Vec<String>) -> Option<Self> {
        let program = nats_server()?;
        let port = free_port();
        let folder = env::temp_dir().join(format!("broker-{}-{port}", process::id()));
        let _ = fs::remove_dir_all(&folder); // A test that was killed may have left it.
        let mut broker = Self { program, folder, port, options, process: None };
        broker.starts();
        Some(broker)
    }

    /// A broker that asks for the user "chat" and this password.
    pub fn with_password(password: &str) -> Option<Self> {
        Self::with(["--user", "chat", "--pass", password].map(String::from).into())
    }

    /// Three servers that are one broker.
    pub fn cluster() -> Option<[Self; 3]> {
        let ports = [free_port(), free_port(), free_port()];
        let url = |port| format!("nats://127.0.0.1:{port}");
        let options = |port| {
            let routes = ports.map(url).join(",");
            let name = format!("server-{port}");
            [
                "--cluster_name",
                "chat",
                "--cluster",
                &url(port),
                "--routes",
                &routes,
                "-n",
                &name,
            ]
            .map(String::from)
            .into()
        };
        let [one, two, three] = ports.map(|port| Self::with(options(port)));
        Some([one?, two?, three?])
    }

    /// Starts it, or starts it again with its data.
    pub fn starts(&mut self) {
        let port = self.port.to_string();
        let process = Command::new(&self.program)
            .args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd"])
            .arg(&self.folder)
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.expect("it has said its version"));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < LIMIT, "the broker should listen");
            thread::sleep(Duration::from_millis(5)); // A process has no event to wait for.
        }
    }

    /// Kills it. Its data stay.
    pub fn dies(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill(); // Or it has ended already.
            let _ = process.wait();
        }
    }

    /// Keeps a copy of its data, while it does not run.
    pub fn copies_its_data(&self) {
        copy(&self.folder, &self.copy());
    }

    /// Has the data of the copy again, as after a loss of power.
    pub fn loses_what_came_later(&self) {
        fs::remove_dir_all(&self.folder).expect("it has data");
        copy(&self.copy(), &self.folder);
    }

    fn copy(&self) -> PathBuf {
        self.folder.with_extension("copy")
    }

    /// Sends a signal, such as `-STOP`. After that one, it has stopped.
    pub fn signal(&self, signal: &str) {
        let id = self.process.as_ref().map_or(0, Child::id).to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the broker runs");
        if signal == "-STOP" {
            wait_until_stopped(&id);
        }
    }

    /// Starts a relay, which passes on what the broker says so much later.
    pub async fn relay(&self, delay: Duration) -> Relay {
        self.relay_with(delay, None).await
    }

    /// Starts a relay, which passes on so many bytes of the broker a second at most.
    pub async fn narrow_relay(&self, rate: u32) -> Relay {
        self.relay_with(Duration::ZERO, Some(rate)).await
    }

    async fn relay_with(&self, delay: Duration, rate: Option<u32>) -> Relay {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("some port is free");
        let address = listener.local_addr().expect("it has an address");
        let (is_silent, silence) = watch::channel(false);
        let port = self.port;
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let broker = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
                let (asked, answers) = client.into_split();
                let (late, questions) = broker.expect("the broker listens").into_split();
                spawn(pass_on(asked, questions, Duration::ZERO, None, silence.clone()));
                spawn(pass_on(late, answers, delay, rate, silence.clone()));
            }
        });
        Relay { url: format!("nats://{address}"), is_silent }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens, without the user and the password.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

/// What is between a node and the broker, until the test ends.
pub struct Relay {
    url: String,
    is_silent: watch::Sender<bool>,
}

impl Relay {
    /// Where it listens.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Passes nothing on any more, in either direction. All connections stay, as when a cable is
    /// pulled.
    pub fn falls_silent(&self) {
        self.is_silent.send_replace(true);
    }

    /// Passes on what has come meanwhile, and what comes from now on.
    pub fn goes_on(&self) {
        self.is_silent.send_replace(false);
    }
}

/// Passes on what comes, each part of it so much later, and nothing while there is silence.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    rate: Option<u32>,
    mut silence: watch::Receiver<bool>,
) {
    let (sender, mut parts) = mpsc::channel(1_000);
    let reading = async move {
        let mut part = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut part).await {
            let late = (Instant::now() + delay, part[..count].to_vec());
            if sender.send(late).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((time, part)) = parts.recv().await {
            sleep_until(time.into()).await;
            if silence.wait_for(|is_silent| !is_silent).await.is_err()
                || to.write_all(&part).await.is_err()
            {
                return;
            }
            if let Some(rate) = rate {
                sleep(Duration::from_secs(1) * part.len() as u32 / rate).await;
            }
        }
    };
    join!(reading, writing);
}

/// A signal stops one thread after the other, and until then they may answer.
fn wait_until_stopped(id: &str) {
    let is_stopped = |thread: fs::DirEntry| {
        // The state stands behind the name, which is in parentheses.
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
    };
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        let Ok(mut threads) = fs::read_dir(format!("/proc/{id}/task")) else {
            return thread::sleep(Duration::from_millis(100)); // This is no Linux.
        };
        if threads.all(|thread| thread.is_ok_and(is_stopped)) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.dies();
        for folder in [&self.folder, &self.copy()] {
            let _ = fs::remove_dir_all(folder); // Or there is none.
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.is_ok_and(|status| status.success()), "there is space for it");
}

/// A port that nobody listens on. It is not among those that the system gives to clients, and
/// to whoever wants any: otherwise one of these could have it before a broker listens on it, or
/// while the broker is away for a moment.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that begin at the same time have ports that are far from each other.
    let first = process::id().wrapping_mul(211);
    (0..PORTS.end - PORTS.start)
        .map(|_| first.wrapping_add(NEXT.fetch_add(1, Relaxed)))
        .map(|number| PORTS.start + number % (PORTS.end - PORTS.start))
        .filter_map(|port| u16::try_from(port).ok())
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("some port is free")
}
