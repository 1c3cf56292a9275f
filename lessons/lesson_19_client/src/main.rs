//! Lesson 19: a client.
//!
//! Before: we wrote servers, and a browser was their client.
//! Now:    a program of ours is the client, for a person at a terminal and for scripts.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. what a client has to know, without a socket (`session.rs`);
//! 2. `connect_async`, and a socket in two halves, a sink and a stream (`connect.rs`,
//!    `client.rs`);
//! 3. a terminal in which one types while messages arrive (`screen.rs`).
//!
//! Run:   cargo run -p lesson_19_client -- ana rust (beside a server of lesson 07, 08 or 18)
//! Open:  http://127.0.0.1:8000 as ben
//! Check: cargo test -p lesson_19_client

mod client;
mod connect;
mod protocol;
mod screen;
mod session;

use std::{env, process::exit};

use crate::{
    client::Client,
    connect::{Server, agent},
    screen::{Screen, printable},
    session::Session,
};

#[tokio::main]
async fn main() {
    let result = run().await;
    if let Err(sentence) = &result {
        eprintln!("{}", printable(sentence));
    }
    exit(result.is_err().into()) // To return would wait for a request that is under way.
}

/// The error is a sentence for the person who started the program.
async fn run() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (name, room, url) = match &arguments[..] {
        [name, room] => (name, room, "http://127.0.0.1:8000"),
        [name, room, option, url] if option == "--url" => (name, room, &url[..]),
        _ => return Err("Usage: lesson_19_client NAME ROOM [--url URL]".into()),
    };
    // Who signs people in has this path, and says 405 to a GET.
    let password = match agent().get(format!("{url}/login")).call() {
        Err(ureq::Error::StatusCode(404)) => None,
        Ok(_) | Err(ureq::Error::StatusCode(_)) => {
            let ask = |_| rpassword::prompt_password("Password (or set CHAT_PASSWORD): ");
            let password = env::var("CHAT_PASSWORD").or_else(ask);
            Some(password.map_err(|error| format!("No password: {error}."))?)
        }
        Err(error) => return Err(format!("No server at {url}: {error}.")),
    };
    let title = format!("{name}@{room}");
    let (url, name, room) = (url.into(), name.into(), room.into());
    let server = Server { url, name, room, password, token: None };
    let screen = Screen::new().map_err(|error| error.to_string())?;
    let mut client =
        Client { session: Session::default(), screen, title, is_leaving: false };
    let result = client.run(server).await;
    client.screen.finish();
    result
}

#[cfg(test)]
mod tests;
