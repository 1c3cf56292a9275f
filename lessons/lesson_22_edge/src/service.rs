//! What a service manager such as systemd says to us, and what we say to it.
//!
//! On systems without its signals and sockets, there is Ctrl-C, and nobody to tell.

use std::{io, sync::Arc};

use tokio::{select, signal};
use tracing::{info, warn};

use crate::tls::Certificate;

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
        warn!(?path, %error, "the service manager was not told {state}");
    }
}

#[cfg(not(unix))]
pub fn notify(_: &str) {}

/// Reads the files of the certificate, if there is one, again at each SIGHUP.
#[cfg(unix)]
pub fn reload_on_hangup(certificate: Option<Arc<Certificate>>) {
    // Why listen without a certificate? A service manager sends SIGHUP to reload us, and that
    // must not end the program. From a terminal it means that the window was closed.
    if certificate.is_none() && std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let kind = signal::unix::SignalKind::hangup();
    // Now, and not in the task: until somebody listens, SIGHUP ends the program.
    let Ok(mut hangup) = signal::unix::signal(kind) else { return };
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match certificate.as_ref().map(|certificate| certificate.reload()) {
                None => info!("there is no certificate to read again"),
                Some(Ok(())) => info!("the certificate was read again"),
                Some(Err(problem)) => warn!(problem, "the old certificate stays"),
            }
        }
    });
}

#[cfg(not(unix))]
pub fn reload_on_hangup(_: Option<Arc<Certificate>>) {}

/// Waits for Ctrl-C, or for the SIGTERM of the service manager.
pub async fn stop_signal() {
    let signal = select! {
        signal = signal::ctrl_c() => signal,
        signal = terminate() => signal,
    };
    if let Err(error) = signal {
        warn!(%error, "there are no signals: this program can only be killed");
        std::future::pending().await
    }
}

#[cfg(unix)]
async fn terminate() -> io::Result<()> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    terminate.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminate() -> io::Result<()> {
    std::future::pending().await // Windows has no SIGTERM.
}
