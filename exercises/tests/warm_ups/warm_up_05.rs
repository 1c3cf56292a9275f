// Warm-up for lesson 05: a header and a default.

use exercises::warm_ups::warm_up_05::router;
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, serve};

probe::steps! {
    step_1_a_client_with_the_header_is_greeted,
    step_2_a_client_without_the_header_is_rejected,
    step_3_an_empty_header_or_one_that_is_no_text_is_rejected,
    step_4_a_text_comes_back_once_by_default,
    step_5_a_wrong_value_is_rejected_and_an_unknown_parameter_is_not,
}

const PATH: &str = "/warm_up_05/ws";

const MISSING: &str = "Say what you are, in the header User-Agent.";

const CURL: [(&str, &str); 1] = [("user-agent", "curl/8.5.0")];

/// Connects Ana, who has the header, and passes over the greeting.
async fn connect(server: &Server, query: &str) -> Result<Client, Hint> {
    let mut ana = server.connect_with("Ana", &format!("{PATH}{query}"), &CURL).await?;
    ana.hears_any().await?;
    Ok(ana)
}

/// Expects a request with these headers to be rejected with our sentence.
async fn is_rejected(server: &Server, headers: &[(&'static str, &str)]) -> Check {
    // With the parameter, so that nothing else can be wrong.
    let path = format!("{PATH}?repeat=1");
    let response = server.rejects_with("Eve", &path, headers, 400).await?;
    if response.body == MISSING {
        return Ok(());
    }
    Err(server.hint(format!(
        "Eve should be rejected with the sentence {MISSING:?}, but it was {:?}.",
        response.body
    )))
}

/// The header gets as far as the handler, through the extractor. The query has all that
/// `Options` wants, so only the extractor matters here.
async fn step_1_a_client_with_the_header_is_greeted() -> Check {
    let server = serve(router());

    let path = format!("{PATH}?repeat=1");
    let why = "Ana's request has the header User-Agent: curl/8.5.0.";
    let mut ana = server.connect_with("Ana", &path, &CURL).await.because(why)?;

    ana.hears("Hello, curl/8.5.0!").await.because(why)
}

/// The handler does not run, so no connection stays open for a client without it.
async fn step_2_a_client_without_the_header_is_rejected() -> Check {
    let server = serve(router());

    is_rejected(&server, &[]).await.because("Eve's request has no header User-Agent.")
}

/// A header is made of bytes that anybody may choose. `é` is none that `to_str` accepts.
async fn step_3_an_empty_header_or_one_that_is_no_text_is_rejected() -> Check {
    let server = serve(router());

    is_rejected(&server, &[("user-agent", "")])
        .await
        .because("Eve's request has the header User-Agent, and it is empty.")?;
    is_rejected(&server, &[("user-agent", "Café/1.0")]).await.because(
        "Eve's request has the header User-Agent: Café/1.0. `to_str` calls only ASCII a text.",
    )
}

/// Most clients leave an option out. The default of a `u8` would be 0.
async fn step_4_a_text_comes_back_once_by_default() -> Check {
    let server = serve(router());
    for (query, times, word) in [("?repeat=3", 3, "three times"), ("", 1, "once")] {
        let why = format!("The query is {query:?}, so each text comes back {word}.");
        let mut ana = connect(&server, query).await.because(&why)?;

        ana.says("hi").await?;

        for _ in 0..times {
            ana.hears("hi").await.because(&why)?;
        }
        ana.hears_nothing_for(ONE_MINUTE).await.because(&why)?;
    }
    Ok(())
}

/// A default is for a value that is missing. A wrong one is a mistake, and whoever made it
/// should hear of it. A parameter that we do not know may be for somebody else.
async fn step_5_a_wrong_value_is_rejected_and_an_unknown_parameter_is_not() -> Check {
    let server = serve(router());

    for value in ["often", "-1", "300", ""] {
        let path = format!("{PATH}?repeat={value}");
        let why = format!("{value:?} is no u8.");
        let response =
            server.rejects_with("Ana", &path, &CURL, 400).await.because(&why)?;
        if !response.body.contains("repeat") {
            return Err(server.hint(format!(
                "{why}\nThe sentence should name the field \"repeat\", but it was {:?}.",
                response.body
            )));
        }
    }
    connect(&server, "?colour=red&repeat=2")
        .await
        .because("The parameter \"colour\" is none of ours, and is ignored.")
        .map(drop)
}
