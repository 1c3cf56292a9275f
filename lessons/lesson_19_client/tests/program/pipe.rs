//! The program in a pipe, with servers of the course.

use std::{
    env, fs, io, net::SocketAddr, path::Path, process as this, sync::Arc, time::Duration,
};

use axum::{
    Router,
    extract::FromRef,
    routing::{any, get},
};
use lesson_08_auth::{Auth, auth_routes};
use lesson_18_delivery::SqliteLog;
use tokio::{net::TcpListener, runtime::Runtime};

use crate::process::Client;

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

/// A server that runs on threads of its own, until it is dropped, with all its connections.
struct Server {
    runtime: Option<Runtime>,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10)); // The port is free then.
        }
    }
}

impl Server {
    fn start(address: &str, app: impl FnOnce() -> Router) -> io::Result<Self> {
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let address = listener.local_addr()?;
        let app = {
            let _inside = runtime.enter(); // Some parts spawn tasks.
            app().into_make_service_with_connect_info::<SocketAddr>()
        };
        runtime.spawn(async { axum::serve(listener, app).await });
        Ok(Self { runtime: Some(runtime), address })
    }

    fn ana(&self) -> io::Result<Client> {
        let url = format!("http://{}", self.address);
        Client::start(&url, "rust", Some("ana-likes-tea"))
    }
}

#[derive(Clone, FromRef)]
struct Lesson08 {
    rooms: lesson_08_auth::RoomManager,
    auth: Auth,
}

fn lesson_08() -> Router {
    lesson_08_with(SECRET)
}

fn lesson_08_with(secret: &[u8]) -> Router {
    let auth = Auth::new(secret, "pipe").expect("the secret is long enough");
    Router::new()
        .merge(auth_routes::<Lesson08>())
        .route("/ws/chat/{room}", any(lesson_08_auth::ws_handler))
        .with_state(Lesson08 { rooms: Default::default(), auth })
}

#[derive(Clone, FromRef)]
struct Lesson18 {
    rooms: lesson_18_delivery::RoomManager,
    log: Arc<SqliteLog>,
    auth: Auth,
}

fn lesson_18(database: &Path) -> Router {
    let auth = Auth::new(SECRET, "pipe").expect("the secret is long enough");
    let rooms = lesson_18_delivery::RoomManager::default();
    let log = SqliteLog::open(database, rooms.clone()).expect("nobody else has the file");
    Router::new()
        .merge(auth_routes::<Lesson18>())
        .route("/ws/chat/{room}", any(lesson_18_delivery::ws_handler::<SqliteLog>))
        .route("/rooms", get(lesson_18_delivery::list_rooms))
        .with_state(Lesson18 { rooms, log: Arc::new(log), auth })
}

#[test]
fn a_line_goes_in_and_comes_out() -> io::Result<()> {
    let server = Server::start("127.0.0.1:0", lesson_08)?;
    let mut ana = server.ana()?;

    ana.types("hello")?;
    let line = ana.prints("ana: hello")?;
    let (status, errors, _) = ana.ends()?;

    assert_eq!(&line[2..3], ":", "the time comes first: {line}");
    assert_eq!((status, &errors[..]), (Some(0), ""), "the end of the pipe is no error");
    Ok(())
}

#[test]
#[cfg(unix)]
fn ctrl_c_leaves_as_the_end_of_the_pipe_does() -> io::Result<()> {
    let server = Server::start("127.0.0.1:0", lesson_08)?;
    let mut ana = server.ana()?;
    ana.prints("* Connected.")?;

    ana.interrupt()?;

    let (status, errors, _) = ana.has_ended()?;
    assert_eq!((status, &errors[..]), (Some(0), ""), "she has left, and was not lost");
    Ok(())
}

#[test]
fn a_token_that_is_not_valid_any_more_is_renewed() -> io::Result<()> {
    let server = Server::start("127.0.0.1:0", lesson_08)?;
    let mut ana = server.ana()?;
    ana.prints("* Connected.")?;
    let address = server.address.to_string();
    drop(server);

    let other = || lesson_08_with(b"another secret of thirty-two bytes");
    let _server = Server::start(&address, other)?;
    ana.prints("(401). Next try in")?;
    ana.prints("* Connected.")?;

    assert_eq!(ana.ends()?.0, Some(0), "she has signed in again");
    Ok(())
}

#[test]
fn who_cannot_go_on_hears_why() -> io::Result<()> {
    let server = Server::start("127.0.0.1:0", lesson_08)?;
    let url = format!("http://{}", server.address);
    let mut ana = server.ana()?;
    ana.prints("* Connected.")?;

    let taken = server.ana()?.has_ended()?;
    let wrong = Client::start(&url, "rust", Some("wrong"))?.has_ended()?;
    let bad_room =
        Client::start(&url, "no spaces/?#", Some("ana-likes-tea"))?.has_ended()?;
    let no_server = Client::start("http://127.0.0.1:1", "rust", None)?.has_ended()?;

    for ((status, errors, _), sentence) in [
        (taken, "this name is taken (4009)."),
        (wrong, "Wrong name or password (401)."),
        (bad_room, "a name has 1 to 40 letters, digits, - and _ (400)."),
        (no_server, "No server at http://127.0.0.1:1: "),
    ] {
        assert_eq!(status, Some(1), "{sentence}");
        assert!(errors.contains(sentence), "{errors:?} should contain {sentence:?}");
    }
    Ok(())
}

#[test]
fn what_is_typed_without_a_server_arrives_once_when_it_is_back() -> io::Result<()> {
    let database = env::temp_dir().join(format!("client-{}.db", this::id()));
    let server = Server::start("127.0.0.1:0", || lesson_18(&database))?;
    let mut ana = server.ana()?;
    ana.types("before")?;
    ana.prints("ana: before")?;

    let address = server.address.to_string();
    drop(server);
    ana.prints("* Not connected")?;
    ana.types("during")?;
    ana.types("this, too")?;
    let server = Server::start(&address, || lesson_18(&database))?;
    let (status, _, printed) = ana.ends()?;
    let mut later = server.ana()?;
    later.prints("ana: this, too")?;
    let (_, _, log) = later.ends()?;

    let contents = |lines: &[String]| -> Vec<String> {
        let contents = lines.iter().filter_map(|line| line.split_once(" ana: "));
        contents.map(|(_, content)| content.to_owned()).collect()
    };
    assert_eq!(status, Some(0), "the pipe has ended, and all is sent");
    assert_eq!(
        contents(&log),
        ["before", "during", "this, too"],
        "the log has each once"
    );
    assert_eq!(
        contents(&printed)[0],
        "before",
        "the first client has seen it: {printed:?}"
    );
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", database.display())); // Or there is none.
    }
    Ok(())
}
