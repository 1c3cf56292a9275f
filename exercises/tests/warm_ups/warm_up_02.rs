// Warm-up for lesson 02: how connections ended.

use exercises::warm_ups::warm_up_02::router;
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, serve};

probe::steps! {
    step_1_a_client_that_closes_is_counted,
    step_2_a_lost_connection_is_counted,
    step_3_a_connection_that_we_close_is_counted,
    step_4_every_code_is_a_close_by_the_client,
    step_5_nobody_waits_for_the_closing_handshake,
}

const COUNTS: &str = "/warm_up_02/disconnects";

/// Connects, and has an echo, so that the server's loop has surely begun.
async fn connect(server: &Server, name: &str) -> Result<Client, Hint> {
    let mut client = server.connect(name, "/warm_up_02/ws").await?;
    client.says("hello").await?;
    client.hears("Echo: hello").await?;
    Ok(client)
}

/// Asks the server for its counts.
async fn counts(server: &Server, expected: &str, why: &str) -> Check {
    let response = server.get(COUNTS).await?;
    if response.status.is_success() && response.body == expected {
        return Ok(());
    }
    Err(server.hint(format!(
        "{why}\nGET {COUNTS} should say {expected:?}, but said {:?} ({}).",
        response.body, response.status
    )))
}

/// Nobody has left while everybody is still there.
async fn step_1_a_client_that_closes_is_counted() -> Check {
    let server = serve(router());
    let ana = connect(&server, "Ana").await?;
    let _ben = connect(&server, "Ben").await?;
    counts(
        &server,
        "by the client: 0, lost: 0, by us: 0",
        "Ana and Ben are connected, and nobody has left.",
    )
    .await?;

    ana.leaves().await.because(
        "Ana closes. (The closing handshake is that of lesson 02's `socket.rs`, which should \
         be as it was.)",
    )?;

    counts(
        &server,
        "by the client: 1, lost: 0, by us: 0",
        "Ana closed with code 1000. Ben is still connected.",
    )
    .await
}

/// A phone in a tunnel, a program that crashes: no Close comes from them.
async fn step_2_a_lost_connection_is_counted() -> Check {
    let server = serve(router());
    let ana = connect(&server, "Ana").await?;
    let ben = connect(&server, "Ben").await?;

    ana.vanishes().await;
    counts(
        &server,
        "by the client: 0, lost: 1, by us: 0",
        "Ana's connection was lost: no Close came.",
    )
    .await?;

    ben.vanishes().await;
    counts(
        &server,
        "by the client: 0, lost: 2, by us: 0",
        "Ana's connection was lost, and then Ben's.",
    )
    .await
}

/// The client answers our Close with a Close. It does not count as one of its own.
async fn step_3_a_connection_that_we_close_is_counted() -> Check {
    let server = serve(router());
    let mut ana = connect(&server, "Ana").await?;

    ana.says("bye").await?;
    ana.is_closed(1000, "Goodbye!").await.because("Ana says bye.")?;

    counts(
        &server,
        "by the client: 0, lost: 0, by us: 1",
        "Ana said bye. So the server closed the connection, and Ana answered its Close.",
    )
    .await
}

/// A browser sends 1001 when its window is closed, and a page may choose a code from 3000
/// on.
async fn step_4_every_code_is_a_close_by_the_client() -> Check {
    let server = serve(router());
    let ana = connect(&server, "Ana").await?;
    let ben = connect(&server, "Ben").await?;
    let mut cem = connect(&server, "Cem").await?;

    ana.leaves_with(1001, "").await?;
    ben.leaves_with(3000, "back to work").await?;
    counts(
        &server,
        "by the client: 2, lost: 0, by us: 0",
        "Ana closed with code 1001, and Ben with 3000. Whatever the code is, it was the \
         client that closed.",
    )
    .await?;

    cem.writes_raw(b"\x88\x80\x00\x00\x00\x00").await?; // A Close with nothing in it.
    cem.hears_out(ONE_MINUTE).await; // The server answers it.
    cem.vanishes().await;
    counts(
        &server,
        "by the client: 3, lost: 0, by us: 0",
        "After the two, Cem closed without a code, as `socket.close()` in a browser does.",
    )
    .await
}

/// A client that does not answer keeps its task for ten seconds, but it has left.
async fn step_5_nobody_waits_for_the_closing_handshake() -> Check {
    let server = serve(router());
    let mut eve = connect(&server, "Eve").await?;

    eve.stops_reading();
    eve.says("bye").await?;
    // A client that connects, and has its echo: by then the server has read Eve's message.
    let _ana = connect(&server, "Ana").await?;

    counts(
        &server,
        "by the client: 0, lost: 0, by us: 1",
        "Eve said bye, and does not answer the server's Close. She should be counted at \
         once, and not when `close` has waited for her.",
    )
    .await
}
