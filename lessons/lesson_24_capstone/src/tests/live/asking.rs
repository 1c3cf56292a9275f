//! How the tests ask the API for something, and subscribe to a channel.

use axum::http::Request;
use probe::{Client, Hint, Server};
use serde_json::Value;

use crate::tests::people::token;

/// What the API answered.
pub struct Reply {
    pub status: u16,
    pub body: Value,
    /// The version of the list, or after the change.
    pub version: Option<i64>,
    /// Where the next part of the list is.
    pub next: Option<String>,
    /// When to try again, in seconds.
    pub retry_after: Option<i64>,
}

/// Asks the API for something, as in `asks(&server, "ana", "GET /users", Value::Null)`.
pub async fn asks(
    server: &Server,
    who: &str,
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    asks_with(server, &[bearer(who)], what, body).await
}

/// The header of somebody who has signed in.
pub fn bearer(who: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", token(who)))
}

pub async fn asks_with(
    server: &Server,
    headers: &[(&str, String)],
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    let (kind, text) = match body {
        Value::Null => ("text/plain", String::new()),
        body => ("application/json", body.to_string()),
    };
    sends(server, headers, what, kind, text).await
}

/// Asks with a body of this content type, whatever the text is.
pub async fn sends(
    server: &Server,
    headers: &[(&str, String)],
    what: &str,
    kind: &str,
    text: String,
) -> Result<Reply, Hint> {
    let (method, path) = what.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.header("content-type", kind).body(text);
    let answer = server.request(request.expect("a good request")).await?;

    let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let number = |name| header(name).and_then(|value| value.parse().ok());
    let next = header("link").map(|value| {
        let path = value.strip_prefix("</api/v1").and_then(|rest| rest.split_once('>'));
        let (path, rest) = path.expect("a link into the API");
        assert_eq!(rest, r#"; rel="next""#, "{value}");
        path.to_owned()
    });
    Ok(Reply {
        status: answer.status.as_u16(),
        body: serde_json::from_str(&answer.body).unwrap_or_default(),
        version: number("x-version"),
        next,
        retry_after: number("retry-after"),
    })
}

/// Somebody subscribes to a channel, and has been greeted.
pub async fn subscribes(
    server: &Server,
    who: &str,
    channel: &str,
) -> Result<Client, Hint> {
    let path = format!("/api/v1/ws/{channel}?token={}&client_id={who}-1", token(who));
    let mut client = server.connect(who, &path).await?;
    client.hears_any().await?;
    Ok(client)
}
