//! A broker of one's own for each test, and nodes that may be paused, and die.

use std::{
    env, fs,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use async_nats::ServerAddr;
use probe::{Hint, Server};
use tokio::{runtime::Builder, sync::oneshot};

use super::{
    LIMIT,
    people::{auth, seen_from},
    until,
};
use crate::{app, broker::Connection, node::CurrentNode, storage::Settings};

/// How long a lease is in these tests. A test that is about its end waits for it.
pub const LEASE: Duration = Duration::from_secs(4);

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
        let folder = env::temp_dir().join(format!("scale-out-{}-{port}", process::id()));
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

    /// Sends a signal, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        let id = self.process.as_ref().map_or(0, Child::id).to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the broker runs");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn server(&self) -> ServerAddr {
        format!("127.0.0.1:{}", self.port).parse().expect("a good address")
    }

    pub fn settings(&self) -> Settings {
        Settings {
            servers: vec![self.server()],
            replicas: 1,
            max_bytes: -1,
            lease: LEASE,
            ids_kept: Duration::from_secs(120),
        }
    }

    /// A connection that belongs to no node.
    pub async fn connection(&self) -> Result<Connection, Hint> {
        let connection = Connection::start(self.settings()).await.map_err(Hint::new)?;
        until("The broker answers", || async { connection.is_connected() }).await?;
        Ok(connection)
    }

    /// A node that is ready.
    pub async fn node(&self) -> Result<TestNode, Hint> {
        let node = TestNode::start(self.settings());
        node.is_ready().await?;
        Ok(node)
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

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("it has an address").port()
}

/// A node with a runtime of its own, on a thread of its own, as a process has them.
pub struct TestNode {
    pub server: Server,
    pauses: mpsc::Sender<Duration>,
    running: Mutex<Option<(oneshot::Sender<()>, thread::JoinHandle<()>)>>,
}

impl TestNode {
    pub fn start(settings: Settings) -> Self {
        let (send_server, server) = mpsc::channel();
        let (pauses, next_pause) = mpsc::channel::<Duration>();
        let (dies, end) = oneshot::channel();
        let run = async move {
            let connection = Connection::start(settings).await.expect("good settings");
            let app = app(auth(), CurrentNode::start(connection));
            let app = seen_from([192, 0, 2, 1], app);
            let server = probe::serve_tcp(app).await.expect("a port is free");
            send_server.send(server).expect("the test waits for it");
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    if let Ok(pause) = next_pause.try_recv() {
                        thread::sleep(pause); // So no task of this node runs.
                    }
                }
            });
            let _ = end.await; // Or the test is over.
        };
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can start").block_on(run);
        });
        let server = server.recv().expect("the node starts");
        Self { server, pauses, running: Mutex::new(Some((dies, thread))) }
    }

    /// Stops all that it does for a while, as when the process is stopped.
    pub fn pauses_for(&self, time: Duration) {
        let _ = self.pauses.send(time); // Or it is dead.
    }

    /// Stops everything where it is, as `kill -9` does.
    pub fn dies(&self) {
        let running = self.running.lock().expect("no test panics with it").take();
        if let Some((dies, thread)) = running {
            drop(dies);
            thread.join().expect("no task of a node panics its runtime");
        }
    }

    /// Whether `GET /ready` says so, or the sentence that says why not.
    pub async fn readiness(&self) -> Result<(), String> {
        match self.server.get("/ready").await {
            Ok(response) if response.status == 200 => Ok(()),
            Ok(response) => Err(response.body),
            Err(hint) => Err(hint.to_string()),
        }
    }

    pub async fn is_ready(&self) -> Result<(), Hint> {
        until("The node is ready", || async { self.readiness().await.is_ok() }).await
    }

    /// Waits until `GET /rooms` says this.
    pub async fn lists(&self, rooms: &str) -> Result<(), Hint> {
        let what = format!("GET /rooms is {rooms}");
        until(&what, || async {
            self.server.get("/rooms").await.is_ok_and(|response| response.body == rooms)
        })
        .await
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.dies();
    }
}
