//! How the browsers of other computers come here: the addresses, and their QR codes.

use std::net::{IpAddr, SocketAddr};

use qrcode::{QrCode, render::svg, types::QrError};

/// Networks between programs of this computer, by the first letters of their interfaces.
const VIRTUAL: [&str; 6] = ["docker", "br-", "veth", "virbr", "vbox", "vmnet"];

/// The URLs at which browsers find what listens here, the most likely one first. Where it
/// listens on every address, these are the ones that other computers can use.
///
/// They are looked up each time: the computer may have changed its network.
pub fn urls(listener: SocketAddr) -> Vec<String> {
    let ips = match listener.ip() {
        ip if ip.is_unspecified() => network_addresses(),
        ip => vec![ip],
    };
    ips.into_iter()
        .map(|ip| format!("http://{}", SocketAddr::new(ip, listener.port())))
        .collect()
}

/// A picture, as SVG, that opens this URL on a phone which looks at it.
///
/// # Errors
///
/// If the URL is too long for a QR code, which takes some 2,900 bytes.
pub fn qr_code(url: &str) -> Result<String, QrError> {
    let code = QrCode::new(url)?;
    Ok(code.render::<svg::Color>().build())
}

/// The addresses under which other computers of the network reach this one, as far as it
/// knows, the most likely one first.
///
/// Those of IPv6 are there only if there are no others, because nobody likes to type them.
fn network_addresses() -> Vec<IpAddr> {
    let mut interfaces = if_addrs::get_if_addrs().unwrap_or_default(); // Or it will not tell.
    interfaces.retain(|interface| !interface.is_loopback() && !interface.is_link_local());
    if interfaces.iter().any(|interface| interface.ip().is_ipv4()) {
        interfaces.retain(|interface| interface.ip().is_ipv4());
    }
    let is_virtual = |name: &str| VIRTUAL.iter().any(|begin| name.starts_with(begin));
    interfaces.sort_by_key(|interface| is_virtual(&interface.name));
    interfaces.iter().map(|interface| interface.ip()).collect()
}
