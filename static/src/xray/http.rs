//! The heads of HTTP requests and responses, and what of them may be shown.

/// The longest head that is looked at, in bytes. A connection with a longer one is not shown.
const HEAD_LIMIT: usize = 16 * 1024;

/// What stands where a secret stood.
const BLANK: &str = "●●●";

/// What the name of a header or of a query parameter contains if its value is a secret.
const SECRETS: [&str; 6] = ["token", "ticket", "password", "secret", "key", "code"];

/// The head is longer than [`HEAD_LIMIT`].
#[derive(Debug, PartialEq)]
pub struct TooLong;

/// Collects what was read, or written, until a head is complete.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    /// Up to here, there is no end of a head.
    searched: usize,
}

impl Buffer {
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes up to `limit` bytes from the beginning: those of a body.
    pub fn take(&mut self, limit: u64) -> Vec<u8> {
        let length = usize::try_from(limit).unwrap_or(usize::MAX).min(self.bytes.len());
        if length > 0 {
            self.searched = 0;
        }
        self.bytes.drain(..length).collect()
    }

    /// Takes everything.
    pub fn take_all(&mut self) -> Vec<u8> {
        self.take(u64::MAX)
    }

    /// Takes the next head, if it is complete.
    pub fn take_head(&mut self) -> Result<Option<Head>, TooLong> {
        // Servers ignore line ends before a request.
        let blank = self.bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        self.take(blank as u64);

        let end = (self.searched..self.bytes.len()).find_map(|at| {
            let rest = &self.bytes[at..];
            let ends = [&b"\n\r\n"[..], b"\n\n"]; // Some clients leave the `\r` out.
            ends.iter().find(|end| rest.starts_with(end)).map(|end| at + end.len())
        });
        match end {
            Some(end) if end <= HEAD_LIMIT => {
                Ok(Some(Head::parse(&self.take(end as u64))))
            }
            None if self.bytes.len() <= HEAD_LIMIT => {
                // The end may have begun: two of its three bytes may be there.
                self.searched = self.bytes.len().saturating_sub(2);
                Ok(None)
            }
            _ => Err(TooLong),
        }
    }
}

/// The lines of a request or of a response, up to the empty one.
pub struct Head {
    lines: Vec<String>,
    /// As sent, with the ends of the lines.
    pub bytes: u64,
}

impl Head {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.lines().filter(|line| !line.is_empty()).map(str::to_owned);
        Self { lines: lines.collect(), bytes: bytes.len() as u64 }
    }

    /// The values of a header. Its name is in lower case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(move |(known, _)| known.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// Whether this asks for a WebSocket.
    pub fn is_upgrade(&self) -> bool {
        self.values("upgrade").any(|value| value.to_lowercase().contains("websocket"))
    }

    /// How long the body is, if the head says so.
    pub fn content_length(&self) -> Option<u64> {
        self.values("content-length").next()?.parse().ok()
    }

    /// Whether only the body itself tells where it ends.
    pub fn is_chunked(&self) -> bool {
        self.values("transfer-encoding").next().is_some()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        let first = self.lines.first()?;
        first.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
    }

    /// What a request asks for, without the secrets of its query.
    pub fn path(&self) -> String {
        let first = self.lines.first().map_or("", String::as_str);
        blank_query(first.split(' ').nth(1).unwrap_or_default())
    }

    /// The first line, without the secrets of its query.
    pub fn first_line(&self) -> String {
        blank_query(self.lines.first().map_or("", String::as_str))
    }

    /// All lines, without secrets.
    pub fn blanked(&self) -> Vec<String> {
        let rest = self.lines.iter().skip(1).map(|line| blank_header(line));
        [self.first_line()].into_iter().chain(rest).collect()
    }
}

/// A header whose name stays. Its value stays if it is no secret.
fn blank_header(line: &str) -> String {
    // What has no name goes on with the line above, which may be a secret.
    let Some((name, value)) =
        line.split_once(':').filter(|_| !line.starts_with([' ', '\t']))
    else {
        return BLANK.into();
    };
    let value = value.trim();
    let known = name.trim().to_lowercase();
    let shown = match known.as_str() {
        // The scheme, such as `Bearer`, is none.
        "authorization" | "proxy-authorization" => match value.split_once(' ') {
            Some((scheme, _)) => format!("{scheme} {BLANK}"),
            None => BLANK.into(),
        },
        "cookie" => blank_pairs(value, |_| true),
        // What follows the first pair says where and how long the cookie is kept.
        "set-cookie" => match value.split_once(';') {
            Some((cookie, rest)) => format!("{};{rest}", blank_pairs(cookie, |_| true)),
            None => blank_pairs(value, |_| true),
        },
        "sec-websocket-protocol" => {
            value.split(',').map(blank_bearer).collect::<Vec<_>>().join(",")
        }
        // It only shows that the server has read the handshake.
        "sec-websocket-key" => value.into(),
        known if is_secret(known) => BLANK.into(),
        // `Referer` and `Location` have URLs in them, and others may.
        _ => blank_query(value),
    };
    format!("{name}: {shown}")
}

/// A subprotocol. `bearer.` followed by a token is how a browser sends one.
fn blank_bearer(protocol: &str) -> String {
    let begin = protocol.to_lowercase().find("bearer.").map(|at| at + "bearer.".len());
    match begin.and_then(|begin| protocol.get(..begin)) {
        Some(kept) => format!("{kept}{BLANK}"),
        None => protocol.into(),
    }
}

/// A URL, or a line with one, without the secrets of its query.
fn blank_query(line: &str) -> String {
    let Some((before, query)) = line.split_once('?') else { return line.into() };
    // In a request line, the version follows.
    let (query, after) = query.split_at(query.find(' ').unwrap_or(query.len()));
    let pairs = query.split('&').map(|pair| blank_pairs(pair, is_secret));
    format!("{before}?{}{after}", pairs.collect::<Vec<_>>().join("&"))
}

/// `name=value; name=value`, without the values whose names `hides` picks.
fn blank_pairs(pairs: &str, hides: impl Fn(&str) -> bool) -> String {
    let blank = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if hides(name) => format!("{name}={BLANK}"),
        Some(_) => pair.into(),
        None if hides(pair) => BLANK.into(),
        None => pair.into(),
    };
    pairs.split(';').map(blank).collect::<Vec<_>>().join(";")
}

/// Whether a value of this name is a secret, as far as one can tell by the name.
fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    // What is percent-encoded may be any name.
    name.contains('%') || SECRETS.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str =
        "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: WebSocket\r\n\r\n";

    #[test]
    fn a_head_may_come_byte_by_byte() {
        for text in [REQUEST.to_owned(), REQUEST.replace("\r\n", "\n")] {
            let mut buffer = Buffer::default();
            let (last, begin) = text.as_bytes().split_last().expect("it is not empty");

            for byte in begin {
                buffer.extend(&[*byte]);
                let head = buffer.take_head().expect("it is short");
                assert!(head.is_none(), "the empty line is not there yet");
            }
            buffer.extend(&[*last]);
            let head = buffer.take_head().expect("it is short").expect("it is complete");

            assert_eq!(head.bytes, text.len() as u64, "all bytes are counted");
            assert_eq!(
                head.blanked(),
                ["GET /ws HTTP/1.1", "Host: example.com", "Upgrade: WebSocket"],
                "the lines are as they were sent"
            );
            assert!(head.is_upgrade(), "it asks for a WebSocket, in whatever case");
            assert!(buffer.is_empty(), "nothing is left");
        }
    }

    #[test]
    fn what_follows_a_head_is_left() {
        let mut buffer = Buffer::default();
        buffer.extend(format!("\r\n{REQUEST}frames").as_bytes());

        let head = buffer.take_head().expect("it is short");

        assert!(head.is_some(), "a line end before a request means nothing");
        assert_eq!(buffer.take_all(), b"frames", "what follows is no part of the head");
    }

    #[test]
    fn a_head_that_is_too_long_is_given_up() {
        let mut endless = Buffer::default();
        endless.extend(&[b'a'; HEAD_LIMIT + 1]);
        let mut whole = Buffer::default();
        whole.extend(
            format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(HEAD_LIMIT)).as_bytes(),
        );

        assert!(endless.take_head().is_err(), "it need not end before it is too long");
        assert!(whole.take_head().is_err(), "a head that came at once is no exception");
    }

    #[test]
    fn secrets_are_blanked_and_names_stay() {
        for (line, shown) in [
            ("Authorization: Bearer tea", "Authorization: Bearer ●●●"),
            ("authorization:tea", "authorization: ●●●"),
            ("Proxy-Authorization: Basic tea", "Proxy-Authorization: Basic ●●●"),
            ("Cookie: session=tea; theme=tea", "Cookie: session=●●●; theme=●●●"),
            ("Cookie: tea", "Cookie: ●●●"),
            (
                "Set-Cookie: session=tea; Path=/; Secure",
                "Set-Cookie: session=●●●; Path=/; Secure",
            ),
            (
                "Sec-WebSocket-Protocol: chat, bearer.tea",
                "Sec-WebSocket-Protocol: chat, bearer.●●●",
            ),
            (
                "Sec-WebSocket-Protocol: Bearer.tea,v2",
                "Sec-WebSocket-Protocol: Bearer.●●●,v2",
            ),
            (
                "Referer: http://a.example/?room=1&token=tea",
                "Referer: http://a.example/?room=1&token=●●●",
            ),
            ("Location: /in?code=tea", "Location: /in?code=●●●"),
            ("X-Api-Key: tea", "X-Api-Key: ●●●"),
            (" a line that goes on: tea", "●●●"),
            ("no name, and tea", "●●●"),
        ] {
            assert_eq!(blank_header(line), shown, "of {line:?}");
        }
        for line in [
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: chat, v2.chat",
            "Accept-Encoding: gzip, deflate, br",
            "Host: 127.0.0.1:8000",
            "Referer: http://127.0.0.1:8000/chat.html?room=rust",
        ] {
            assert_eq!(blank_header(line), line, "there is no secret in it");
        }
    }

    #[test]
    fn secrets_of_the_query_are_blanked_in_the_request_line_and_in_the_path() {
        for (path, shown) in [
            ("/ws?token=tea&echo=false", "/ws?token=●●●&echo=false"),
            ("/ws?access_TOKEN=tea", "/ws?access_TOKEN=●●●"),
            (
                "/ws?ticket=tea&password=tea&client_secret=tea",
                "/ws?ticket=●●●&password=●●●&client_secret=●●●",
            ),
            // `%74oken` is `token`.
            ("/ws?%74oken=tea", "/ws?%74oken=●●●"),
            ("/ws?token=tea?token=tea", "/ws?token=●●●"),
            ("/ws/7?after=3&limit", "/ws/7?after=3&limit"),
        ] {
            let mut buffer = Buffer::default();
            buffer.extend(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
            let head = buffer.take_head().expect("it is short").expect("it is complete");

            assert_eq!(head.path(), shown, "the path of {path}");
            assert_eq!(head.blanked(), [format!("GET {shown} HTTP/1.1")], "the line");
        }
    }
}
