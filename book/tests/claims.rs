//! What the book says about axum, where no lesson's test shows it.

use std::time::Duration;

use axum::{Router, extract::State, routing::post};
use probe::{Check, Hint};
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
    assert_eq!(ended, Ok(Some("dropped")), "lesson 14 says so, and counts on it");
    Ok(())
}
