//! What we say to a service manager such as systemd.

/// Tells the service manager how we are: `READY=1`, `STOPPING=1` (sd_notify(3)).
///
/// Whoever started us has put the path of its socket into `NOTIFY_SOCKET`. If nobody has,
/// nobody wants to know.
#[cfg(unix)]
pub fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = std::os::unix::net::UnixDatagram::unbound()
        .and_then(|socket| socket.send_to(state.as_bytes(), &path));
    if let Err(error) = sent {
        tracing::warn!(?path, %error, "the service manager was not told {state}");
    }
}

#[cfg(not(unix))]
pub fn notify(_: &str) {}
