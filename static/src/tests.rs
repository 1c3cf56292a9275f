use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use axum::{body::to_bytes, serve::Listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

const LESSON_01: Program = Program { package: "lesson_01_echo", page: "lesson_01.html" };

#[test]
fn every_file_of_the_folder_is_embedded_and_no_other() {
    let served = ["css", "html", "js", "svg"];
    let folder: BTreeSet<String> = fs::read_dir(env!("CARGO_MANIFEST_DIR"))
        .expect("the folder of this crate can be read")
        .map(|entry| entry.expect("so can its entries").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| served.iter().any(|end| name.ends_with(&format!(".{end}"))))
        .collect();

    let embedded: BTreeSet<String> =
        FILES.iter().map(|(name, _)| name.to_string()).collect();

    assert_eq!(embedded, folder, "FILES has what the folder holds for browsers");
}

#[test]
fn every_page_has_a_title_and_says_it_in_its_heading() {
    for (name, text) in pages() {
        let title = head::title(name).unwrap_or_default();
        assert!(!title.is_empty(), "{name} needs a <title>: the landing page shows it");

        let heading = format!("<h1>{title}</h1>");
        let is_landing_page = *name == "index.html"; // It greets instead.
        assert!(
            is_landing_page || text.contains(&heading),
            "{name} should have the heading {heading}"
        );
    }
}

#[test]
fn every_page_of_a_program_says_what_the_lab_offers_for_it() {
    for (name, _) in pages_of_programs() {
        for (what, example) in [
            ("package", "lesson_07_rooms"),
            ("websocket", "/ws/chat/rust/{name}"),
            ("message", "Hello"),
        ] {
            let content = head::meta(name, what).next().unwrap_or_default();

            assert!(
                !content.is_empty(),
                "{name} needs a line in its head such as \
                 <meta name=\"{what}\" content=\"{example}\" />"
            );
        }
    }
}

#[test]
fn every_page_of_a_program_has_a_chapter_and_three_things_to_try() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src");
    for (name, _) in pages_of_programs() {
        let chapter = course::chapter(name).unwrap_or_default();
        assert!(
            book.join(format!("{chapter}.md")).is_file(),
            "{name} needs a line in its head such as <meta name=\"chapter\" \
             content=\"lessons/07-rooms\" />, and the book has no chapter {chapter:?}"
        );

        let tries = head::meta(name, "try").count();
        assert_eq!(tries, 3, "{name} names three things to try, each in a <meta>");
    }
}

#[cfg(debug_assertions)] // Release builds have no lab.
#[test]
fn every_page_leads_on_to_the_course_the_lab_and_the_chapter() {
    let rooms = Program { package: "lesson_07_rooms", page: "lesson_07.html" };

    for (name, text) in pages() {
        let text = frame::framed(rooms, name, text);

        for (part, is_there) in [
            (r##"<a class="skip" href="#main">"##, true),
            (r#"<main id="main">"#, true),
            (r#"<a href="/">WebSockets in Rust</a>"#, true),
            ("7 of 22", true),
            (r#"<a href="/lesson_07.html""#, true),
            (r#"src="/bar.js""#, true),
            // A release build has no lab, and may be far from the book.
            (r#"<a href="/lab.html""#, cfg!(debug_assertions)),
            (r#"<a href="/chapter">"#, cfg!(debug_assertions)),
        ] {
            let count = text.matches(part).count();
            assert_eq!(count, usize::from(is_there), "{name}: {part} in {text}");
        }
        let body = text.find("<body").expect("each page has a body");
        assert!(text.find("class=\"skip\"") > Some(body), "{name}: first in the body");
    }
}

#[cfg(debug_assertions)] // Release builds have no lab.
#[test]
fn the_frame_marks_the_page_that_one_is_on() {
    for (name, marks) in [("lesson_01.html", 1), ("lab.html", 1), ("nothing.html", 0)] {
        let text =
            frame::framed(LESSON_01, name, file(name).expect("there is this page"));

        let current = format!(r#"<a href="/{name}" aria-current="page">"#);
        assert_eq!(text.matches(&current).count(), marks, "{name} is a link: {text}");
        assert_eq!(text.matches("aria-current").count(), marks, "and no other: {text}");
    }
}

#[test]
fn the_frame_names_a_program_that_is_no_lesson() {
    let exercises = Program { package: "exercises", page: "chat.html" };

    let text =
        frame::framed(exercises, "chat.html", file("chat.html").unwrap_or_default());

    assert!(text.contains("<span>exercises</span>"), "it has no number: {text}");
}

#[test]
fn our_script_comes_before_those_of_the_page() {
    for (name, text) in pages() {
        let text = frame::framed(LESSON_01, name, text);

        let first = quoted(&text, "src=").next();

        assert_eq!(first, Some("/bar.js"), "{name}: it sees each socket from the first");
    }
}

#[tokio::test]
async fn a_person_at_the_page_of_another_lesson_gets_a_page() {
    let (status, text) = answer(serve(LESSON_01, "/lesson_02.html", true)).await;

    assert_eq!(status, StatusCode::NOT_FOUND, "it is not what was asked for");
    for part in [
        "<code>lesson_01_echo</code>",
        "Lesson 02: how a connection ends",
        ">cargo run -p lesson_02_disconnect</pre>",
        r#"<a class="button" href="/lesson_01.html">Lesson 01: an echo server</a>"#,
    ] {
        assert!(text.contains(part), "the page should have {part}: {text}");
    }
    assert!(!text.contains("{{"), "no placeholder is left: {text}");
}

#[tokio::test]
async fn a_person_at_a_path_that_nobody_serves_gets_a_page() {
    let path = "/{{package}}/<b>\"&";

    let (status, text) = answer(serve(LESSON_01, path, true)).await;

    assert_eq!(status, StatusCode::NOT_FOUND, "there is no such file");
    let shown = "<code>/{{package}}/&lt;b&gt;&quot;&amp;</code>";
    assert!(text.contains(shown), "the path is shown as the text it is: {text}");
    assert!(text.contains(r#"href="/lesson_01.html""#), "and there is a way on");
}

#[test]
fn a_template_is_no_page_of_its_own() {
    for name in TEMPLATES {
        let status = serve(LESSON_01, &format!("/{name}"), false).status();

        assert_eq!(status, StatusCode::NOT_FOUND, "{name} has gaps");
    }
}

#[test]
fn a_browser_gets_a_page_and_a_program_a_sentence() {
    for (accept, expected) in [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
        ("*/*", false),
        ("application/json", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().expect("this is a header"));

        assert_eq!(wants_a_page(&headers), expected, "it accepts {accept}");
    }
    assert!(!wants_a_page(&HeaderMap::new()), "it does not say what it accepts");
}

#[test]
fn the_landing_page_invites_the_neighbours_if_they_can_come() {
    let urls = ["http://192.168.1.17:8000".into(), "http://10.0.0.4:8000".into()];

    let Html(invites) = landing_page(LESSON_01, &urls);
    let Html(alone) = landing_page(LESSON_01, &[]);

    for part in [
        r#"<a href="http://192.168.1.17:8000">http://192.168.1.17:8000</a>"#,
        r#"<a href="http://10.0.0.4:8000">"#,
        r#"<svg role="img" aria-label="QR code: http://192.168.1.17:8000/lesson_01.html""#,
    ] {
        assert!(invites.contains(part), "the page should have {part}: {invites}");
    }
    assert!(!alone.contains("QR code"), "on loopback there is nobody to invite: {alone}");
    assert!(!alone.contains("invitation"), "not even the place for it: {alone}");
}

#[test]
fn a_qr_code_is_a_picture_of_the_url() {
    let picture = qr_code("http://192.168.1.17:8000").expect("it is short enough");
    let other = qr_code("http://192.168.1.18:8000").expect("it is short enough");

    assert!(picture.contains("<svg"), "{picture}");
    assert_ne!(picture, other, "another address is another picture");
    assert!(qr_code(&"x".repeat(3000)).is_err(), "there is a limit");
}

#[test]
fn what_the_lab_offers_stands_in_the_pages_as_it_is_sent() {
    for (name, _) in pages_of_programs() {
        for path in head::meta(name, "websocket") {
            assert!(path.starts_with('/'), "{name}: the endpoint {path} is no path");
        }
        for content in ["websocket", "message"].iter().flat_map(|of| head::meta(name, of))
        {
            for code in ["&amp;", "&quot;", "&apos;", "&#", "&lt;", "&gt;"] {
                let hint = "write the character itself, between the other marks";
                assert!(!content.contains(code), "{name}: {content} has {code}: {hint}");
            }
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    for (name, text) in pages() {
        let text = frame::framed(LESSON_01, name, text);
        for link in quoted(&text, "href=").chain(quoted(&text, "src=")) {
            let path = link.trim_start_matches('/');
            // Templates learn this link from the server. The others are routes and parts.
            let known = ["{{page}}", "", "chapter", "#main"].contains(&path)
                || file(path).is_some();

            assert!(known, "{name} links to {link}, which FILES lacks");
        }
    }
}

#[test]
fn every_import_of_a_script_is_served() {
    for (name, text) in scripts() {
        for module in quoted(text, "from ").chain(quoted(text, "import(")) {
            let known = module.strip_prefix("./").and_then(file);

            assert!(known.is_some(), "{name} imports {module}, which FILES lacks");
        }
    }
}

#[test]
fn every_page_accepts_names_with_marks() {
    for (name, text) in pages() {
        assert!(
            !text.contains(r"\p{Alphabetic}"),
            "{name} rejects names such as தமிழ், which end in a mark. Write \
             pattern=\"(?:[\\p{{L}}\\p{{N}}]\\p{{M}}*|[_\\-])+\""
        );
    }
}

#[test]
fn a_release_build_has_no_buttons_for_people_whose_passwords_everybody_knows() {
    let (_, text) =
        scripts().find(|(name, _)| *name == "people.js").expect("it is there");
    let in_release = published("people.js", text, false);

    assert!(text.contains("ana-likes-tea"), "a debug build signs us in at a click");
    assert_eq!(in_release, "export const PEOPLE = {};\n", "a release build does not");
}

#[test]
fn passwords_stand_in_one_place() {
    for (name, text) in scripts().filter(|(name, _)| *name != "people.js") {
        assert!(!text.contains("-likes-"), "{name} has a password: import people.js");
    }
    for (name, text) in pages() {
        let what = "has a password for people to copy: offerPeople makes a button of it";
        assert!(!text.contains("<code>ana-likes-"), "{name} {what}");
    }
}

#[test]
fn the_keyboard_of_a_phone_hides_no_field() {
    for (name, _) in pages() {
        let viewport = head::meta(name, "viewport").next().unwrap_or_default();

        assert!(
            viewport.contains("interactive-widget=resizes-content"),
            "{name} needs interactive-widget=resizes-content in its viewport: then the page \
             gets smaller when a keyboard comes up"
        );
    }
}

#[test]
fn every_page_of_a_program_notices_that_it_was_opened_from_the_disk() {
    for (name, text) in pages_of_programs() {
        assert!(text.contains(r#"<script src="from-disk.js">"#), "{name} cannot say so");
    }
}

#[test]
fn no_page_loads_the_same_function_twice() {
    for (page, _) in pages() {
        let mut seen = BTreeMap::new();
        for (script, text) in scripts_of(page) {
            for function in functions(text) {
                let head = function.lines().next().unwrap_or_default();
                let other = seen.insert(function, script);

                assert_eq!(
                    other, None,
                    "{page} loads `function {head}` from {script}, too: export it once"
                );
            }
        }
    }
}

#[test]
fn the_tries_follow_a_socket_before_its_heartbeat_listens() {
    for (name, text) in scripts() {
        let (follow, keep_alive) = (text.find(".follow("), text.find("keepAlive("));
        let (Some(follow), Some(keep_alive)) = (follow, keep_alive) else { continue };

        assert!(
            follow < keep_alive,
            "{name}: call follow first, so that it can keep an `open` that comes too late \
             from all the others"
        );
    }
}

#[test]
fn nothing_is_fetched_from_another_host() {
    for (name, text) in FILES {
        // The name of SVG's vocabulary looks like an address. Nobody ever opens it.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        // And these are the reader's own machine: a server, and the book.
        let own =
            ["http://127.0.0.1:8000", "http://127.0.0.1:3000", "http://localhost:3000"];
        let text = own.iter().fold(text, |text, url| text.replace(url, ""));

        for scheme in ["http:", "https:", "ws://", "wss://"] {
            assert!(
                !text.contains(scheme),
                "{name} has {scheme}, and should work offline"
            );
        }
    }
}

#[test]
fn no_script_turns_text_into_markup() {
    for (name, text) in FILES {
        for word in [".innerHTML", ".outerHTML", "insertAdjacentHTML", "document.write"] {
            assert!(
                !text.contains(word),
                "{name} has {word}: strangers write our messages"
            );
        }
    }
}

#[test]
fn the_landing_page_names_the_program_and_links_to_its_page() {
    let running =
        Program { package: "lesson_03_connection_manager", page: "lesson_03.html" };

    let Html(text) = landing_page(running, &[]);

    assert!(text.contains("lesson_03_connection_manager"), "the package is named");
    assert!(
        text.contains(r#"class="button" href="/lesson_03.html""#),
        "the page is linked"
    );
    let title = head::title("lesson_03.html").expect("the page has a title");
    assert!(text.contains(title), "the link reads as the page's title");
    assert!(!text.contains("{{"), "no placeholder is left");
}

#[test]
#[should_panic = "my_chat needs my_chat.html with a title in its head"]
fn a_program_whose_page_is_missing_does_not_start() {
    let _: Router = router("my_chat", "my_chat.html");
}

#[tokio::test]
async fn the_page_of_another_lesson_is_answered_with_the_command_that_serves_it() {
    let (status, sentence) = answer(serve(LESSON_01, "/lesson_02.html", false)).await;

    assert_eq!(status, StatusCode::NOT_FOUND, "another lesson's page is not served");
    assert_eq!(
        sentence,
        "This server runs lesson_01_echo. Stop it, and start the server of this page: \
         cargo run -p lesson_02_disconnect",
        "the reader is told what runs, and what to run instead"
    );
}

#[tokio::test]
async fn a_program_of_any_name_serves_its_page() {
    let running = Program { package: "my_chat", page: "lesson_07.html" };

    let Html(text) = landing_page(running, &[]);
    let _: Router = router(running.package, running.page); // It does not panic.
    let own = serve(running, "/lesson_07.html", false);
    let (_, other) = answer(serve(running, "/lesson_01.html", false)).await;

    assert!(text.contains("my_chat"), "the landing page has the name: {text}");
    assert_eq!(own.status(), StatusCode::OK, "its page is another program's, too");
    assert_eq!(
        other,
        "This server runs my_chat. Stop it, and start the server of this page: cargo run \
         -p lesson_01_echo",
        "and the pages of others are still foreign"
    );
}

#[test]
fn two_programs_may_share_a_page() {
    for package in ["exercises", "solutions"] {
        let running = Program { package, page: "chat.html" };

        let status = serve(running, "/chat.html", false).status();

        assert_eq!(status, StatusCode::OK, "chat.html is the page of {package}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_with_a_sentence() {
    let (status, sentence) = answer(serve(LESSON_01, "/nonsense", false)).await;

    assert_eq!(status, StatusCode::NOT_FOUND, "there is no such file");
    assert_eq!(sentence, "Nothing is served at /nonsense.", "and we say so");
}

#[test]
fn files_come_with_their_type_and_are_asked_for_anew_each_time() {
    let expected = [
        ("/favicon.svg", "image/svg+xml"),
        ("/lesson_01.html", "text/html; charset=utf-8"),
        ("/lesson_01.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
    ];

    for (path, media_type) in expected {
        let response = serve(LESSON_01, path, false);
        let headers = response.headers();

        assert_eq!(response.status(), StatusCode::OK, "{path} is served");
        assert_eq!(
            headers[header::CONTENT_TYPE],
            media_type,
            "browsers obey this for {path}"
        );
        assert_eq!(
            headers[header::CACHE_CONTROL],
            "no-cache",
            "another program may serve another {path} at the same address"
        );
    }
}

#[test]
fn an_address_and_a_port_are_understood() {
    let addr = parse_addr("0.0.0.0:9000").map(|addr| addr.to_string());

    assert_eq!(addr.as_deref(), Ok("0.0.0.0:9000"), "this is how a classroom sets ADDR");
}

#[test]
fn a_bad_address_is_answered_with_a_good_one() {
    for wanted in ["9000", "localhost:8000", "127.0.0.1", ""] {
        let sentence = parse_addr(wanted).expect_err("this is no address");

        assert_eq!(
            sentence,
            format!(
                "ADDR is {wanted:?}, but should be an IP address and a port, as in \
                 ADDR=127.0.0.1:18000."
            ),
            "the sentence shows what was wrong and what would be right"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_explained() {
    let first = TcpListener::bind("127.0.0.1:0").await.expect("some port is free");
    let addr = first.local_addr().expect("a bound listener has an address");
    let error = TcpListener::bind(addr).await.expect_err("the port is taken");

    let sentence = explain(addr, &error, Some("ADDR"));

    assert_eq!(
        sentence,
        format!(
            "Port {} is taken: another program listens on {addr}. Stop it, or choose \
             another port: ADDR=127.0.0.1:{} cargo run …",
            addr.port(),
            other_port(addr.port())
        ),
        "the sentence says what is wrong and how to go on"
    );
}

#[test]
fn a_port_that_may_not_be_used_is_explained() {
    // Unix keeps the low ports to itself; Windows, with error 10013, ranges of high ones.
    for port in [80, 8000, 50_051] {
        let addr = SocketAddr::from(([127, 0, 0, 1], port));

        let sentence = explain(addr, &ErrorKind::PermissionDenied.into(), Some("ADDR"));

        assert_eq!(
            sentence,
            format!(
                "We may not listen on port {port}. Choose another one, far from it: \
                 ADDR=127.0.0.1:18000 cargo run …"
            ),
            "the sentence suggests a port that is likely to be free for all"
        );
    }
}

#[test]
fn a_program_with_its_own_configuration_is_not_told_to_set_addr() {
    let addr = SocketAddr::from(([127, 0, 0, 1], 8000));

    for (kind, sentence) in [
        (
            ErrorKind::AddrInUse,
            "Port 8000 is taken: another program listens on 127.0.0.1:8000. Stop it, or \
             choose another port, such as 18000.",
        ),
        (
            ErrorKind::PermissionDenied,
            "We may not listen on port 8000. Choose another one, far from it, such as 18000.",
        ),
    ] {
        assert_eq!(
            explain(addr, &kind.into(), None),
            sentence,
            "ADDR would change nothing"
        );
    }
}

#[tokio::test]
async fn a_program_listens_where_it_wants_and_the_lab_learns_it() {
    let listener = listen_on(([127, 0, 0, 1], 0).into()).await;

    let addr = listener.local_addr().expect("a bound listener has an address");

    assert_ne!(addr.port(), 0, "port 0 becomes a free one");
    assert_eq!(lab::ADDR.get(), Some(&addr), "the lab asks this address");
}

#[test]
fn the_port_that_we_suggest_is_far_from_the_one_that_failed() {
    for port in [80, 8000, 17_999, 18_000, 18_001, 28_000, u16::MAX] {
        let other = other_port(port);

        assert!(
            port.abs_diff(other) > 1000,
            "Windows reserves ranges of ports, and {other} is close to {port}"
        );
    }
}

#[test]
fn a_console_that_is_gone_is_no_reason_to_stop() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }

    print(Closed, "Open http://127.0.0.1:8000 in a browser.");
}

#[test]
fn a_line_for_the_console_ends() {
    let mut console = Vec::new();

    print(&mut console, "Ctrl-C stops the server.");

    assert_eq!(console, b"Ctrl-C stops the server.\n", "the shell's prompt comes below");
}

async fn answer(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await;
    let text = String::from_utf8(body.expect("the body is in memory").into());

    (status, text.expect("our sentences are UTF-8"))
}

fn pages() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    FILES.iter().filter(|(name, _)| name.ends_with(".html"))
}

/// All but those that every program serves.
fn pages_of_programs() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let of_all = |name: &str| name == "lab.html" || TEMPLATES.contains(&name);
    pages().filter(move |(name, _)| !of_all(name))
}

fn scripts() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    FILES.iter().filter(|(name, _)| name.ends_with(".js"))
}

/// The scripts that a page loads, and those that they import.
fn scripts_of(page: &str) -> BTreeMap<&'static str, &'static str> {
    let page = frame::framed(LESSON_01, page, file(page).unwrap_or_default());
    let mut found = BTreeMap::new();
    let mut open = vec![page.as_str()];
    while let Some(text) = open.pop() {
        for link in quoted(text, "src=").chain(quoted(text, "from ")) {
            let named = link.trim_start_matches(['.', '/']);
            let Some((name, text)) = scripts().find(|(name, _)| *name == named) else {
                continue;
            };
            if found.insert(*name, *text).is_none() {
                open.push(*text);
            }
        }
    }
    found
}

/// The functions of a script that are not within another one, from their name on.
fn functions(script: &str) -> impl Iterator<Item = &str> {
    script.split("\n}\n").filter_map(|part| Some(part.split_once("\nfunction ")?.1))
}

/// What stands between quotation marks after each `mark`.
fn quoted<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(mark).skip(1).filter_map(|rest| rest.strip_prefix('"')?.split('"').next())
}

#[tokio::test]
async fn small_messages_leave_at_once() {
    let (mut listener, addr) = free_listener().await;
    let _client = TcpStream::connect(addr).await.expect("somebody listens");

    let (connection, _) = listener.accept().await;

    assert!(
        connection.nodelay().is_ok_and(|set| set),
        "TCP_NODELAY is set on every connection"
    );
}

#[tokio::test]
async fn a_debug_build_has_x_ray_and_a_release_build_has_not() {
    let (listener, addr) = free_listener().await;
    let app: Router = router("lesson_01_echo", "lesson_01.html");
    tokio::spawn(axum::serve(listener, app).into_future());

    let lab = get_text(addr, "/lab.json").await;
    let viewer = get_text(addr, "/lab/xray").await;

    if cfg!(debug_assertions) {
        assert!(lab.ends_with(r#","xray":true}"#), "pages learn that it is on: {lab}");
        assert!(viewer.contains("the same cookie"), "only a cookie is missing: {viewer}");
    } else {
        for answer in [lab, viewer] {
            assert!(answer.starts_with("HTTP/1.1 404 "), "nothing is there: {answer}");
        }
    }
}

/// A listener of a program of the course, without what it prints.
async fn free_listener() -> (NoDelayListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("the port has a number");
    #[cfg(debug_assertions)]
    let listener = xray::tap(listener);
    (without_delay(listener), addr)
}

/// A whole answer, head and body.
async fn get_text(addr: SocketAddr, path: &str) -> String {
    let mut connection = TcpStream::connect(addr).await.expect("somebody listens");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("it answers with text");
    answer
}

#[test]
fn a_classroom_is_told_where_to_look() {
    let everywhere = ([0, 0, 0, 0], 8000).into();
    let network = ["http://192.168.1.17:8000".into(), "http://10.0.0.4:8000".into()];

    let sentence = welcome(everywhere, &network);
    let alone = welcome(everywhere, &[]);

    let own = "Open http://127.0.0.1:8000 in a browser.";
    assert!(sentence.starts_with(own), "0.0.0.0 is no address to open: {sentence}");
    let others =
        "computers of the network open http://192.168.1.17:8000 or http://10.0.0.4:8000.";
    assert!(sentence.ends_with(others), "neighbours type what they read: {sentence}");
    assert!(alone.contains("it is in no network"), "without a network: {alone}");
}

#[test]
fn who_listens_to_itself_alone_promises_neighbours_nothing() {
    let loopback = ([127, 0, 0, 1], 8000).into();

    let sentence = welcome(loopback, &urls(loopback));

    assert!(!sentence.contains("Other computers"), "nobody could reach it: {sentence}");
}

#[test]
fn no_address_of_this_computer_is_for_itself_alone() {
    for url in urls(([0, 0, 0, 0], 8000).into()) {
        for own in ["//127.", "//[::1]", "//0.0.0.0"] {
            assert!(!url.contains(own), "a neighbour who opens {url} would meet itself");
        }
    }
}
