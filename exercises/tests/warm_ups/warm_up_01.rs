// Warm-up for lesson 01: capitals and counts.

use std::time::Duration;

use exercises::warm_ups::warm_up_01::router;
use probe::{Because, Check, serve};

probe::steps! {
    step_1_a_text_comes_back_in_capitals,
    step_2_bytes_are_answered_with_their_number,
    step_3_every_letter_has_a_capital,
    step_4_a_ping_is_answered_by_the_library_alone,
    step_5_a_close_is_answered,
}

const PATH: &str = "/warm_up_01/ws";

const ONE_SECOND: Duration = Duration::from_secs(1);

/// An empty pong with a mask, as a browser sends it (RFC 6455, section 5.5.3).
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];

/// The server may answer as often as the client sends something: it is a loop.
async fn step_1_a_text_comes_back_in_capitals() -> Check {
    let mut ana = serve(router()).connect("Ana", PATH).await?;

    ana.says("Is anybody here?").await?;
    ana.hears("IS ANYBODY HERE?").await.because("Ana sends a text.")?;

    let second = "Ana sends a second text. The server should go on after the first.";
    ana.says("Still here?").await.because(second)?;
    ana.hears("STILL HERE?").await.because(second)
}

/// The answer to a message may be of another kind than the message.
async fn step_2_bytes_are_answered_with_their_number() -> Check {
    let mut ana = serve(router()).connect("Ana", PATH).await?;

    ana.sends_binary(b"\x00\x01\x02\x03").await?;
    ana.hears("Bytes: 4")
        .await
        .because("Ana sends four bytes. The answer is a text with their number.")?;

    ana.sends_binary(&[0; 300]).await?;
    ana.hears("Bytes: 300").await.because("Ana sends 300 bytes.")?;

    ana.sends_binary(b"").await?;
    ana.hears("Bytes: 0")
        .await
        .because("Ana sends a binary message without a byte. It is a message, too.")
}

/// A text is UTF-8, so people may write in any script. One letter may even become two.
async fn step_3_every_letter_has_a_capital() -> Check {
    let mut ana = serve(router()).connect("Ana", PATH).await?;

    for (text, capitals) in
        [("café", "CAFÉ"), ("привет", "ПРИВЕТ"), ("straße", "STRASSE")]
    {
        ana.says(text).await?;
        ana.hears(capitals)
            .await
            .because("Ana sends a word with letters that ASCII does not have.")?;
    }
    Ok(())
}

/// Browsers send no pings, but phones and proxies do. The library answers them for us.
async fn step_4_a_ping_is_answered_by_the_library_alone() -> Check {
    let mut ana = serve(router()).connect("Ana", PATH).await?;

    ana.pings(b"still there?").await?;
    ana.hears_nothing_for(ONE_SECOND).await.because(
        "Ana sends a ping. The library answers it with a pong, which is not counted here. \
         Nothing else should come, and the connection should stay open.",
    )?;

    ana.says("I am.").await?;
    ana.hears("I AM.")
        .await
        .because("Ana sent a ping, and then a text. After a ping the loop goes on.")?;

    ana.pings(b"and now?").await?;
    ana.hears_pong(b"and now?")
        .await
        .because("Ana sends a ping. Its pong should bring back the bytes of the ping.")?;

    let pong = "Ana sends a pong that nobody has asked for, which the protocol allows.";
    ana.writes_raw(PONG).await?;
    ana.hears_nothing_for(ONE_SECOND).await.because(pong)?;
    ana.says("Still here.").await?;
    ana.hears("STILL HERE.").await.because(pong)
}

/// A browser calls it `wasClean`. If nobody answers its Close, it reports 1006, as if the
/// connection had been lost.
async fn step_5_a_close_is_answered() -> Check {
    let mut ana = serve(router()).connect("Ana", PATH).await?;
    ana.says("See you!").await?;
    ana.hears("SEE YOU!").await.because("Ana sends a text.")?;

    ana.leaves().await.because(
        "Ana closes with code 1000. The library answers a Close, but only when the loop \
         calls `recv` again.",
    )
}
