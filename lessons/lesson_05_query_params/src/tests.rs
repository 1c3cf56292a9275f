use probe::{Check, ONE_MINUTE, chat::Chat, serve};

use super::app;

// What every server of the course does (`lessons/probe/src/conformance.rs`).
probe::conformance! { app(), "/ws/7?token=let-me-in" =>
    a_clean_close_is_answered,
    nothing_harmless_disconnects,
    unfinished_fragments_cost_bounded_memory,
    unread_pongs_cost_bounded_memory,
    it_works_over_tcp,
}

// What every chat of the course does (`lessons/probe/src/chat.rs`).
probe::chat_conformance! { chat() =>
    every_disconnect_is_announced_once,
    all_receive_the_same_order,
    a_burst_disconnects_nobody,
    a_burst_takes_few_writes,
    a_slow_client_harms_only_itself,
    a_client_that_never_reads_again_is_disconnected,
    an_old_connection_does_not_remove_the_new_one,
    a_crowd_that_stalls_at_once_disconnects_nobody_else,
    a_crowd_that_is_lost_at_once_disconnects_nobody_else,
}

// The conversations of the book, in `book/transcripts`.
probe::transcripts!(app());

fn chat() -> Chat {
    Chat {
        app,
        names: ["7", "8", "9"],
        path: |name| format!("/ws/{name}?token=let-me-in"),
        says: |text| text.into(),
        said: |name, text| format!("Client {name}: {text}").into(),
        left: |name| format!("Client {name} left.").into(),
        hears_itself: true,
        crowd: |i| (i + 100).to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_receives_a_message_the_sender_too() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/7?token=let-me-in").await?;
    ana.hears("You are client 7.").await?;

    ana.says("hi").await?;

    ana.hears("Client 7: hi").await
}

#[tokio::test(start_paused = true)]
async fn without_echo_the_sender_does_not_receive_its_own_message() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/7?token=let-me-in&echo=false").await?;
    ana.hears("You are client 7.").await?;
    let mut ben = server.connect("Ben", "/ws/8?echo=true&token=let-me-in").await?;
    ben.hears("You are client 8.").await?;
    ana.hears("Client 8 joined.").await?;

    ana.says("hi").await?;
    ben.hears("Client 7: hi").await?;
    ana.hears_nothing_for(ONE_MINUTE).await?;
    ben.says("hello").await?;

    ana.hears("Client 8: hello").await?;
    ben.hears("Client 8: hello").await
}

#[tokio::test(start_paused = true)]
async fn no_token_or_a_wrong_one_gets_401_before_the_upgrade() -> Check {
    let server = serve(app());

    for query in ["", "?echo=false", "?token=", "?token=Let-me-in", "?token=let-me-in%00"]
    {
        server.rejects("Eve", &format!("/ws/7{query}"), 401).await?;
    }
    for query in ["?token=%ff", "?token=no&token=let-me-in"] {
        server.rejects("Eve", &format!("/ws/7{query}"), 401).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_invalid_option_gets_400() -> Check {
    let server = serve(app());

    let response = server.rejects("Eve", "/ws/7?token=let-me-in&echo=maybe", 400).await?;

    assert!(response.body.contains("echo"), "{} should name the option", response.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_invalid_id_gets_400_and_one_in_use_409() -> Check {
    let server = serve(app());
    let _ana = server.connect("Ana", "/ws/7?token=let-me-in").await?;

    server.rejects("Eve", "/ws/abc?token=let-me-in", 400).await?;
    server.rejects("Eve", "/ws/7?token=let-me-in", 409).await?;

    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_polite_handler_accepts_and_closes_with_4001() -> Check {
    let server = serve(app());

    let mut eve = server.connect("Eve", "/ws/7/polite").await?;
    eve.is_closed(4001, "A token is missing: ?token=…").await?;
    let mut eve = server.connect("Eve", "/ws/7/polite?token=guess").await?;

    eve.is_closed(4001, "This is not the token.").await
}

#[tokio::test(start_paused = true)]
async fn the_polite_handler_accepts_the_right_token() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/7/polite?token=let-me-in").await?;

    ana.hears("You are client 7.").await?;

    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn whoever_is_closed_politely_is_never_announced() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/8?token=let-me-in").await?;
    ana.hears("You are client 8.").await?;

    let mut eve = server.connect("Eve", "/ws/7/polite").await?;
    eve.is_closed(4001, "A token is missing: ?token=…").await?;

    ana.hears_nothing_for(ONE_MINUTE).await
}
