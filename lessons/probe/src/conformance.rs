//! What every server of the course does, whatever else it does.
//!
//! A lesson's tests call these with its own router and path, so that the rule is
//! written once and kept everywhere.

use std::time::Duration;

use axum::Router;

use crate::{Check, Client, Hint, ONE_MINUTE, Server, serve, serve_tcp};

/// More than any lesson accepts in one message, in bytes.
const TOO_MUCH: usize = 100_000;

/// The server completes the closing handshake with the client's own code. It does not drop
/// the connection before, which the client would see as 1006.
pub async fn a_clean_close_is_answered(app: Router, path: &str) -> Check {
    let server = serve(app);

    server.connect("Ana", path).await?.leaves().await?;
    server.connect("Ben", path).await?.leaves_with(4321, "I have seen enough").await
}

/// Pings are answered, and neither pings, pongs, binary nor fragmented messages end the
/// connection.
pub async fn nothing_harmless_disconnects(app: Router, path: &str) -> Check {
    let server = serve(app);
    let mut ana = server.connect("Ana", path).await?;

    ana.sends_binary(&[0, 159, 146, 150]).await?;
    ana.sends_fragments(&["hel", "", "lo"], true).await?;
    ana.writes_raw(&masked(0x8a, b"a pong that nobody asked for")).await?;
    ana.pings(b"still here?").await?;
    ana.hears_pong(b"still here?").await?;
    ana.hears_out(Duration::from_secs(1)).await;

    ana.hears_nothing_for(ONE_MINUTE).await?;
    ana.leaves().await
}

/// After a protocol violation the server closes with the code for it: 1002, 1007 or 1009.
pub async fn protocol_violations_have_their_codes(app: Router, path: &str) -> Check {
    let server = serve(app);
    let violations: [(&str, Vec<u8>, u16); 6] = [
        ("an unmasked frame", vec![0x81, 2, b'h', b'i'], 1002),
        ("a reserved bit", masked(0xc1, b"hi"), 1002),
        ("a reserved opcode", masked(0x83, b"hi"), 1002),
        ("a continuation of nothing", masked(0x80, b"hi"), 1002),
        ("text that is not UTF-8", masked(0x81, &[0xff, 0xfe]), 1007),
        ("a message too big", masked(0x81, &vec![b'x'; TOO_MUCH]), 1009),
    ];

    for (violation, bytes, code) in violations {
        let mut ana = server.connect("Ana", path).await?;
        ana.hears_out(Duration::from_millis(10)).await;
        // The server may drop the connection before it has read it all.
        let _ = ana.writes_raw(&bytes).await;
        closed_with(&mut ana, code)
            .await
            .map_err(|hint| Hint::new(format!("After {violation}: {hint}")))?;
        ana.vanishes().await;
    }
    Ok(())
}

/// A message that never ends is read up to the limit, and no further.
pub async fn unfinished_fragments_cost_bounded_memory(app: Router, path: &str) -> Check {
    sends_a_message_without_an_end(app, path).await.map(drop)
}

/// After a message that never ends the server closes with 1009.
pub async fn an_unfinished_message_is_closed_with_1009(app: Router, path: &str) -> Check {
    let (_server, mut ana) = sends_a_message_without_an_end(app, path).await?;
    closed_with(&mut ana, 1009).await
}

async fn sends_a_message_without_an_end(
    app: Router,
    path: &str,
) -> Result<(Server, Client), Hint> {
    let server = serve(app);
    let mut ana = server.connect("Ana", path).await?;
    ana.hears_out(Duration::from_millis(10)).await;

    ana.writes_raw(&masked(0x01, b"once upon a time")).await?;
    let mut sent = 0;
    while sent < 10 * TOO_MUCH {
        if ana.writes_raw(&masked(0x00, &[b'x'; 1000])).await.is_err() {
            break; // The server has dropped the connection.
        }
        sent += 1000;
    }

    if sent >= 2 * TOO_MUCH {
        return Err(Hint::new(format!(
            "The server read {sent} bytes of a message that never ended, and did not stop at its \
             limit."
        )));
    }
    Ok((server, ana))
}

/// A client that pings for ever and reads no pong does not fill the server's memory.
pub async fn unread_pongs_cost_bounded_memory(app: Router, path: &str) -> Check {
    let server = serve(app);
    let mut ana = server.connect("Ana", path).await?;
    ana.hears_out(Duration::from_millis(10)).await;
    ana.stops_reading();

    let payload = [b'p'; 125];
    for _ in 0..10_000 {
        if ana.writes_raw(&masked(0x89, &payload)).await.is_err() {
            break; // The server may close the connection.
        }
    }
    ana.reads_again();
    let pongs = ana.counts_pongs().await;

    let kept = pongs * payload.len();
    if kept > 2 * TOO_MUCH {
        return Err(Hint::new(format!(
            "The server kept {kept} bytes of pongs for a client that read none of them."
        )));
    }
    Ok(())
}

/// The same server, over TCP, in real time: a client connects, sends a ping, and closes.
pub async fn it_works_over_tcp(app: Router, path: &str) -> Check {
    let server = serve_tcp(app).await?;

    let mut ana = server.connect("Ana", path).await?;
    ana.pings(b"still here?").await?;
    ana.hears_pong(b"still here?").await?;
    ana.leaves().await
}

async fn closed_with(ana: &mut Client, code: u16) -> Check {
    let reason = match code {
        1002 => "protocol error",
        1007 => "text that is not UTF-8",
        _ => "message too big",
    };
    ana.is_closed(code, reason).await
}

/// A frame as a client sends it, masked with zeros. `first` is its first byte: FIN,
/// the reserved bits, and the opcode (RFC 6455, section 5.2).
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// These rules as tests, in a module `conformance`: `conformance! { app(), "/ws" => a, b }`
/// for those that are named, and without names for all. Both may be any expressions.
#[macro_export]
macro_rules! conformance {
    ($app:expr, $path:expr) => {
        $crate::conformance! { $app, $path =>
            a_clean_close_is_answered,
            nothing_harmless_disconnects,
            protocol_violations_have_their_codes,
            an_unfinished_message_is_closed_with_1009,
            unfinished_fragments_cost_bounded_memory,
            unread_pongs_cost_bounded_memory,
            it_works_over_tcp,
        }
    };
    ($app:expr, $path:expr => $($rule:ident),* $(,)?) => {
        $crate::rules! { conformance as conformance, ($app, $path) => $($rule),* }
    };
}
