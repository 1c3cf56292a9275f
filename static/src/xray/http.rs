//! The heads of HTTP requests and responses, and what of them may be shown.

/// The longest head that is read, in bytes. A connection with a longer one is not shown.
const HEAD_LIMIT: usize = 16 * 1024;

/// What stands where a secret stood.
const BLANK: &str = "●●●";

/// What the name of a header or of a query parameter contains if its value is a secret.
const SECRETS: [&str; 13] = [
    "token",
    "ticket",
    "password",
    "passwd",
    "pwd",
    "secret",
    "key",
    "code",
    "auth",
    "session",
    "jwt",
    "sig",
    "credential",
];

/// What is no head that we can follow: it is longer than [`HEAD_LIMIT`], for example.
#[derive(Debug)]
pub struct Unreadable;

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

    /// Takes what is left after the last head.
    pub fn take_all(&mut self) -> Vec<u8> {
        self.take(self.bytes.len())
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        if length > 0 {
            self.searched = 0;
        }
        self.bytes.drain(..length).collect()
    }

    /// Takes the next head, if it is complete.
    pub fn take_head(&mut self) -> Result<Option<Head>, Unreadable> {
        // Servers ignore line ends before a request.
        let blank = self.bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        self.take(blank);

        let end = (self.searched..self.bytes.len()).find_map(|at| {
            let rest = &self.bytes[at..];
            let ends = [&b"\n\r\n"[..], b"\n\n"]; // Some clients leave the `\r` out.
            ends.iter().find(|end| rest.starts_with(end)).map(|end| at + end.len())
        });
        match end {
            Some(end) if end <= HEAD_LIMIT => Ok(Some(Head::parse(&self.take(end)))),
            None if self.bytes.len() <= HEAD_LIMIT => {
                // The end may have begun: two of its three bytes may be there.
                self.searched = self.bytes.len().saturating_sub(2);
                Ok(None)
            }
            _ => Err(Unreadable),
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

    /// Whether this asks for a WebSocket. Only a GET can: other methods have answers of
    /// other kinds.
    pub fn is_upgrade(&self) -> bool {
        let is_get = self.lines.first().is_some_and(|line| line.starts_with("GET "));
        let mut protocols = self.values("upgrade").flat_map(|value| value.split(','));
        is_get && protocols.any(|one| one.trim().eq_ignore_ascii_case("websocket"))
    }

    /// How long the body of a response is, if the head says so.
    pub fn content_length(&self) -> Option<u64> {
        self.values("content-length").next()?.parse().ok()
    }

    /// Whether a body follows this request, or may follow: a length that we cannot read
    /// counts, too.
    pub fn has_body(&self) -> bool {
        self.values("content-length").any(|length| length != "0")
            || self.values("transfer-encoding").next().is_some()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        let first = self.lines.first()?;
        first.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
    }

    /// What a request asks for, without the secrets of its URL.
    pub fn path(&self) -> String {
        let first = self.lines.first().map_or("", String::as_str);
        blank_urls(first.split(' ').nth(1).unwrap_or_default())
    }

    /// The first line, without the secrets of its URL.
    pub fn first_line(&self) -> String {
        blank_urls(self.lines.first().map_or("", String::as_str))
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
    let known = name.trim().to_ascii_lowercase();
    let shown = match known.as_str() {
        // The scheme, such as `Bearer`, is none.
        "authorization" | "proxy-authorization" => match value.split_once(' ') {
            Some((scheme, _)) => format!("{scheme} {BLANK}"),
            None => BLANK.into(),
        },
        "cookie" => blank_pairs(value),
        // What follows the first pair says where and how long the cookie is kept.
        "set-cookie" => match value.split_once(';') {
            Some((cookie, rest)) => format!("{};{rest}", blank_pairs(cookie)),
            None => blank_pairs(value),
        },
        "sec-websocket-protocol" => {
            value.split(',').map(blank_bearer).collect::<Vec<_>>().join(",")
        }
        // The one only shows that the server has read the handshake, and the others only say
        // how to prove who one is.
        "sec-websocket-key" | "www-authenticate" | "proxy-authenticate" => value.into(),
        known if is_secret(known) => BLANK.into(),
        // `Referer` and `Location` have URLs in them, and others may.
        _ => blank_urls(value),
    };
    format!("{name}: {shown}")
}

/// A subprotocol. `bearer.` followed by a token is how a browser sends one.
fn blank_bearer(protocol: &str) -> String {
    let begin =
        protocol.to_ascii_lowercase().find("bearer.").map(|at| at + "bearer.".len());
    match begin.and_then(|begin| protocol.get(..begin)) {
        Some(kept) => format!("{kept}{BLANK}"),
        None => protocol.into(),
    }
}

/// A line without the secrets of its URLs: those of users, of queries and of fragments.
fn blank_urls(line: &str) -> String {
    let mut shown = String::new();
    let (mut in_query, mut in_secret) = (false, false);
    for piece in blank_users(line).split_inclusive(['?', '#', '&', ';', ' ']) {
        let text = piece.trim_end_matches(['?', '#', '&', ';', ' ']);
        let separator = &piece[text.len()..];
        match text.split_once('=') {
            _ if in_secret => {} // A `?` or a `#` may be a part of it.
            Some((name, _)) if in_query && is_secret(name) => {
                shown.push_str(&format!("{name}={BLANK}"));
                in_secret = true;
            }
            None if in_query && is_secret(text) => {
                shown.push_str(BLANK);
                in_secret = true;
            }
            _ => shown.push_str(text),
        }
        match separator {
            "?" | "#" if in_secret => continue,
            "?" | "#" => in_query = true,
            " " => (in_query, in_secret) = (false, false), // The URL ends.
            _ => in_secret = false,
        }
        shown.push_str(separator);
    }
    shown
}

/// `http://ana:password@host/` without the name and the password.
fn blank_users(line: &str) -> String {
    let mut parts = line.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['/', '?', '#', ' ']).unwrap_or(part.len());
        let at = part[..end].rfind('@');
        shown.push_str("://");
        shown.push_str(if at.is_some() { BLANK } else { "" });
        shown.push_str(&part[at.unwrap_or(0)..]);
    }
    shown
}

/// `name=value; name=value`, without the values.
fn blank_pairs(pairs: &str) -> String {
    let blank = |pair: &str| match pair.split_once('=') {
        Some((name, _)) => format!("{name}={BLANK}"),
        None => BLANK.into(),
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
    fn only_a_get_for_the_protocol_websocket_is_an_upgrade() {
        let is_upgrade = |request: String| {
            let mut buffer = Buffer::default();
            buffer.extend(request.as_bytes());
            let head = buffer.take_head().expect("it is short").expect("it is complete");
            head.is_upgrade()
        };

        for (from, to, expected) in [
            ("GET", "HEAD", false),
            ("GET", "POST", false),
            ("WebSocket", "not-websocket", false),
            ("WebSocket", "h2c, websocket", true),
        ] {
            let request = REQUEST.replace(from, to);
            assert_eq!(is_upgrade(request), expected, "with {to} instead of {from}");
        }
    }

    #[test]
    fn a_request_has_a_body_if_its_head_says_so_in_whatever_way() {
        for (header, expected) in [
            ("Content-Length: 0", false),
            ("Content-Length: 5", true),
            ("Content-Length: +0", true),
            ("Content-Length: x", true),
            ("Transfer-Encoding: chunked", true),
            ("Accept: */*", false),
        ] {
            let head = Head::parse(format!("GET / HTTP/1.1\r\n{header}\r\n").as_bytes());
            assert_eq!(head.has_body(), expected, "with {header}");
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
            ("X-Auth: tea", "X-Auth: ●●●"),
            ("X-Session-Id: tea", "X-Session-Id: ●●●"),
            ("Location: /in#access_token=tea&b=c", "Location: /in#access_token=●●●&b=c"),
            ("Location: /in?b=c#id_token=tea", "Location: /in?b=c#id_token=●●●"),
            ("Location: /?next=/in?code=tea", "Location: /?next=/in?code=●●●"),
            ("Location: http://ana:tea@a.example/", "Location: http://●●●@a.example/"),
            ("Referer: http://a.example/?jwt=tea", "Referer: http://a.example/?jwt=●●●"),
            ("Referer: http://a.example/?pwd=tea", "Referer: http://a.example/?pwd=●●●"),
            (
                "Link: </a?b=c>; rel=x, </d?token=tea>; rel=y",
                "Link: </a?b=c>; rel=x, </d?token=●●●; rel=y",
            ),
            // In lower case, `İ` is longer: a place in the one is none in the other.
            (
                "Sec-WebSocket-Protocol: İİbearer.tea",
                "Sec-WebSocket-Protocol: İİbearer.●●●",
            ),
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
            "WWW-Authenticate: Bearer realm=\"chat\"",
            "Referer: http://127.0.0.1:8000/chat.html?room=rust",
        ] {
            assert_eq!(blank_header(line), line, "there is no secret in it");
        }
    }

    /// A page blanks the paths that its script knows, as X-ray does those that it reports.
    #[test]
    fn the_wire_view_has_the_same_names_of_secrets() {
        let script = include_str!("../../wire-rows.js");
        let expression =
            script.split_once("const SECRET = ").expect("it has the names").1;
        let expression = expression.split_once(';').expect("the expression ends").0;
        // The pattern is cut into several strings.
        let pattern: String = expression.split('"').skip(1).step_by(2).collect();
        let names = pattern.split_once("(?:").expect("the names are alternatives").1;
        let names = names.split_once(')').expect("the last one has an end").0;
        let names: Vec<_> = names.split('|').collect();

        for secret in SECRETS {
            assert!(
                names.contains(&secret),
                "SECRET in static/wire-rows.js should have {secret}, as SECRETS in http.rs has"
            );
        }
        for name in names {
            assert!(
                SECRETS.contains(&name),
                "SECRETS in http.rs should have {name}, as SECRET in static/wire-rows.js has"
            );
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
            ("/ws?token=tea?token=tea#tea", "/ws?token=●●●"),
            ("http://ana:tea@a/ws?a=b@c", "http://●●●@a/ws?a=b@c"),
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
