//! A wrong way: the handler does the long work itself.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::{net::TcpListener, runtime::Builder, task::spawn_blocking};

/// How long it takes to count the words of a text.
const WORK: Duration = Duration::from_secs(1);

async fn count(text: String) -> String {
    let words = count_words(&text);
    format!("{words} words")
}

async fn count_beside(text: String) -> String {
    let words = spawn_blocking(move || count_words(&text)).await.unwrap_or_default();
    format!("{words} words")
}

fn count_words(text: &str) -> usize {
    thread::sleep(WORK);
    text.split_whitespace().count()
}

/// A server with two threads gets two texts to count. Then somebody says hello to it.
pub fn report() -> io::Result<String> {
    let app = Router::new()
        .route("/count", post(count))
        .route("/count-beside", post(count_beside))
        .route("/hello", get(async || "Hello!"));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let addr = listener.local_addr()?;
    runtime.spawn(async { axum::serve(listener, app).await });

    let mut report = String::new();
    for (path, place) in [("count", "in the handler"), ("count-beside", "beside it")] {
        let counts = [(); 2].map(|()| thread::spawn(move || ask(addr, "POST", path)));
        thread::sleep(WORK / 20); // They are being counted.
        let (hello, waited) = ask(addr, "GET", "hello")?;
        let waited = waited.as_secs_f64();
        report.push_str(&format!("{place}: {hello:?} after {waited:.0} s\n"));
        for count in counts {
            count.join().map_err(|_| io::Error::other("a client panicked"))??;
        }
    }
    runtime.shutdown_background();
    Ok(report)
}

/// The answer to a request, and how long it took.
fn ask(addr: SocketAddr, method: &str, path: &str) -> io::Result<(String, Duration)> {
    let start = Instant::now();
    let mut line = TcpStream::connect(addr)?;
    write!(
        line,
        "{method} /{path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\
         Content-Length: 3\r\n\r\ntea"
    )?;
    let mut answer = String::new();
    line.read_to_string(&mut answer)?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    Ok((body.to_owned(), start.elapsed()))
}
