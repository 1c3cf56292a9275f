//! The real client and a real port, in real time: both keep to the same protocol.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    task::spawn_blocking,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::client::{Class, Progress};
use crate::{app, join::Addresses};

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const WAIT: Duration = Duration::from_secs(10);

/// A board with threads of its own, so that its end is the end of all that it does.
struct Board {
    addr: SocketAddr,
    runtime: Runtime,
}

impl Board {
    /// Serves at this address, or at a free one if the port is 0.
    async fn starts(addr: SocketAddr) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("the system has a thread for us");
        let listening = runtime.spawn(async move {
            let listener = TcpListener::bind(addr).await.expect("the port is free");
            let addr = listener.local_addr().expect("a listener has an address");
            tokio::spawn(async move {
                let _ = axum::serve(listener, app(Addresses::of(addr))).await; // Never returns.
            });
            addr
        });
        Self { addr: listening.await.expect("the board listens"), runtime }
    }

    async fn stops(self) {
        let stopping = spawn_blocking(move || self.runtime.shutdown_timeout(WAIT));
        stopping.await.expect("all that it does ends");
    }
}

type Page = WebSocketStream<tokio::net::TcpStream>;

async fn opens(addr: SocketAddr) -> Page {
    let stream = tokio::net::TcpStream::connect(addr).await.expect("the board listens");
    client_async(format!("ws://{addr}/ws/page"), stream)
        .await
        .expect("a page may connect")
        .0
}

/// Reads until a row is `wanted`.
async fn sees(page: &mut Page, wanted: impl Fn(&Value) -> bool) {
    let reading = async {
        loop {
            let message =
                page.next().await.expect("the board goes on").expect("and writes");
            let Message::Text(text) = message else { continue };
            let message: Value =
                serde_json::from_str(&text).expect("the board sends JSON");
            let row = message.get("learner").into_iter();
            let rows = message["learners"].as_array().into_iter().flatten();
            if row.chain(rows).any(&wanted) {
                return;
            }
        }
    };
    timeout(WAIT, reading).await.expect("the page sees the row");
}

fn solved(name: &str, passed: usize) -> impl Fn(&Value) -> bool {
    move |row| {
        let count = json!({ "passed": passed, "steps": 2 });
        row["name"] == name && row["exercises"]["warm_up_01"] == count
    }
}

fn progress(passed: usize) -> Progress {
    let mut progress = Progress::default();
    progress.checked("warm_up_01", [("step_1_a", passed > 0), ("step_2_b", passed > 1)]);
    progress
}

fn joins(addr: SocketAddr, name: &str) -> (Class, Receiver<String>) {
    let (sender, notices) = channel();
    let session = super::session(u32::from(name.as_bytes()[0])); // Each name has its own.
    let class = Class::join(&format!("http://{addr}"), name, &session, move |sentence| {
        let _ = sender.send(sentence.to_owned()); // A test that is over hears no more.
    });
    (class.expect("the board has a URL"), notices)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_starts_anew_gets_the_whole_class_back() {
    let board = Board::starts(ANY_PORT).await;
    let addr = board.addr;
    let mut page = opens(addr).await;
    let names = ["ana", "ben", "cem", "dan", "eve"];
    let class: Vec<_> = names.iter().map(|name| joins(addr, name)).collect();
    for (learner, _) in &class {
        learner.report(&progress(1));
    }
    for name in names {
        // A page each, because the rows come in any order.
        sees(&mut opens(addr).await, solved(name, 1)).await;
    }
    sees(&mut page, solved("eve", 1)).await;

    board.stops().await;
    for (learner, _) in &class[1..] {
        learner.report(&progress(2)); // While the board is away.
    }
    let board = Board::starts(addr).await;

    sees(&mut opens(addr).await, solved("ana", 1)).await;
    for name in &names[1..] {
        sees(&mut opens(addr).await, solved(name, 2)).await;
    }
    for (_, notices) in &class {
        let notices: Vec<_> = notices.try_iter().collect();
        assert_eq!(notices.len() % 2, 1, "joined, and then away and back: {notices:?}");
        assert!(notices[0].starts_with("You are in the class at"), "{notices:?}");
    }
    board.stops().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_who_quits_is_away_at_once_and_free_to_come_back() {
    let board = Board::starts(ANY_PORT).await;
    let addr = board.addr;
    let (ana, notices) = joins(addr, "ana");
    ana.report(&progress(1));
    let mut page = opens(addr).await;
    sees(&mut page, solved("ana", 1)).await;

    drop(ana);
    sees(&mut page, |row| row["name"] == "ana" && row["away"] == 0).await;
    let (_ana, _notices) = joins(addr, "ana");

    sees(&mut page, |row| row["name"] == "ana" && row["away"].is_null()).await;
    assert_eq!(notices.try_iter().count(), 1, "she knows that she has left");
    board.stops().await;
}
