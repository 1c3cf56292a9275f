//! The program as a whole, with a server of lesson 08 on the network.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr},
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{ConnectInfo, FromRef, Request},
    middleware::{Next, from_fn},
    routing::any,
};
use lesson_08_auth::{Auth, RoomManager, auth_routes, ws_handler};
use serde_json::Value;
use tokio::{net::TcpListener, task::spawn_blocking};

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

#[derive(Clone, FromRef)]
struct AppState {
    rooms: RoomManager,
    auth: Auth,
}

/// A server, and from which addresses somebody has come.
struct Server {
    address: SocketAddr,
    clients: Arc<Mutex<HashSet<IpAddr>>>,
}

impl Server {
    async fn start() -> io::Result<Self> {
        let clients = Arc::<Mutex<HashSet<IpAddr>>>::default();
        let auth = Auth::new(SECRET, "load").expect("the secret is long enough");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let known = clients.clone();
        let note = move |ConnectInfo(from): ConnectInfo<SocketAddr>,
                         request: Request,
                         next: Next| {
            known.lock().expect("nobody panics with it").insert(from.ip());
            async { next.run(request).await }
        };
        let app = Router::new()
            .merge(auth_routes::<AppState>())
            .route("/ws/chat/{room}", any(ws_handler))
            .layer(from_fn(note))
            .with_state(AppState { rooms: RoomManager::default(), auth })
            .into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async { axum::serve(listener, app).await });
        Ok(Self { address, clients })
    }

    /// Runs the generator to its end.
    async fn load(&self, words: &str) -> io::Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lesson_23_load"));
        command.args(["--server", &self.address.to_string()]);
        command.args(words.split_whitespace());
        spawn_blocking(move || command.output()).await?
    }
}

const PEOPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/people.txt");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_and_two_processes_measure_what_one_would() -> io::Result<()> {
    let server = Server::start().await?;
    let words = "--rooms 2 --members 5 --senders 2 --rate 20 --seconds 2 --json true";

    let one = server.load(&format!("{words} --people {PEOPLE}")).await?;
    let two = server.load(&format!("{words} --people {PEOPLE} --processes 2")).await?;

    for output in [one, two] {
        let result: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| io::Error::other(format!("{error}: {output:?}")))?;
        let rows = &result["rows"];
        assert_eq!(rows[0]["name"], "20 messages/s", "the only rate: {result:#}");
        assert_eq!(
            rows[0]["count"],
            20 * 5 * 2,
            "all deliveries of two seconds: {result:#}"
        );
        assert_eq!(rows[0]["missing"], 0, "in both rooms: {result:#}");
        assert_eq!(rows[1]["count"], 10, "a handshake for each member: {result:#}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_a_picture_and_what_the_server_refuses() -> io::Result<()> {
    let server = Server::start().await?;
    let folder = std::env::temp_dir();
    let svg = folder.join(format!("load-{}.svg", std::process::id()));
    let words = format!(
        "--members 3 --senders 1 --rate 5,10 --seconds 1 --size 2300 --people {PEOPLE} --svg {}",
        svg.display()
    );

    let output = server.load(&words).await?;

    let table = String::from_utf8_lossy(&output.stdout);
    let picture = std::fs::read_to_string(&svg);
    let _ = std::fs::remove_file(&svg); // Or the system does it.
    assert!(
        picture.is_ok_and(|svg| svg.starts_with("<svg ")),
        "a file of SVG: {output:?}"
    );
    // Longer than a chat may be.
    assert!(table.contains("× {\"type\":\"error\""), "the server's own words: {table}");
    assert!(
        table.contains("The server does not keep up."),
        "nothing was delivered: {table}"
    );
    Ok(())
}

/// Other systems have only one address for themselves.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_from_several_addresses() -> io::Result<()> {
    let server = Server::start().await?;
    let words = "--members 4 --senders 1 --seconds 1 --from 127.0.0.2,127.0.0.3";

    let output = server.load(&format!("{words} --people {PEOPLE}")).await?;

    let expected = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map(|it| it.parse().ok());
    let clients = server.clients.lock().expect("nobody panics with it").clone();
    let clients: HashSet<Option<IpAddr>> = clients.into_iter().map(Some).collect();
    assert_eq!(clients, expected.into(), "the first is who signs in: {output:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server { address: listener.local_addr()?, clients: Arc::default() };
    drop(listener);

    let outputs =
        [server.load("").await?, server.load(&format!("--people {PEOPLE}")).await?];

    for (output, who) in outputs.iter().zip([&server.address.to_string(), "people.txt"]) {
        assert!(!output.status.success(), "a script notices it: {output:?}");
        let sentence = String::from_utf8_lossy(&output.stderr);
        assert!(sentence.contains(who), "what failed: {sentence}");
        assert!(sentence.contains("Connection refused"), "and why: {sentence}");
    }
    Ok(())
}

/// As in `… --help | head -1`.
#[test]
fn help_that_nobody_reads_to_the_end_is_no_fault() -> io::Result<()> {
    let (reader, output) = io::pipe()?;
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesson_23_load"));

    let output = command.arg("--help").stdout(output).output()?;

    assert!(output.status.success(), "a reader may have seen enough: {output:?}");
    Ok(())
}

#[test]
fn people_are_those_of_the_sheet() -> io::Result<()> {
    let sheet = concat!(env!("CARGO_MANIFEST_DIR"), "/../../book/src/teachers/sheet.md");
    let (sheet, people) =
        (std::fs::read_to_string(sheet)?, std::fs::read_to_string(PEOPLE)?);

    for line in people.lines() {
        let cells = line.replace(' ', " | ");
        assert!(sheet.contains(&format!("| {cells} |")), "the sheet knows {line}");
    }
    assert_eq!(people.lines().count(), 20, "a full room");
    Ok(())
}
