// Warm-up for lesson 08: an origin and a cookie.

use exercises::warm_ups::warm_up_08::router;
use probe::{Because, Check, Server, serve};

probe::steps! {
    step_1_our_page_with_the_cookie_is_welcome,
    step_2_no_cookie_or_another_value_gets_401,
    step_3_the_cookie_may_stand_among_others,
    step_4_a_page_of_another_origin_gets_403,
    step_5_a_program_has_no_origin_and_is_welcome,
}

const PATH: &str = "/warm_up_08/ws";

/// The page that the server itself serves.
const OUR_PAGE: (&str, &str) = ("origin", "http://127.0.0.1:8000");

const COOKIE: &str = "warm_up_08=YW5hLTQ3MTE=";

/// Expects Ana to get in, and to be greeted by her name.
async fn is_welcome(server: &Server, headers: &[(&'static str, &str)]) -> Check {
    let mut ana = server.connect_with("Ana", PATH, headers).await?;
    ana.hears("Welcome, ana!").await
}

/// Expects to be rejected, and to be told why.
async fn is_rejected(
    server: &Server,
    headers: &[(&'static str, &str)],
    status: u16,
) -> Check {
    let response = server.rejects_with("Eve", PATH, headers, status).await?;
    if response.body.trim().is_empty() {
        return Err(server.hint(format!(
            "Eve should get a sentence with the {status}, but got none."
        )));
    }
    Ok(())
}

/// What a browser sends that has opened our page, and has the cookie.
async fn step_1_our_page_with_the_cookie_is_welcome() -> Check {
    let server = serve(router());

    is_welcome(&server, &[OUR_PAGE, ("cookie", COOKIE)]).await.because(
        "Ana's request comes from our own page, and has Cookie: warm_up_08=YW5hLTQ3MTE=. \
             The value ends with a =.",
    )
}

/// A cookie is found by its whole name. Others may begin or end like ours, and a part of the
/// session is no session.
async fn step_2_no_cookie_or_another_value_gets_401() -> Check {
    let server = serve(router());

    is_rejected(&server, &[OUR_PAGE], 401)
        .await
        .because("Eve's request comes from our page, and has no cookie.")?;
    for cookie in [
        "warm_up_08=YmVuLTQ3MTI=",
        "warm_up_08=YW5hLTQ3MTE",
        "warm_up_08",
        "old_warm_up_08=YW5hLTQ3MTE=",
        "warm_up_08_old=YW5hLTQ3MTE=",
        "theme=warm_up_08=YW5hLTQ3MTE=",
        "thème=dark",
    ] {
        is_rejected(&server, &[OUR_PAGE, ("cookie", cookie)], 401)
            .await
            .because(&format!("Eve's request has Cookie: {cookie}. This is not ours."))?;
    }
    Ok(())
}

/// Other programs on the same host have cookies, too, and the browser decides on the order.
async fn step_3_the_cookie_may_stand_among_others() -> Check {
    let server = serve(router());

    for cookies in [
        format!("{COOKIE}; theme=dark"),
        format!("theme=dark; {COOKIE}"),
        format!("theme=dark; {COOKIE}; lang=en"),
        format!("old_warm_up_08=no; warm_up_08_old=no; {COOKIE}"),
        format!("theme; {COOKIE}"),
    ] {
        is_welcome(&server, &[OUR_PAGE, ("cookie", &cookies)]).await.because(
            &format!("Ana's request has Cookie: {cookies}. One of them is ours."),
        )?;
    }
    Ok(())
}

/// The browser of a visitor sends the cookie along, whoever has written the page.
async fn step_4_a_page_of_another_origin_gets_403() -> Check {
    let server = serve(router());

    for origin in [
        "http://evil.example",
        "http://127.0.0.1:8000.evil.example",
        "http://evil-127.0.0.1:8000",
        "http://127.0.0.1:3000",
        "http://127.0.0.1",
        "https://127.0.0.1:8000",
        "null",
        "http://café.example",
    ] {
        is_rejected(&server, &[("origin", origin), ("cookie", COOKIE)], 403)
            .await
            .because(&format!(
                "The request has Origin: {origin}, and it asks for the host \
                 127.0.0.1:8000. Somebody else's page sends Ana's cookie."
            ))?;
    }
    // The same server, under another name.
    let host = ("host", "chat.example");
    let why = "The request has Host: chat.example and Origin: http://chat.example.";
    is_welcome(&server, &[host, ("origin", "http://chat.example"), ("cookie", COOKIE)])
        .await
        .because(why)?;
    let why = "The request has Host: chat.example and Origin: http://127.0.0.1:8000.";
    is_rejected(&server, &[host, OUR_PAGE, ("cookie", COOKIE)], 403).await.because(why)
}

/// Only browsers send `Origin`. A program has nobody else's cookie to abuse.
async fn step_5_a_program_has_no_origin_and_is_welcome() -> Check {
    let server = serve(router());

    is_welcome(&server, &[("cookie", COOKIE)]).await.because(
        "Ana's request has the cookie, and no Origin: it comes from a program, and not from \
         a page.",
    )
}
