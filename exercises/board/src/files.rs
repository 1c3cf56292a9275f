//! The files of the pages. They are in the program, so that it works wherever it is copied.

use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const FILES: [(&str, &str, &str); 7] = [
    ("/", HTML, include_str!("../pages/board.html")),
    ("/board.css", CSS, include_str!("../pages/board.css")),
    ("/board.js", JS, include_str!("../pages/board.js")),
    ("/rows.js", JS, include_str!("../pages/rows.js")),
    ("/join", HTML, include_str!("../pages/join.html")),
    ("/join.css", CSS, include_str!("../pages/join.css")),
    ("/join.js", JS, include_str!("../pages/join.js")),
];

/// Files of the course's own pages.
const SHARED: [(&str, &str, &str); 2] =
    [("/style.css", CSS, "style.css"), ("/favicon.svg", "image/svg+xml", "favicon.svg")];

pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let shared = SHARED.map(|(path, media_type, name)| {
        let text = pages::file(name).expect("the pages of the course have this file");
        (path, media_type, text)
    });
    let files = FILES.into_iter().chain(shared);
    files.fold(Router::new(), |router, (path, media_type, text)| {
        router.route(path, get(move || async move { response(media_type, text) }))
    })
}

fn response(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        // All programs of the course share one address, but not one set of pages.
        (header::CACHE_CONTROL, "no-cache"),
        // Nothing from elsewhere, and no script but ours, whatever a name may hold.
        (header::CONTENT_SECURITY_POLICY, "default-src 'self'"),
    ];
    (headers, text).into_response()
}
