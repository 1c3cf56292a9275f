use probe::{Check, ONE_MINUTE, serve};
use serde_json::json;

use super::app;

#[tokio::test(start_paused = true)]
async fn json_comes_back_in_both_forms() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/json").await?;
    let mut ben = server.connect("Ben", "/ws/json/processed").await?;

    ana.says(r#"{"message":"hello"}"#).await?;
    ben.says(r#"{"message":"hello"}"#).await?;

    let data = json!({ "message": "hello" });
    ana.hears(json!({ "type": "response", "data": data })).await?;
    ben.hears(json!({ "received": data, "processed": true, "echo": "hello" })).await?;
    ben.says("[1]").await?;
    ben.hears(json!({ "received": [1], "processed": true, "echo": "" })).await?;
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn what_is_no_json_is_answered_and_does_not_disconnect() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/json").await?;

    ana.says("hello").await?;
    let sentence = "expected value at line 1 column 1";
    ana.hears(json!({ "type": "error", "message": sentence })).await?;
    ana.sends_binary(b"{}").await?;
    let sentence = "a message is text, and this is binary";
    ana.hears(json!({ "type": "error", "message": sentence })).await?;
    ana.pings(b"?").await?;
    ana.hears_pong(b"?").await?;

    ana.says("1").await?;
    ana.hears(json!({ "type": "response", "data": 1 })).await
}

#[tokio::test(start_paused = true)]
async fn bytes_come_back() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/bytes").await?;

    ana.sends_binary(&[0, 255]).await?;

    ana.hears_binary(&[0, 255]).await?;
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn the_token_is_checked_before_the_upgrade() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/auth?token=secret-token").await?;

    ana.hears("Authenticated with token: secret-token").await?;
    for path in ["/ws/auth", "/ws/auth?token=guess"] {
        let response = server.rejects("Eve", path, 401).await?;
        assert_eq!(response.body, "Invalid token", "Eve should learn why");
    }
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn the_polite_handler_accepts_and_closes_with_1008() -> Check {
    let server = serve(app());
    let mut eve = server.connect("Eve", "/ws/auth/polite?token=guess").await?;
    let mut ana = server.connect("Ana", "/ws/auth/polite?token=secret-token").await?;

    eve.is_closed(1008, "Invalid token").await?;
    ana.hears("Authenticated with token: secret-token").await
}

#[tokio::test(start_paused = true)]
async fn cookie_and_header_are_both_needed() -> Check {
    let server = serve(app());
    let cookie = ("cookie", "theme=dark; session=anas-session");
    let header = ("x-token", "secret-token");

    let mut ana = server.connect_with("Ana", "/ws/session", &[cookie, header]).await?;

    ana.hears("Authenticated").await?;
    for (headers, sentence) in [
        (vec![cookie], "The header X-Token is missing."),
        (vec![header], "The cookie session is missing."),
        (vec![], "The header X-Token is missing."),
        (vec![cookie, ("x-token", "guess")], "Session and token are not valid."),
        (vec![header, ("cookie", "session=evil")], "Session and token are not valid."),
    ] {
        let response = server.rejects_with("Eve", "/ws/session", &headers, 401).await?;
        assert_eq!(response.body, sentence, "Eve should learn why");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_one_person_and_nobody_else() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/user/ana").await?;
    let mut ben = server.connect("Ben", "/ws/user/ben").await?;
    let mut cem = server.connect("Cem", "/ws/user/cem").await?;

    ana.says(r#"{"to":"ben","content":"psst"}"#).await?;

    ben.hears(json!({ "from": "ana", "content": "psst" })).await?;
    cem.hears_nothing_for(ONE_MINUTE).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_name_is_in_use_until_its_owner_leaves() -> Check {
    let server = serve(app());
    let ana = server.connect("Ana", "/ws/user/ana").await?;
    let mut ben = server.connect("Ben", "/ws/user/ben").await?;

    server.rejects("Eve", "/ws/user/ana", 409).await?;
    ana.leaves().await?;
    ben.says(r#"{"to":"ana","content":"still here?"}"#).await?;
    let sentence = "ana is not here, or does not read";
    ben.hears(json!({ "type": "error", "message": sentence })).await?;

    let _ana = server.connect("Ana", "/ws/user/ana").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_person_who_does_not_read_harms_nobody() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/user/ana").await?;
    let mut ben = server.connect("Ben", "/ws/user/ben").await?;
    ben.stops_reading();

    let message = json!({ "to": "ben", "content": "x".repeat(1_000) }).to_string();
    for _ in 0..200 {
        ana.says(message.clone()).await?;
    }

    let sentence = "ben is not here, or does not read";
    ana.hears(json!({ "type": "error", "message": sentence })).await?;
    ana.hears_out(ONE_MINUTE).await;
    let _ben = server.connect("Ben", "/ws/user/ben").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_all_who_have_subscribed_to_its_channel() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/channels").await?;
    let mut ben = server.connect("Ben", "/ws/channels").await?;
    let mut cem = server.connect("Cem", "/ws/channels").await?;
    for (client, channel) in
        [(&mut ana, "news"), (&mut ben, "news"), (&mut cem, "weather")]
    {
        client
            .says(json!({ "action": "subscribe", "channel": channel }).to_string())
            .await?;
        client.hears(json!({ "type": "subscribed", "channel": channel })).await?;
    }

    ana.says(r#"{"action":"send","channel":"news","message":"hello"}"#).await?;

    let news = || json!({ "type": "message", "channel": "news", "message": "hello" });
    ana.hears(news()).await?;
    ben.hears(news()).await?;
    cem.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_unknown_channel_or_action_is_answered() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/channels").await?;

    ana.says(r#"{"action":"subscribe","channel":"tea"}"#).await?;
    let sentence = "unknown variant `tea`, expected `news` or `weather`";
    let first = ana.hears_any().await?;
    assert!(first.contains(sentence), "{first} should name the channels");
    ana.says(r#"{"action":"shout"}"#).await?;
    let sentence = "unknown variant `shout`, expected `subscribe` or `send`";
    let second = ana.hears_any().await?;
    assert!(second.contains(sentence), "{second} should name the actions");

    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_does_not_read_is_closed_and_harms_nobody() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/channels").await?;
    let mut ben = server.connect("Ben", "/ws/channels").await?;
    for client in [&mut ana, &mut ben] {
        client.says(r#"{"action":"subscribe","channel":"news"}"#).await?;
        client.hears(json!({ "type": "subscribed", "channel": "news" })).await?;
    }
    ben.stops_reading();

    let message = "x".repeat(1_000);
    let request = json!({ "action": "send", "channel": "news", "message": message });
    let news = || json!({ "type": "message", "channel": "news", "message": message });
    for _ in 0..200 {
        ana.says(request.to_string()).await?;
        ana.hears(news()).await?;
    }

    ben.reads_again();
    ben.is_closed_in_the_end(4008, "too slow").await
}

#[tokio::test(start_paused = true)]
async fn notifications_are_under_the_prefix_and_greet() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/api/v1/notifications").await?;

    ana.hears(json!({ "type": "connected" })).await?;
    server.rejects("Ben", "/notifications", 404).await?;
    ana.leaves_with(1001, "going away").await
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_big_ends_its_connection_and_no_other() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/json").await?;
    let mut eve = server.connect("Eve", "/ws/json").await?;
    let mut ben = server.connect("Ben", "/ws/json").await?;

    eve.says("1".repeat(8 * 1024 + 1)).await?;
    eve.finds_the_connection_lost().await?;
    ben.sends_fragments(&[&"1".repeat(5_000), &"1".repeat(5_000)], true).await?;
    ben.finds_the_connection_lost().await?;

    ana.says("1").await?;
    ana.hears(json!({ "type": "response", "data": 1 })).await
}
