//! What every WebSocket for people who have signed in does, from lesson 08 on.

use axum::Router;

use crate::{Check, Hint, serve};

/// Without a token there is no upgrade.
pub async fn nobody_connects_without_a_token(
    app: Router,
    path: &str,
    _token: &str,
) -> Check {
    serve(app).rejects("Eve", path, 401).await?;
    Ok(())
}

/// A page of another origin is rejected, even if the browser sends a valid token along.
pub async fn a_page_of_a_stranger_is_rejected(
    app: Router,
    path: &str,
    token: &str,
) -> Check {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("origin", "http://evil.example")];
    serve(app).rejects_with("Ana", path, &headers, 403).await?;
    Ok(())
}

/// The token may come as a subprotocol, and the server chooses another one: a browser gives
/// up the connection if it chooses none, and the token would be sent back.
pub async fn the_subprotocol_is_chosen_and_not_the_token(
    app: Router,
    path: &str,
    token: &str,
) -> Check {
    let server = serve(app);
    let offered = format!("chat.v1, bearer.{token}");

    let ana =
        server.connect_with("Ana", path, &[("sec-websocket-protocol", &offered)]).await?;

    let chosen = ana.response.headers().get("sec-websocket-protocol");
    match chosen.and_then(|name| name.to_str().ok()) {
        Some("chat.v1") => ana.leaves().await,
        other => Err(Hint::new(format!(
            "The server should choose the subprotocol \"chat.v1\", not {other:?}."
        ))),
    }
}

/// These rules as tests, in a module `sign_in_conformance`, for an application, the path of
/// its WebSocket, and the token of somebody who may connect.
#[macro_export]
macro_rules! sign_in_conformance {
    ($app:expr, $path:expr, $token:expr) => {
        $crate::rules! {
            sign_in as sign_in_conformance, ($app, $path, $token) =>
            nobody_connects_without_a_token,
            a_page_of_a_stranger_is_rejected,
            the_subprotocol_is_chosen_and_not_the_token
        }
    };
}
