//! What the book says about axum and about the lessons, where no lesson's test shows it.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{State, connect_info::MockConnectInfo},
    http::Request,
    routing::post,
};
use book::read;
use lesson_08_auth::{Auth, auth_routes};
use probe::{Check, Hint};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Reports the end of a handler, however it comes.
struct OnDrop(mpsc::Sender<&'static str>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.try_send("dropped");
    }
}

#[tokio::test]
async fn axum_drops_a_handler_whose_client_hangs_up() -> Check {
    let (reports, mut received) = mpsc::channel(2);
    let slow = async |State(reports): State<mpsc::Sender<&'static str>>| {
        let _guard = OnDrop(reports.clone());
        let _ = reports.try_send("began");
        sleep(6 * TIMEOUT).await;
    };
    let app = Router::new().route("/users", post(slow)).with_state(reports);
    let failed = |error| Hint::new(format!("A request that hangs up: {error}."));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    let server = tokio::spawn(async { axum::serve(listener, app).await });

    let mut client = TcpStream::connect(addr).await.map_err(failed)?;
    let request = b"POST /users HTTP/1.1\r\nHost: us\r\nContent-Length: 0\r\n\r\n";
    client.write_all(request).await.map_err(failed)?;
    let began = timeout(TIMEOUT, received.recv()).await;
    drop(client);

    let ended = timeout(TIMEOUT, received.recv()).await;
    server.abort();
    assert_eq!(began, Ok(Some("began")), "the request arrived");
    assert_eq!(ended, Ok(Some("dropped")), "lesson 15 says so, and counts on it");
    Ok(())
}

/// Names and passwords stand in neighbouring cells: `| ana | ana-likes-tea | …`.
#[tokio::test(start_paused = true)]
async fn twenty_people_can_sign_in_as_the_sheet_says() -> Check {
    let sheet = read("book/src/teachers/sheet.md").map_err(Hint::new)?;
    let rows = sheet.lines().filter(|line| line.contains("-likes-"));
    let cells: Vec<&str> =
        rows.flat_map(|row| row.trim_matches('|').split('|')).map(str::trim).collect();
    let auth = Auth::new(b"a secret for the tests, 32 bytes or more", "book");
    let app = Router::new()
        .merge(auth_routes::<Auth>())
        .layer(MockConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))))
        .with_state(auth.map_err(Hint::new)?);
    let server = probe::serve(app);

    for account in cells.chunks(2) {
        let body = json!({ "username": account[0], "password": account[1] }).to_string();
        let request = Request::post("/login")
            .header("content-type", "application/json")
            .body(body)
            .expect("a good request");
        let response = server.request(request).await?;
        assert_eq!(response.status, 200, "{account:?} may sign in");
    }
    assert_eq!(cells.len() / 2, 20, "the sheet has twenty accounts");
    Ok(())
}
