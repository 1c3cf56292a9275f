//! What signing in promises.

use std::{net::SocketAddr, time::Duration};

use axum::{extract::connect_info::MockConnectInfo, http::Request};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use probe::{Check, Client, Hint, Response, Server, serve};
use serde_json::{Value, json};

use super::{
    app, app_with,
    people::{SECRET, chat_from, config, path, token},
    state,
};
use crate::{
    app::{AppState, app as routes},
    auth::Auth,
    config::Config,
};

/// What others rely on: the cookie's name, who signs, for whom, and for how long.
const COOKIE: &str = concat!(env!("CARGO_PKG_NAME"), "_token");
const ISSUER: &str = env!("CARGO_PKG_NAME");
const AUDIENCE: &str = "chat";
const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

fn claims() -> Value {
    json!({
        "sub": "ana",
        "role": "user",
        "exp": get_current_timestamp() + 60,
        "iss": ISSUER,
        "aud": AUDIENCE,
    })
}

fn sign(claims: &Value) -> String {
    encode(
        &Header::new(Algorithm::HS256),
        claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
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

async fn login(
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

/// The sentence of an answer in JSON.
fn message(response: &Response) -> String {
    let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
    body["message"].as_str().unwrap_or(&response.body).into()
}

async fn rejects(server: &Server, token: &str, sentence: &str) -> Check {
    let path = format!("/ws/chat/rust?token={token}");
    let response = server.rejects("Eve", &path, 401).await?;
    assert_eq!(message(&response), sentence, "this token: {token}");
    assert_eq!(response.headers["www-authenticate"], "Bearer", "RFC 6750, section 3");
    Ok(())
}

const NOT_VALID: &str = "Sign in again: this token is not valid.";
const WRONG: &str = "Wrong name or password.";
const EXPIRED: &str = "Sign in again: the token has expired.";
pub const MISSING: &str = "Sign in first: a token is missing.";

#[tokio::test(start_paused = true)]
async fn the_right_password_brings_a_token_and_a_cookie() -> Check {
    let server = serve(app());

    let response = login(&server, "ana", "ana-likes-tea").await?;

    assert_eq!(response.status, 200, "{}", response.body);
    let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
    assert_eq!(body["expires_in"], TOKEN_LIFETIME.as_secs(), "the page can plan ahead");
    assert_eq!(body["username"], "ana", "and knows who it is");
    let token = body["token"].as_str().unwrap_or_default();
    let cookie = response.headers["set-cookie"].to_str().unwrap_or_default();
    for part in [
        &format!("{COOKIE}={token}"),
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
        let response = login(&server, name, password).await?;
        assert_eq!(response.status, 200, "{name} has this password");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wrong_name_and_a_wrong_password_look_the_same() -> Check {
    let server = serve(app());
    let wrong_password = login(&server, "ana", "ben-likes-jam").await?;
    let wrong_name = login(&server, "eve", "ben-likes-jam").await?;
    let no_name = login(&server, "", "").await?;
    let not_mine = login(&server, "nobody", "nobody-knows-this").await?;
    let part_of_a_name = login(&server, "an", "ana-likes-tea").await?;

    for response in [&wrong_password, &wrong_name, &no_name, &not_mine, &part_of_a_name] {
        assert_eq!(response.status, 401, "{}", response.body);
        assert_eq!(message(response), WRONG, "no hint at what was wrong");
        assert_eq!(response.body, wrong_name.body, "no hint elsewhere in the body");
        assert!(!response.headers.contains_key("set-cookie"), "and no cookie");
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
        let response = server.request(request.expect("a good request")).await?;
        assert_eq!(response.status, status, "{kind} {body}: {}", response.body);
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
    let cookies = format!("theme=dark; {COOKIE}={token}; token=x; lang=en");
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
async fn two_tokens_in_the_query_are_none() -> Check {
    let server = serve(app());
    let path = format!("/me?token={}&token={}", token("cem"), token("ana"));

    let answer = server.get(&path).await?;

    assert_eq!(answer.status, 401, "it could be Cem's or Ana's: {}", answer.body);
    assert!(answer.body.contains("a token is missing"), "{}", answer.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_first_token_that_is_found_decides() -> Check {
    let server = serve(app());
    let ana = token("ana");
    // Source number `good` has Ana's token, the other sources from `first` on have garbage.
    let ask = async |first: usize, good: usize| {
        let token = |source| if source == good { &*ana } else { "garbage" };
        let query =
            if first <= 2 { format!("?token={}", token(2)) } else { String::new() };
        let mut request = Request::get(format!("/me{query}"))
            .header("cookie", format!("{COOKIE}={}", token(3)));
        if first <= 1 {
            let offered = format!("chat.v1, bearer.{}", token(1));
            request = request.header("sec-websocket-protocol", offered);
        }
        if first == 0 {
            request = request.header("authorization", format!("Bearer {}", token(0)));
        }
        server.request(request.body(String::new()).expect("a good request")).await
    };

    let sources =
        ["the header Authorization", "a subprotocol", "the query", "the cookie"];
    for (first, source) in sources.iter().enumerate() {
        let status = ask(first, first).await?.status;
        assert_eq!(status, 200, "{source} comes before all that follow it: {sources:?}");
        for (good, later) in sources.iter().enumerate().skip(first + 1) {
            let status = ask(first, good).await?.status;
            assert_eq!(status, 401, "{source} has a bad token, and {later} is too late");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_token_there_is_no_upgrade() -> Check {
    let server = serve(app());

    let response = server.rejects("Eve", "/ws/chat/rust", 401).await?;
    assert_eq!(message(&response), MISSING, "the sentence says what to do");
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
        rejects(&server, garbage, NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn alg_none_is_rejected() -> Check {
    let server = serve(app());
    // {"alg":"none","typ":"JWT"}, then good claims, and no signature.
    let token = sign(&claims());
    let claims = token.split('.').nth(1).unwrap_or_default();

    for signature in ["", "e30"] {
        let token = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.{signature}");
        rejects(&server, &token, NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_key_or_another_algorithm_is_rejected() -> Check {
    let server = serve(app());
    let other = EncodingKey::from_secret(b"another secret, which is not the server's");
    let token = encode(&Header::new(Algorithm::HS256), &claims(), &other);
    rejects(&server, &token.expect("signed"), NOT_VALID).await?;

    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let ours = EncodingKey::from_secret(SECRET.as_bytes());
        let token = encode(&Header::new(algorithm), &claims(), &ours);
        rejects(&server, &token.expect("signed"), NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_rejected_without_leeway() -> Check {
    let server = serve(app());

    for seconds in [2, 30, 3600] {
        let token = claims_with("exp", json!(get_current_timestamp() - seconds));
        rejects(&server, &token, EXPIRED).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_exp_that_is_missing_or_odd_is_rejected() -> Check {
    let server = serve(app());
    rejects(&server, &claims_without("exp"), NOT_VALID).await?;
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

/// Where several servers have one secret, one signs the token, and another one verifies it.
#[tokio::test(start_paused = true)]
async fn a_token_of_a_server_whose_clock_is_a_little_ahead_is_valid() -> Check {
    let server = serve(app());
    let exp = |ahead: u64| {
        let lifetime = TOKEN_LIFETIME.as_secs();
        claims_with("exp", json!(get_current_timestamp() + lifetime + ahead))
    };

    let path = format!("/ws/chat/rust?token={}", exp(50));
    server.connect("Ana", &path).await?;

    rejects(&server, &exp(70), NOT_VALID).await
}

#[tokio::test(start_paused = true)]
async fn a_token_before_its_time_is_rejected() -> Check {
    let server = serve(app());

    rejects(&server, &claims_with("nbf", json!(get_current_timestamp() + 30)), NOT_VALID)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_issuer_or_for_another_audience_is_rejected() -> Check {
    let server = serve(app());

    for claim in ["iss", "aud"] {
        rejects(&server, &claims_without(claim), NOT_VALID).await?;
        rejects(&server, &claims_with(claim, json!("somebody else")), NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_token_with_an_unknown_critical_extension_is_rejected() -> Check {
    let server = serve(app());
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["moon-phase".into()]);
    let token = encode(&header, &claims(), &EncodingKey::from_secret(SECRET.as_bytes()));

    rejects(&server, &token.expect("signed"), NOT_VALID).await
}

#[tokio::test(start_paused = true)]
async fn a_user_who_no_longer_exists_is_rejected() -> Check {
    let server = serve(app());

    rejects(&server, &claims_with("sub", json!("dora")), NOT_VALID).await?;
    rejects(&server, &claims_with("sub", json!("an")), NOT_VALID).await?;
    rejects(&server, &claims_with("sub", json!("no spaces")), NOT_VALID).await?;
    rejects(&server, &claims_without("sub"), NOT_VALID).await
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

    let response = server.get("/rooms").await?;
    assert_eq!(response.body, "[]", "she is no longer in the room");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_lasts_as_long_as_its_own_token() -> Check {
    let server = serve(app());
    let a_minute_left = sign(&claims());
    let path = format!("/ws/chat/rust?token={a_minute_left}");
    let mut ana = server.connect("Ana", &path).await?;

    ana.hears_nothing_for(55 * SECOND).await?;
    ana.is_closed(4001, "token expired").await
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn spaces_and_capital_letters_in_the_name_do_not_matter() -> Check {
    let server = serve(app());

    for name in ["Ana", " ana ", "ANA", "\tAna\n"] {
        let response = login(&server, name, "ana-likes-tea").await?;
        assert_eq!(response.status, 200, "{name:?} is ana: {}", response.body);
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        assert_eq!(body["username"], "ana", "the page learns the name that others see");
    }
    let response = login(&server, "ana", "Ana-likes-tea").await?;
    assert_eq!(response.status, 401, "but they do in the password");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn me_says_who_is_signed_in() -> Check {
    let server = serve(app());
    let ask = |token: &str| {
        let header = format!("{COOKIE}={token}");
        Request::get("/me").header("cookie", header).body(String::new())
    };

    let ana = server.request(ask(&token("ana")).expect("a good request")).await?;
    let gone = server.request(ask("from before the restart").expect("a request")).await?;
    let nobody = server.get("/me").await?;

    let expected = json!({ "username": "ana", "expires_in": TOKEN_LIFETIME.as_secs() });
    let body: Value = serde_json::from_str(&ana.body).unwrap_or_default();
    assert_eq!(body, expected, "a page can show who is signed in, and for how long");
    assert_eq!(gone.status, 401, "so it can ask to sign in again");
    assert_eq!(message(&gone), NOT_VALID, "and say why");
    assert_eq!(nobody.status, 401, "nobody has signed in");
    assert_eq!(message(&nobody), MISSING, "and nobody did before");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn too_many_wrong_passwords_get_429_and_a_time_to_wait() -> Check {
    let server = serve(app());
    for _ in 0..5 {
        let typo = login(&server, "ana", "ana-likes-teh").await?;
        assert_eq!(typo.status, 401, "five typos are nothing");
    }

    let sixth = login(&server, "ana", "ana-likes-tea").await?;

    assert_eq!(sixth.status, 429, "not even the right password is checked now");
    let sentence = "Too many attempts to sign in. Try again in 10 s.";
    assert_eq!(message(&sixth), sentence, "a person knows how long to wait");
    assert_eq!(sixth.headers["retry-after"], "10", "and so does a program");
    let other = login(&server, "ben", "ben-likes-jam").await?;
    assert_eq!(other.status, 200, "Ben, at the same address, is not affected");
    tokio::time::sleep(11 * SECOND).await;
    let ana = login(&server, "ana", "ana-likes-tea").await?;
    assert_eq!(ana.status, 200, "and Ana gets in after ten seconds");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn right_passwords_are_not_limited() -> Check {
    let server = serve(app());

    for number in 1..=10 {
        let response = login(&server, "ana", "ana-likes-tea").await?;
        assert_eq!(response.status, 200, "right password number {number} costs nothing");
    }
    Ok(())
}

/// The server, for clients that all come from this address.
fn serve_from(address: [u8; 4], state: &AppState) -> Server {
    let address = SocketAddr::from((address, 50_000));
    serve(routes(state.clone(), &config()).layer(MockConnectInfo(address)))
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_for_the_address_that_they_come_from() -> Check {
    let state = state(&config());
    let from_eve = serve_from([192, 0, 2, 66], &state);
    let from_ana = serve_from([192, 0, 2, 1], &state);

    for _ in 0..6 {
        login(&from_eve, "ana", "a guess").await?;
    }

    let eve = login(&from_eve, "ana", "ana-likes-tea").await?;
    assert_eq!(eve.status, 429, "Eve's address has used up its attempts");
    let ana = login(&from_ana, "ana", "ana-likes-tea").await?;
    assert_eq!(ana.status, 200, "Ana's address has not: {}", ana.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_too_long_is_not_even_read() -> Check {
    let server = serve(app());

    let response = login(&server, "ana", &"x".repeat(5_000)).await?;

    assert_eq!(response.status, 413, "no password is so long: {}", response.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_is_rejected_with_403() -> Check {
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
        "https://127.0.0.1:8000",
        "ws://127.0.0.1:8000",
        "http://127.0.0.1",
        "null",
        "",
    ];

    for origin in strangers {
        server.rejects_with("Eve", &room, &[("origin", origin)], 403).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_origin_is_checked_first_then_the_token_then_the_room() -> Check {
    let server = serve(app());
    let no_room = "/ws/chat/no%20spaces";
    let evil = [("origin", "http://evil.example")];

    server.rejects_with("Eve", no_room, &evil, 403).await?;
    server.rejects("Eve", no_room, 401).await?;
    server.rejects("Ana", &path("no%20spaces", "ana"), 400).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn our_own_page_and_those_of_the_book_may_connect() -> Check {
    let server = serve(app());
    let room = path("rust", "ana");

    for origin in
        ["http://127.0.0.1:8000", "http://127.0.0.1:3000", "http://localhost:3000"]
    {
        server.connect_with("Ana", &room, &[("origin", origin)]).await?.leaves().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn pages_of_allowed_origins_may_connect() -> Check {
    let allowed_origins = " https://Chat.example.com/ , http://10.0.0.5:8080,".into();
    let server = serve(app_with(Config { allowed_origins, ..config() }));
    let room = path("rust", "ana");

    for origin in ["https://chat.example.com", "http://10.0.0.5:8080"] {
        server.connect_with("Ana", &room, &[("origin", origin)]).await?.leaves().await?;
    }
    let strangers = [
        "http://chat.example.com",
        "https://chat.example.com:8443",
        "https://chat.example.com.evil.example",
        "http://10.0.0.5",
    ];
    for origin in strangers {
        server.rejects_with("Eve", &room, &[("origin", origin)], 403).await?;
    }
    Ok(())
}

fn allowing(origin: &str) -> Result<Auth, String> {
    Auth::new(&Config { allowed_origins: origin.into(), ..config() })
}

#[test]
fn an_origin_that_no_browser_sends_gets_a_sentence() {
    let no_origins = [
        ("chat.example.com", "no scheme"),
        ("https:", "no host"),
        ("https://", "no host"),
        ("http:/x", "one slash"),
        ("https://chat.example.com/chat", "a path"),
        ("https://chat.example.com?x=1", "a query"),
        ("https://chat.example.com#f", "a fragment"),
        ("https://ana@chat.example.com", "a user"),
        ("http://chat.example.com:80", "the default port"),
        ("https://chat.example.com:443/", "the default port"),
        ("ftp://chat.example.com", "a scheme without pages"),
        ("https://*.example.com", "a wildcard"),
        ("*", "a wildcard"),
        ("null", "every page without an origin"),
        ("a b", "a space"),
        ("https://a b", "a space"),
    ];

    for (origin, mistake) in no_origins {
        let problem = allowing(origin).err().unwrap_or_default();
        let sentence =
            format!("CHAT_ALLOWED_ORIGINS has {origin:?}, but an origin has a scheme");
        assert!(problem.starts_with(&sentence), "{origin} has {mistake}: {problem:?}");
    }
    for origin in ["http://h:443", "https://h:80", "http://[::1]:3000", "http://[::80]"] {
        assert!(allowing(origin).is_ok(), "a browser may send {origin}");
    }
}

#[test]
fn a_secret_that_is_too_short_gets_a_sentence() {
    let problem =
        Auth::new(&Config { jwt_secret: Some("short".into()), ..config() }).err();

    let sentence = "CHAT_JWT_SECRET has 5 bytes, but should have 32 or more.";
    assert_eq!(problem.as_deref(), Some(sentence), "five bytes can be guessed");
}

async fn announces(server: &Server, token: &str) -> Result<Response, Hint> {
    let request = Request::post("/api/v1/announcements")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(json!({ "message": "Tea is ready." }).to_string());
    server.request(request.expect("a good request")).await
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_role_or_with_an_unknown_one_is_rejected() -> Check {
    let server = serve(app());

    rejects(&server, &claims_without("role"), NOT_VALID).await?;
    for role in
        [json!("admin"), json!("Operator"), json!(""), json!(null), json!(["user"])]
    {
        rejects(&server, &claims_with("role", role), NOT_VALID).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_role_that_somebody_has_written_into_their_token_is_rejected() -> Check {
    let server = serve(app());
    let part =
        |token: &str, number| token.split('.').nth(number).unwrap_or_default().to_owned();
    let (user, operator) = (sign(&claims()), claims_with("role", json!("operator")));
    let promoted =
        format!("{}.{}.{}", part(&user, 0), part(&operator, 1), part(&user, 2));

    let response = announces(&server, &promoted).await?;

    assert_eq!(response.status, 401, "we have signed another role: {}", response.body);
    assert_eq!(message(&response), NOT_VALID, "and say so");
    rejects(&server, &promoted, NOT_VALID).await
}

#[tokio::test(start_paused = true)]
async fn only_the_token_of_an_operator_may_announce() -> Check {
    let server = serve(app());

    let operator = announces(&server, &token("ana")).await?;
    let user = announces(&server, &token("ben")).await?;
    let nobody = announces(&server, "").await?;

    assert_eq!(operator.status, 202, "Ana is an operator: {}", operator.body);
    assert_eq!(user.status, 403, "Ben is not: {}", user.body);
    assert_eq!(message(&user), "Only operators may announce something.", "and reads why");
    assert_eq!(
        nobody.status, 401,
        "whoever has not signed in is nothing: {}",
        nobody.body
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_role_is_the_one_in_the_token_for_as_long_as_it_is_valid() -> Check {
    let server = serve(app());
    let role = |name: &str, role: &str| {
        let mut claims = claims();
        claims["sub"] = json!(name);
        claims["role"] = json!(role);
        sign(&claims)
    };

    let ben = announces(&server, &role("ben", "operator")).await?;
    let ana = announces(&server, &role("ana", "user")).await?;

    assert_eq!(ben.status, 202, "the token decides, and not the list: {}", ben.body);
    assert_eq!(ana.status, 403, "in both directions: {}", ana.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_signs_in_gets_a_token_with_the_role_of_the_account() -> Check {
    let server = serve(app());

    for (name, password, status) in
        [("ana", "ana-likes-tea", 202), ("ben", "ben-likes-jam", 403)]
    {
        let response = login(&server, name, password).await?;
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        let token = body["token"].as_str().unwrap_or_default();
        let response = announces(&server, token).await?;
        assert_eq!(response.status, status, "{name} announces: {}", response.body);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn signing_out_removes_the_cookie_and_no_other_page_can_do_it() -> Check {
    let server = serve(app());
    let cookie = (COOKIE, token("ana"));
    let request = |origin: &str| {
        Request::post("/logout")
            .header("host", "127.0.0.1:8000")
            .header("origin", origin)
            .header("cookie", format!("{}={}", cookie.0, cookie.1))
            .body(String::new())
            .expect("a good request")
    };

    let answer = server.request(request("http://evil.example")).await?;
    assert_eq!(answer.status, 403, "a page of others cannot sign Ana out");
    let answer = server.request(request("http://127.0.0.1:8000")).await?;

    assert_eq!(answer.status, 204, "{}", answer.body);
    let removed = answer.headers["set-cookie"].to_str().unwrap_or_default();
    assert!(removed.starts_with(&format!("{COOKIE}=;")), "no value is left: {removed}");
    assert!(removed.contains("Path=/"), "of the same cookie: {removed}");
    assert!(removed.contains("Max-Age=0"), "and no time: {removed}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_login_is_said_in_json() -> Check {
    let server = serve(app());
    let name_twice = r#"{"username":"ana","username":"ben","password":"ana-likes-tea"}"#;
    let password_twice =
        r#"{"username":"ana","password":"x","password":"ana-likes-tea"}"#;
    let bad = [
        (
            "{",
            400,
            "Failed to parse the request body as JSON: EOF while parsing an object at line 1 column 1",
            None,
        ),
        ("[]", 422, "the body should be a JSON object", None),
        ("{}", 422, "missing field `username`", None),
        (
            r#"{"username":1,"password":""}"#,
            422,
            "invalid type: integer `1`, expected a string",
            Some("username"),
        ),
        (name_twice, 422, "duplicate field `username`", None),
        (password_twice, 422, "duplicate field `password`", None),
    ];

    for (body, status, sentence, field) in bad {
        let request = Request::post("/login")
            .header("content-type", "application/json")
            .body(body.into());
        let response = server.request(request.expect("a good request")).await?;
        let kind = response.headers["content-type"].to_str().unwrap_or_default();
        let json: Value = serde_json::from_str(&response.body).unwrap_or_default();
        assert_eq!(response.status, status, "{body}: {}", response.body);
        assert_eq!(kind, "application/json", "a page can read it: {body}");
        assert_eq!(json["message"], sentence, "a page can show it: {body}");
        assert_eq!(json.get("field"), field.map(Value::from).as_ref(), "{body}");
        assert!(!response.headers.contains_key("set-cookie"), "and no cookie: {body}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn over_https_the_cookie_is_secure() -> Check {
    for secure_cookies in [false, true] {
        let server = serve(app_with(Config { secure_cookies, ..config() }));

        let response = login(&server, "ana", "ana-likes-tea").await?;

        let cookie = response.headers["set-cookie"].to_str().unwrap_or_default();
        let is_secure = cookie.split("; ").any(|attribute| attribute == "Secure");
        assert_eq!(is_secure, secure_cookies, "CHAT_SECURE_COOKIES decides: {cookie}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_api_and_the_sockets_reject_the_same_pages() -> Check {
    let allowed_origins = "https://chat.example.com,http://10.0.0.5:8080".into();
    let server = serve(app_with(Config { allowed_origins, ..config() }));
    let origins = [
        ("https://chat.example.com", true),
        ("http://10.0.0.5:8080", true),
        ("http://127.0.0.1:8000", true),
        ("http://chat.example.com", false),
        ("https://chat.example.com:8443", false),
        ("https://chat.example.co", false),
        ("https://chat.example.com.evil.example", false),
        ("http://10.0.0.5:808", false),
        ("https://127.0.0.1:8000", false),
        ("null", false),
    ];

    for (origin, may) in origins {
        let request = Request::get("/api/v1/users")
            .header("host", "127.0.0.1:8000")
            .header("origin", origin)
            .header("cookie", format!("{COOKIE}={}", token("ana")))
            .body(String::new());
        let response = server.request(request.expect("a good request")).await?;
        let status = if may { 200 } else { 403 };
        assert_eq!(response.status, status, "a page of {origin}: {}", response.body);
        if !may {
            assert!(message(&response).contains("CHAT_ALLOWED_ORIGINS"), "what to set");
        }
        for socket in ["/ws/chat/rust", "/api/v1/ws", "/ws/tasks"] {
            let path = format!("{socket}?token={}", token("ana"));
            let headers = [("origin", origin)];
            if may {
                server.connect_with("Ana", &path, &headers).await?.leaves().await?;
            } else {
                server.rejects_with("Eve", &path, &headers, 403).await?;
            }
        }
    }
    Ok(())
}
