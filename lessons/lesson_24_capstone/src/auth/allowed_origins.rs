//! The list of origins whose pages may connect.

use std::sync::Arc;

use axum::http::uri::Authority;

/// The book, as `mdbook serve` shows it. Its pages may connect to a debug build.
const BOOK: [&str; 2] = ["http://127.0.0.1:3000", "http://localhost:3000"];

/// The origins whose pages may connect, beside our own. All clones share one list.
#[derive(Clone, Default)]
pub struct AllowedOrigins(Arc<[String]>);

impl AllowedOrigins {
    /// Reads whole origins with commas between them.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn parse(list: &str) -> Result<Self, String> {
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let origins = origins.map(|entry| {
            let origin = entry.trim_end_matches('/').to_lowercase();
            // A browser leaves out the port that is the default of the scheme.
            let http = origin.strip_prefix("http://").filter(|host| !host.ends_with(":80"));
            let https =
                origin.strip_prefix("https://").filter(|host| !host.ends_with(":443"));
            match http.or(https).map(str::parse::<Authority>) {
                Some(Ok(host)) if !host.as_str().contains(['@', '*']) => Ok(origin),
                _ => Err(format!(
                    "CHAT_ALLOWED_ORIGINS has {entry:?}, but an origin has a scheme (http or https), \
                     a host, and a port if it is not the default, as in \
                     https://chat.example.com or http://127.0.0.1:3000."
                )),
            }
        });
        Ok(Self(origins.collect::<Result<_, _>>()?))
    }

    pub fn contains(&self, origin: &str) -> bool {
        (cfg!(debug_assertions) && BOOK.contains(&origin))
            || self.0.iter().any(|allowed| allowed == origin)
    }
}
