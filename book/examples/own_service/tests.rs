//! The classroom: what it promises, and that signing in works as in lesson 08.

use axum::Router;
use lesson_08_auth::{Auth, Username};
use probe::{Check, ONE_MINUTE, serve};

const SECRET: &[u8] = b"a secret for the tests, 32 bytes or more";

probe::sign_in_conformance! { app(), "/ws", &token("ana") }

fn auth() -> Auth {
    Auth::new(SECRET, "own_service").expect("a secret that is long enough")
}

fn app() -> Router {
    super::app(auth())
}

fn token(name: &str) -> String {
    auth().issue(Username::try_from(name.to_owned()).expect("a good name"))
}

fn path(name: &str) -> String {
    format!("/ws?token={}", token(name))
}

#[tokio::test(start_paused = true)]
async fn everybody_sees_whose_hand_is_up_in_order() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("ana")).await?;
    ana.hears("[]").await?;
    ana.says("I have a question.").await?;
    ana.hears(r#"["ana"]"#).await?;

    let mut ben = server.connect("Ben", &path("ben")).await?;
    ben.hears(r#"["ana"]"#).await?;
    ben.says("So have I.").await?;
    ana.hears(r#"["ana","ben"]"#).await?;
    ben.hears(r#"["ana","ben"]"#).await?;
    ana.says("Thank you.").await?;

    ana.hears(r#"["ben"]"#).await?;
    ben.hears(r#"["ben"]"#).await
}

#[tokio::test(start_paused = true)]
async fn a_hand_goes_down_with_its_owner() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("ana")).await?;
    ana.hears("[]").await?;
    let mut ben = server.connect("Ben", &path("ben")).await?;
    ben.says("Me!").await?;
    ana.hears(r#"["ben"]"#).await?;

    ben.vanishes().await;

    ana.hears("[]").await?;
    ana.pings(b"still here?").await?;
    ana.hears_pong(b"still here?").await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn what_is_no_text_ends_the_session_with_1003() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("ana")).await?;
    ana.hears("[]").await?;

    ana.sends_binary(&[1, 2, 3]).await?;

    ana.is_closed(1003, "send text").await
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_chat_is_not_valid_here() -> Check {
    let chat = Auth::new(SECRET, "lesson_08_auth").expect("the same secret");
    let ana = Username::try_from("ana".to_owned()).expect("a good name");
    let path = format!("/ws?token={}", chat.issue(ana));

    serve(app()).rejects("Ana", &path, 401).await?;
    Ok(())
}
