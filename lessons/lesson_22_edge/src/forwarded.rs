//! What a reverse proxy says about its client: `X-Forwarded-For`, `-Proto` and `-Host`.
//!
//! Anybody can send these headers. So they count only in requests that come from the address
//! of a proxy of ours, and in all others they are removed.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue,
        header::{HOST, SET_COOKIE},
        uri::Scheme,
    },
    middleware::Next,
    response::Response,
};

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";

/// The addresses of our proxies. All clones share one list.
#[derive(Clone, Default)]
pub struct TrustedProxies(Arc<[IpAddr]>);

impl TrustedProxies {
    /// Reads what is in `TRUSTED_PROXIES`: addresses with commas between them. The error is a
    /// sentence for the person who started the program.
    pub fn parse(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let addresses = entries.map(|entry| {
            entry.parse().map_err(|_| {
                format!("TRUSTED_PROXIES has {entry:?}, but should have IP addresses.")
            })
        });
        Ok(Self(addresses.collect::<Result<_, _>>()?))
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|proxy| proxy.to_canonical() == address.to_canonical())
    }

    /// Who has sent this request to the first of our proxies.
    ///
    /// Each proxy adds, at the right, the address from which it has the request. So we read
    /// from the right, and stop at the first address that is no proxy of ours: whatever
    /// stands left of it, that client may have written itself.
    fn client(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        // Some proxies add to the last line, others add a line. What the client has written
        // in a line need not be text, so the line is cut first, and read afterwards.
        let lines = headers.get_all(FOR).iter().rev();
        let entries = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
        let addresses =
            entries.map_while(|entry| String::from_utf8_lossy(entry).trim().parse().ok());

        let mut client = proxy;
        for address in addresses {
            client = address;
            if !self.contains(client) {
                break;
            }
        }
        client
    }
}

/// Lets the application see the request as the client has sent it to our proxy: with the
/// client's address, and with the scheme and the host that the client knows.
pub async fn forwarded(
    State(proxies): State<TrustedProxies>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    if proxies.contains(peer.ip()) {
        let client = proxies.client(peer.ip(), request.headers());
        let client = SocketAddr::new(client, 0); // Nobody tells us its port.
        request.extensions_mut().insert(ConnectInfo(client));

        // The last one is from the proxy that is next to us.
        let last = |name| request.headers().get_all(name).iter().next_back().cloned();
        let (proto, host) = (last(PROTO), last(FORWARDED_HOST));
        if let Some(proto) = proto {
            // A scheme in capitals is the same (RFC 3986, section 3.1).
            let is =
                |scheme: &str| proto.as_bytes().eq_ignore_ascii_case(scheme.as_bytes());
            let is_https = is("https") || is("wss"); // Traefik says wss.
            let scheme = if is_https { Scheme::HTTPS } else { Scheme::HTTP };
            request.extensions_mut().insert(scheme);
        }
        if let Some(host) = host {
            request.headers_mut().insert(HOST, host);
        }
    }
    for name in [FOR, PROTO, FORWARDED_HOST, "forwarded", "x-real-ip"] {
        request.headers_mut().remove(name);
    }
    next.run(request).await
}

/// Over HTTPS, cookies are for HTTPS only: the browser never sends them in the clear.
pub async fn secure_cookies(request: Request, next: Next) -> Response {
    let is_https = request.extensions().get() == Some(&Scheme::HTTPS);
    let mut response = next.run(request).await;

    for (name, value) in response.headers_mut() {
        let secure = [value.as_bytes(), b"; Secure"].concat();
        if is_https && name == SET_COOKIE {
            *value = HeaderValue::try_from(secure).expect("only some letters more");
        }
    }
    response
}
