//! Where a page stands in the course: its number, and its chapter. The chapter is a page of
//! the book, if somebody serves it, or else the text from which the book is made.

use std::{env, fs, path::Path, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{FILES, Program, head, lab};

/// Where `mdbook serve` shows the book.
const BOOK_PORT: u16 = 3000;

/// How long the book may take to answer, before we show the text.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Where the texts of the book are, seen from this crate.
const TEXTS: &str = "../book/src";

/// Which lesson of how many has this page. There are gaps in the numbers of the lessons, so
/// we count the pages. The exercises have no number, only their name.
pub fn place(Program { package, page }: Program) -> String {
    let lessons = FILES.iter().map(|&(name, _)| name);
    let lessons = lessons
        .filter(|name| name.starts_with("lesson_") && name.ends_with(".html"))
        .collect::<Vec<_>>();
    match lessons.iter().position(|&name| name == page) {
        Some(index) => format!("{} of {}", index + 1, lessons.len()),
        None => package.into(),
    }
}

/// Where the book explains the program of a page, seen from the folder of its texts.
pub fn chapter(page: &str) -> Option<&'static str> {
    head::meta(page, "chapter").next()
}

/// The way to the chapter, in debug builds alone: a release build may be far from the book.
pub fn router<S: Clone + Send + Sync + 'static>(running: Program) -> Router<S> {
    let Some(chapter) = chapter(running.page) else { return Router::new() };

    Router::new()
        .route("/chapter", get(open))
        .route("/chapter.md", get(text))
        .with_state(chapter)
}

/// Leads to the book, if it answers.
///
/// Why do we ask, and not the page? A browser writes an error to its console when nobody
/// listens, and no script can prevent it.
async fn open(State(chapter): State<&'static str>, headers: HeaderMap) -> Redirect {
    let path = format!("/{chapter}.html");
    // `mdbook serve` listens on this computer alone, so it is of no use to a neighbour.
    let is_local = lab::is_local(lab::host(&headers));
    let url = if is_local { book_with(&path, BOOK_PORT).await } else { None };
    // Not a permanent one: the book may be there the next time.
    Redirect::temporary(url.as_deref().unwrap_or("/chapter.md"))
}

/// The URL of a page of the book, if somebody serves it on this port.
///
/// The name is `localhost`, which stands for 127.0.0.1 and for ::1: mdbook takes the one
/// that the system names first.
async fn book_with(path: &str, port: u16) -> Option<String> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n");
    let exchange = async {
        let mut connection = TcpStream::connect(("localhost", port)).await?;
        connection.write_all(request.as_bytes()).await?;
        let mut status = [0; "HTTP/1.1 200".len()];
        connection.read_exact(&mut status).await?;
        Ok::<_, io::Error>(status)
    };
    let status = timeout(TIMEOUT, exchange).await.ok()?.ok()?;
    status.ends_with(b" 200").then(|| format!("http://localhost:{port}{path}"))
}

/// The chapter's text, as it is on the disk at this moment.
async fn text(State(chapter): State<&'static str>) -> Response {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(TEXTS);
    let Ok(text) = fs::read_to_string(folder.join(format!("{chapter}.md"))) else {
        let sentence =
            format!("The book is not beside this program: {chapter}.md is missing.");
        return (StatusCode::NOT_FOUND, sentence).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const RUNNING: Program =
        Program { package: "lesson_07_rooms", page: "lesson_07.html" };

    #[tokio::test]
    async fn the_chapter_is_in_the_book_if_somebody_serves_it() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 404 Not Found\r\n\r\n", false),
            ("", false),
        ] {
            let book = TcpListener::bind("127.0.0.1:0").await.expect("some port is free");
            let port = book.local_addr().expect("it has an address").port();
            let server = async {
                let (mut connection, _) = book.accept().await.expect("we are asked");
                connection.write_all(answer.as_bytes()).await.expect("it reads");
            };

            let (url, ()) =
                tokio::join!(book_with("/lessons/07-rooms.html", port), server);

            let page = format!("http://localhost:{port}/lessons/07-rooms.html");
            assert_eq!(url, expected.then_some(page), "the book said {answer:?}");
        }
    }

    #[tokio::test]
    async fn without_a_book_the_link_leads_to_the_text() {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            listener.local_addr().expect("it has an address").port()
        };

        let url = book_with("/lessons/07-rooms.html", port).await;

        assert_eq!(url, None, "nobody listens there");
    }

    #[tokio::test]
    async fn the_text_of_the_chapter_comes_as_text() {
        let chapter = super::chapter(RUNNING.page).expect("the page names its chapter");

        let response = text(State(chapter)).await;

        assert_eq!(response.status(), StatusCode::OK, "the book is beside this crate");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/plain; charset=utf-8",
            "a browser shows it"
        );
    }
}
