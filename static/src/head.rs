//! What a page says about itself in its `<head>`.
//!
//! ```html
//! <title>Lesson 07: rooms</title>
//! <meta name="package" content="lesson_07_rooms" />
//! <meta name="websocket" content="/ws/chat/rust/{name}" />
//! <meta name="websocket-part" content="/ws/tasks" />
//! <meta name="message" content='{"type":"ping"}' />
//! <meta name="chapter" content="lessons/07-rooms" />
//! <meta name="try" content="Join the room rust in two windows, and talk." />
//! ```
//!
//! `package` is the program that the page is for. `websocket` is the endpoint that the lab
//! connects to, with `{name}`, `{number}` or `{token}` for what each client has of its own.
//! A page whose parts have sockets, too, has a `websocket-part` for the path of each.
//! Each `message` is one that the lab offers to send. `chapter` is the file of the book that
//! explains the program, without its ending, and each `try` something to do with the page.
//!
//! The name comes before the content, and the content is taken as it stands: what has
//! quotation marks in it stands between apostrophes.

use super::file;

/// The program that a page is for. A page that any program may serve names none.
pub fn package(page: &str) -> Option<&'static str> {
    meta(page, "package").next()
}

/// What stands between `<title>` and `</title>`.
pub fn title(page: &str) -> Option<&'static str> {
    let (_, rest) = head(page).split_once("<title>")?;
    rest.split_once("</title>").map(|(title, _)| title)
}

/// The contents of all `<meta>` elements of a name.
pub fn meta(page: &str, name: &str) -> impl Iterator<Item = &'static str> {
    head(page)
        .split("<meta")
        .filter(move |element| attribute(element, "name") == Some(name))
        .filter_map(|element| attribute(element, "content"))
}

fn head(page: &str) -> &'static str {
    let text = file(page).unwrap_or_default();
    text.split_once("</head>").map_or("", |(head, _)| head)
}

/// What stands between the quotation marks, or the apostrophes, of an attribute.
fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = element.split_once(&format!("{name}="))?;
    let mark = value.chars().next().filter(|mark| matches!(mark, '"' | '\''))?;
    value.split(mark).nth(1)
}
