//! What signing in promises, in this lesson and in those that follow.

use axum::http::Request;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use probe::{Check, Client, Hint, Response, Server, rooms::chat_from, serve};
use serde_json::{Value, json};

use super::{
    app,
    guests::{SECRET, path},
};
use crate::tokens::{AUDIENCE, ISSUER, TOKEN_LIFETIME, Tokens};

fn claims() -> Value {
    json!({
        "sub": "ana",
        "exp": get_current_timestamp() + 60,
        "iss": ISSUER,
        "aud": AUDIENCE,
    })
}

fn sign(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET))
        .expect("a secret can sign any claims")
}

fn claims_with(claim: &str, value: Value) -> String {
    let mut claims = claims();
    claims[claim] = value;
    sign(&claims)
}

fn claims_without(claim: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(claim);
    sign(&claims)
}

async fn log_in(
    server: &Server,
    username: &str,
    password: &str,
) -> Result<Response, Hint> {
    let body = json!({ "username": username, "password": password }).to_string();
    let request = Request::post("/login")
        .header("content-type", "application/json")
        .body(body)
        .expect("a good request");
    server.request(request).await
}

async fn refuses(server: &Server, token: &str, sentence: &str) -> Check {
    let path = format!("/ws/chat/rust?token={token}");
    let answer = server.rejects("Eve", &path, 401).await?;
    assert_eq!(answer.body, sentence, "this token: {token}");
    assert_eq!(answer.headers["www-authenticate"], "Bearer", "RFC 6750, section 3");
    Ok(())
}

const NOT_VALID: &str = "Sign in again: this token is not valid.";
const EXPIRED: &str = "Sign in again: the token has expired.";
pub const MISSING: &str = "Sign in first: a token is missing.";

#[tokio::test(start_paused = true)]
async fn the_right_password_brings_a_token_and_a_cookie() -> Check {
    let server = serve(app());

    let answer = log_in(&server, "ana", "ana-likes-tea").await?;

    assert_eq!(answer.status, 200, "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    assert_eq!(body["expires_in"], TOKEN_LIFETIME.as_secs(), "the page can plan ahead");
    let token = body["token"].as_str().unwrap_or_default();
    let cookie = answer.headers["set-cookie"].to_str().unwrap_or_default();
    for part in [
        &format!("{}={token}", crate::guards::COOKIE),
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=900",
    ] {
        assert!(cookie.contains(part), "the cookie should have {part}: {cookie}");
    }
    let mut ana = server.connect("Ana", &format!("/ws/chat/rust?token={token}")).await?;
    ana.says(r#"{"type":"chat","content":"It is me."}"#).await?;
    ana.hears(chat_from("ana", "It is me.")).await
}

#[tokio::test(start_paused = true)]
async fn every_demo_user_can_sign_in() -> Check {
    let server = serve(app());

    for (name, password) in
        [("ana", "ana-likes-tea"), ("ben", "ben-likes-jam"), ("cem", "cem-likes-figs")]
    {
        let answer = log_in(&server, name, password).await?;
        assert_eq!(answer.status, 200, "{name} has this password");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wrong_name_and_a_wrong_password_look_the_same() -> Check {
    let server = serve(app());
    let wrong_password = log_in(&server, "ana", "ben-likes-jam").await?;
    let wrong_name = log_in(&server, "eve", "ben-likes-jam").await?;
    let no_name = log_in(&server, "", "").await?;
    let not_mine = log_in(&server, "nobody", "nobody-knows-this").await?;

    for answer in [&wrong_password, &wrong_name, &no_name, &not_mine] {
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert_eq!(answer.body, "Wrong name or password.", "no hint at what was wrong");
        assert!(!answer.headers.contains_key("set-cookie"), "and no cookie");
    }
    assert_eq!(
        wrong_name.headers.len(),
        wrong_password.headers.len(),
        "nor in the headers"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_no_json_gets_an_answer() -> Check {
    let server = serve(app());
    let bad = [
        ("application/json", "{", 400),
        ("application/json", "{}", 422),
        ("text/plain", "{}", 415),
    ];

    for (kind, body, status) in bad {
        let request =
            Request::post("/login").header("content-type", kind).body(body.into());
        let answer = server.request(request.expect("a good request")).await?;
        assert_eq!(answer.status, status, "{kind} {body}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_token_may_come_in_four_ways() -> Check {
    let server = serve(app());
    let token = sign(&claims());
    let room = "/ws/chat/rust";

    server.connect("Ana", &format!("{room}?token={token}")).await?.leaves().await?;
    let bearer = format!("Bearer {token}");
    server
        .connect_with("Ana", room, &[("authorization", &bearer)])
        .await?
        .leaves()
        .await?;
    let cookies = format!("theme=dark; {}={token}; lang=en", crate::guards::COOKIE);
    server.connect_with("Ana", room, &[("cookie", &cookies)]).await?.leaves().await?;
    let offered = format!("chat.v1, bearer.{token}");
    let header = [("sec-websocket-protocol", &*offered)];
    let ana: Client = server.connect_with("Ana", room, &header).await?;
    let selected = ana.response.headers().get("sec-websocket-protocol");
    assert_eq!(
        selected.and_then(|name| name.to_str().ok()),
        Some("chat.v1"),
        "never the token"
    );
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn without_a_token_there_is_no_upgrade() -> Check {
    let server = serve(app());

    let answer = server.rejects("Eve", "/ws/chat/rust", 401).await?;
    assert_eq!(answer.body, MISSING, "the sentence says what to do");
    let headers = [
        ("authorization", "Basic YW5hOnRlYQ=="),
        ("cookie", "theme=dark"),
        ("sec-websocket-protocol", "chat.v1"),
    ];

    for header in headers {
        server.rejects_with("Eve", "/ws/chat/rust", &[header], 401).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn garbage_is_no_token() -> Check {
    let server = serve(app());
    let token = sign(&claims());
    let tampered = token.replacen('.', ".e", 1);
    let headless = token.split_once('.').map_or("", |(_, rest)| rest);

    for garbage in
        ["", "x", "a.b.c", "...", headless, &tampered, &token[..token.len() - 5]]
    {
        refuses(&server, garbage, NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn alg_none_is_refused() -> Check {
    let server = serve(app());
    // {"alg":"none","typ":"JWT"}, then good claims, and no signature.
    let token = sign(&claims());
    let claims = token.split('.').nth(1).unwrap_or_default();

    for signature in ["", "e30"] {
        let token = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.{signature}");
        refuses(&server, &token, NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_key_or_another_algorithm_is_refused() -> Check {
    let server = serve(app());
    let other = EncodingKey::from_secret(b"another secret, which is not the server's");
    let token = encode(&Header::new(Algorithm::HS256), &claims(), &other);
    refuses(&server, &token.expect("signed"), NOT_VALID).await?;

    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let ours = EncodingKey::from_secret(SECRET);
        let token = encode(&Header::new(algorithm), &claims(), &ours);
        refuses(&server, &token.expect("signed"), NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_refused_without_leeway() -> Check {
    let server = serve(app());

    for seconds in [2, 30, 3600] {
        let token = claims_with("exp", json!(get_current_timestamp() - seconds));
        refuses(&server, &token, EXPIRED).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_exp_that_is_missing_or_odd_is_refused() -> Check {
    let server = serve(app());
    refuses(&server, &claims_without("exp"), NOT_VALID).await?;
    let now = get_current_timestamp();
    let odd = [
        json!((now + 60) * 1000),
        json!(now + 3600),
        json!("soon"),
        json!(1e300),
        json!(-1),
    ];

    for exp in odd {
        let path = format!("/ws/chat/rust?token={}", claims_with("exp", exp));
        server.rejects("Eve", &path, 401).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_token_before_its_time_is_refused() -> Check {
    let server = serve(app());

    refuses(&server, &claims_with("nbf", json!(get_current_timestamp() + 30)), NOT_VALID)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_issuer_or_for_another_audience_is_refused() -> Check {
    let server = serve(app());

    for claim in ["iss", "aud"] {
        refuses(&server, &claims_without(claim), NOT_VALID).await?;
        refuses(&server, &claims_with(claim, json!("somebody else")), NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_token_with_demands_we_do_not_know_is_refused() -> Check {
    let server = serve(app());
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["moon-phase".into()]);
    let token = encode(&header, &claims(), &EncodingKey::from_secret(SECRET));

    refuses(&server, &token.expect("signed"), NOT_VALID).await
}

#[tokio::test(start_paused = true)]
async fn a_user_who_no_longer_exists_is_refused() -> Check {
    let server = serve(app());

    refuses(&server, &claims_with("sub", json!("dora")), NOT_VALID).await?;
    refuses(&server, &claims_with("sub", json!("no spaces")), NOT_VALID).await?;
    refuses(&server, &claims_without("sub"), NOT_VALID).await
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_ends_the_session_with_4001() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    let half = TOKEN_LIFETIME / 2 - SECOND;
    ana.hears_nothing_for(half).await?;
    ana.says(r#"{"type":"chat","content":"still here"}"#).await?;
    ana.hears(chat_from("ana", "still here")).await?;
    ana.hears_nothing_for(half).await?;
    ana.is_closed(4001, "token expired").await?;

    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, "[]", "her place is free");
    Ok(())
}

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_page_of_another_site_is_refused_with_403() -> Check {
    let server = serve(app());
    let room = path("rust", "ana");
    let strangers = [
        "http://evil.example",
        "https://evil.example:8000",
        "http://127.0.0.1:8001",
        "http://127.0.0.1:8000.evil.example",
        "http://evil.example/http://127.0.0.1:8000",
        "http://evil.example#://127.0.0.1:8000",
        "127.0.0.1:8000",
        "null",
        "",
    ];

    for origin in strangers {
        server.rejects_with("Eve", &room, &[("origin", origin)], 403).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn our_own_page_and_the_listed_ones_may_connect() -> Check {
    let server = serve(app());
    let room = path("rust", "ana");

    for origin in
        ["http://127.0.0.1:8000", "http://127.0.0.1:3000", "http://localhost:3000"]
    {
        server.connect_with("Ana", &room, &[("origin", origin)]).await?.leaves().await?;
    }
    Ok(())
}

#[test]
fn a_secret_that_is_too_short_gets_a_sentence() {
    let problem = Tokens::from_secret("short").err();

    let sentence = "JWT_SECRET has 5 bytes, but should have 32 or more.";
    assert_eq!(problem.as_deref(), Some(sentence), "five bytes can be guessed");
}
