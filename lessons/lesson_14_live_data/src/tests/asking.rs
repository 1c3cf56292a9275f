//! How the tests ask the API for something, and follow a channel.

use axum::http::Request;
use probe::{Client, Hint, Server};
use serde_json::Value;

use super::guests::token;

/// What the API said.
pub struct Reply {
    pub status: u16,
    pub body: Value,
    /// The number of the change.
    pub change: Option<i64>,
}

/// Asks the API for something, as in `asks(&server, "ana", "GET /users", Value::Null)`.
pub async fn asks(
    server: &Server,
    who: &str,
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    let headers = [("authorization", format!("Bearer {}", token(who)))];
    asks_with(server, &headers, what, body).await
}

pub async fn asks_with(
    server: &Server,
    headers: &[(&str, String)],
    what: &str,
    body: Value,
) -> Result<Reply, Hint> {
    let (method, path) = what.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let (kind, text) = match body {
        Value::Null => ("text/plain", String::new()),
        body => ("application/json", body.to_string()),
    };
    let request = request.header("content-type", kind).body(text);
    let answer = server.request(request.expect("a good request")).await?;

    let change =
        answer.headers.get("x-change").and_then(|it| it.to_str().ok()?.parse().ok());
    let body = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(Reply { status: answer.status.as_u16(), body, change })
}

/// Somebody follows a channel, and has been greeted.
pub async fn follows(server: &Server, who: &str, channel: &str) -> Result<Client, Hint> {
    let path = format!("/api/v1/ws/{channel}?token={}&client_id={who}-1", token(who));
    let mut client = server.connect(who, &path).await?;
    client.hears_any().await?;
    Ok(client)
}
