use probe::{Check, conformance, serve};

use super::app;

// The conversations of the book, in `book/transcripts`.
probe::transcripts!(app());

#[tokio::test(start_paused = true)]
async fn text_comes_back_with_echo_before_it() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.says("still here?").await?;

    ana.hears("Echo: still here?").await?;
    ana.says("").await?;
    ana.hears("Echo: ").await
}

#[tokio::test(start_paused = true)]
async fn binary_comes_back_byte_for_byte() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    let every_byte: Vec<u8> = (0..=255).collect();

    ana.sends_binary(&every_byte).await?;

    ana.hears_binary(&every_byte).await
}

#[tokio::test(start_paused = true)]
async fn a_message_in_fragments_comes_back_as_one() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.sends_fragments(&["Good ", "morn", "ing"], true).await?;

    ana.hears("Echo: Good morning").await
}

#[tokio::test(start_paused = true)]
async fn a_ping_does_not_end_the_connection() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.pings(b"are you there?").await?;
    ana.hears_pong(b"are you there?").await?;
    ana.says("good").await?;

    ana.hears("Echo: good").await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_breaks_the_protocol_harms_nobody_else() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws").await?;
    let mut ben = server.connect("Ben", "/ws").await?;

    ben.writes_raw(b"this is no frame").await?;

    ana.says("still here?").await?;
    ana.hears("Echo: still here?").await
}

#[tokio::test(start_paused = true)]
async fn a_plain_request_gets_400_and_a_sentence() -> Check {
    let server = serve(app());

    let response = server.get("/ws").await?;

    assert_eq!(response.status, 400, "a browser that opens /ws asks for no upgrade");
    assert!(response.body.contains("upgrade"), "the sentence says what is missing");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clean_close_is_answered() -> Check {
    conformance::a_clean_close_is_answered(app(), "/ws").await
}

#[tokio::test(start_paused = true)]
async fn nothing_harmless_disconnects() -> Check {
    conformance::nothing_harmless_disconnects(app(), "/ws").await
}

#[tokio::test(start_paused = true)]
async fn unread_pongs_cost_bounded_memory() -> Check {
    conformance::unread_pongs_cost_bounded_memory(app(), "/ws").await
}

#[tokio::test]
async fn it_works_over_tcp() -> Check {
    conformance::it_works_over_tcp(app(), "/ws").await
}
