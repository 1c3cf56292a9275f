//! What a service manager such as systemd says to us, and what we say to it.

use std::{env, io, os::unix::net::UnixDatagram, sync::Arc};

use tokio::{
    select,
    signal::{ctrl_c, unix},
};
use tracing::{info, warn};

use crate::tls::Certificate;

/// Says that we are ready, and waits until we are to stop. At SIGHUP it reads the files of the
/// certificate again.
pub async fn run(certificate: Option<Arc<Certificate>>) -> io::Result<()> {
    // Why listen without a certificate? A service manager sends SIGHUP to reload us, and that
    // must not end the program. From a terminal it means that the window was closed.
    let reloads = certificate.is_some() || env::var_os("NOTIFY_SOCKET").is_some();
    let mut hangup =
        reloads.then(|| unix::signal(unix::SignalKind::hangup())).transpose()?;
    let reload = || certificate.as_ref().map(|certificate| certificate.reload());
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    // Not before: until somebody listens, a signal ends the program.
    info!("ready");
    notify("READY=1");
    loop {
        select! {
            _ = terminate.recv() => break,
            result = ctrl_c() => break result?,
            Some(()) = async { hangup.as_mut()?.recv().await } => match reload() {
                None => info!("there is no certificate to read again"),
                Some(Ok(())) => info!("the certificate was read again"),
                Some(Err(problem)) => warn!(problem, "the old certificate stays"),
            },
        }
    }
    notify("STOPPING=1");
    Ok(())
}

/// Tells the service manager how we are: `READY=1`, `STOPPING=1` (sd_notify(3)).
///
/// Whoever started us has put the path of its socket into `NOTIFY_SOCKET`. If nobody has,
/// nobody wants to know.
fn notify(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    let sent = UnixDatagram::unbound()
        .and_then(|socket| socket.send_to(state.as_bytes(), &path));
    if let Err(error) = sent {
        warn!(?path, %error, "the service manager was not told {state}");
    }
}
