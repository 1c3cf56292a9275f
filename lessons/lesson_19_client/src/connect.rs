//! The way to a socket: sign-in over HTTP, and the handshake.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::spawn_blocking, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Error, client::IntoClientRequest, protocol::WebSocketConfig},
};
use ureq::Agent;

/// How long a request, or a handshake, may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest message that we read, in bytes. The longest chat fits, even if each of its
/// characters is escaped. Without a limit, a server could fill our memory.
const MESSAGE_LIMIT: Option<usize> = Some(64 * 1024);

/// The code for a connection that has ended without a Close. Nobody sends it.
pub const LOST: u16 = 1006;

/// How a connection has ended, or the attempt to open one: the code of a Close, or the status
/// of a response, which is always smaller; and why.
#[derive(Debug)]
pub struct Disconnect(pub u16, pub String);

impl From<Error> for Disconnect {
    fn from(error: Error) -> Self {
        match error {
            Error::Http(response) => {
                let body = response.body().as_deref().unwrap_or_default();
                Self(response.status().as_u16(), String::from_utf8_lossy(body).into())
            }
            Error::Capacity(_) => Self(1009, error.to_string()),
            Error::Tls(_) | Error::Url(_) | Error::HttpFormat(_) => {
                Self(1015, error.to_string())
            }
            _ => Self(LOST, error.to_string()),
        }
    }
}

/// A server, and as whom we come to it.
pub struct Server {
    pub url: String,
    pub name: String,
    pub room: String,
    /// `None` if nobody signs in to this server: then the name is in the path.
    pub password: Option<String>,
    pub token: Option<String>,
}

impl Server {
    /// Opens a socket. `position` is the query that says what we have seen.
    pub async fn connect(
        &mut self,
        position: &str,
    ) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Disconnect> {
        let Self { url, name, room, password, token } = self;
        let mut path = format!("/ws/chat/{}", encode(room));
        if password.is_none() {
            path = format!("{path}/{}", encode(name));
        }
        // http becomes ws, and https becomes wss.
        let websocket = url.replacen("http", "ws", 1);
        let mut request = format!("{websocket}{path}{position}").into_client_request()?;
        if let Some(password) = password {
            if token.is_none() {
                let url = format!("{url}/login");
                let body = json!({ "username": name, "password": password }).to_string();
                let answer = spawn_blocking(|| sign_in(url, body)).await;
                *token = Some(answer.expect("sign-in does not panic")?);
            }
            let bearer = format!("Bearer {}", token.as_deref().unwrap_or_default());
            let bearer =
                bearer.parse().map_err(|_| Disconnect(400, "a bad token".into()))?;
            request.headers_mut().insert("authorization", bearer);
        }
        let limits = WebSocketConfig::default()
            .max_message_size(MESSAGE_LIMIT)
            .max_frame_size(MESSAGE_LIMIT);
        // `true` is for TCP_NODELAY: a short message does not wait for more.
        let handshake = connect_async_with_config(request, Some(limits), true);
        let silent = |_| Disconnect(LOST, "the server does not answer".into());
        Ok(timeout(TIMEOUT, handshake).await.map_err(silent)??.0)
    }
}

/// A client for HTTP. Over TLS it trusts whom this system trusts, as the socket does.
pub fn agent() -> Agent {
    let config = Agent::config_builder().timeout_global(Some(TIMEOUT));
    #[cfg(feature = "tls")]
    let config = config.tls_config({
        use ureq::tls::{Certificate, RootCerts, TlsConfig};

        let found = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> =
            found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        TlsConfig::builder().root_certs(RootCerts::Specific(roots.into())).build()
    });
    config.build().new_agent()
}

/// Exchanges a name and a password for a token. It blocks its thread.
fn sign_in(url: String, body: String) -> Result<String, Disconnect> {
    let lost = |error: ureq::Error| Disconnect(LOST, error.to_string());
    let request = agent().post(url).content_type("application/json").config();
    let request = request.http_status_as_error(false).build();
    let mut response = request.send(body).map_err(lost)?;
    let text = response.body_mut().read_to_string().map_err(lost)?;

    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    let token = answer["token"].as_str().map(str::to_owned);
    token.ok_or_else(|| Disconnect(response.status().as_u16(), text))
}

/// A name as a part of a URL.
pub fn encode(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, NON_ALPHANUMERIC)
}
