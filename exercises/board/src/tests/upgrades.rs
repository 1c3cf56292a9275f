use axum::http::{HeaderName, header};
use probe::{Check, Server};

use super::{addresses, board, joins};
use crate::join::Addresses;

const ORIGIN: &str = "origin";

/// Asks for the socket of a page: from which origin, and by which name of the board.
async fn is_accepted(board: &Server, origin: &str, host: &str) -> bool {
    let headers = [(ORIGIN, origin), (header::HOST.as_str(), host)];
    let headers: [(&'static str, &str); 2] = headers;
    board.connect_with("The page", "/ws/page", &headers).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_boards_own_page_may_connect_by_every_local_name() {
    let board = board();

    for host in [
        "127.0.0.1:8000",
        "192.168.1.5:8000",
        "[::1]:8000",
        "localhost:8000",
        "desk",
        "desk.local:8000",
    ] {
        let origin = format!("http://{host}");
        assert!(is_accepted(&board, &origin, host).await, "{host} is this machine");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_may_not() {
    let board = board();

    for (origin, host) in [
        ("http://evil.example", "192.168.1.5:8000"),
        ("http://192.168.1.5:8000.evil.example", "192.168.1.5:8000"),
        ("http://192.168.1.5:80", "192.168.1.5:8000"),
        ("https://192.168.1.5:8000", "192.168.1.5:8000"),
        ("http://192.168.1.5:8000/", "192.168.1.5:8000"),
        ("null", "192.168.1.5:8000"),
        ("", "192.168.1.5:8000"),
        // A name in the DNS that points to this machine (DNS rebinding).
        ("http://evil.example:8000", "evil.example:8000"),
        ("http://1.2.3.4.evil.example", "1.2.3.4.evil.example"),
    ] {
        assert!(
            !is_accepted(&board, origin, host).await,
            "{origin:?} is not {host}'s own"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_page_can_be_a_learner() -> Check {
    let board = board();

    let own = [(ORIGIN, "http://127.0.0.1:8000")];
    board.rejects_with("A page", "/ws/learner", &own, 403).await?;
    joins(&board, "ana", 1).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn the_pages_load_nothing_from_elsewhere() -> Check {
    let board = board();

    for path in [
        "/",
        "/join",
        "/board.js",
        "/rows.js",
        "/join.css",
        "/join.js",
        "/board.css",
        "/style.css",
        "/favicon.svg",
    ] {
        let response = board.get(path).await?;
        assert_eq!(response.status, 200, "{path} is served");
        let policy =
            response.headers.get(HeaderName::from_static("content-security-policy"));
        assert_eq!(
            policy.map(|it| it.as_bytes()),
            Some(&b"default-src 'self'"[..]),
            "{path}"
        );
        // The names of SVG and of XHTML are URLs that nobody opens.
        let text = response.body.replace("http://www.w3.org/", "");
        let elsewhere = text.matches("http").filter(|_| !path.ends_with(".js")).count();
        assert_eq!(elsewhere, 0, "{path} works without a network");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_qr_code_leads_to_the_board_and_nowhere_else() -> Check {
    let board = board();

    let code = board.get("/qr.svg?url=http%3A%2F%2F127.0.0.1%3A8000").await?;
    assert_eq!(code.status, 200, "this is where the board listens: {}", code.body);
    assert!(code.body.contains("<svg"), "{}", code.body);

    let code = board.get("/qr.svg?url=http%3A%2F%2Fevil.example").await?;
    assert_eq!(code.status, 404, "a code of ours leads to us");
    assert_eq!(board.get("/qr.svg").await?.status, 400, "it says no address");
    Ok(())
}

#[test]
fn the_console_says_how_to_join_or_why_nobody_can() {
    let alone = addresses().welcome();
    let reached = Addresses::of(([192, 168, 1, 5], 8000).into()).welcome();
    let six = Addresses::of(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 8000).into()).urls();

    assert!(alone.contains("Only this computer can join"), "{alone}");
    assert!(
        reached.contains("cargo course watch --class http://192.168.1.5:8000 --name ana"),
        "{reached}"
    );
    assert!(reached.contains("TCP port 8000"), "{reached}");
    assert_eq!(six, ["http://[2001:db8::1]:8000"], "as a browser wants it");
}
