//! TLS in the process: a certificate, and who uses it.

use std::{
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use axum::serve::{Listener, ListenerExt};
use rcgen::{CertifiedKey as Generated, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};
use tracing::{info, warn};

/// If `TLS_ADDR` is set: a listener at this address, and a certificate for its connections.
///
/// The error is a sentence for the person who started the program.
pub async fn from_env()
-> Result<Option<(impl Listener<Addr = SocketAddr>, Arc<Certificate>)>, String> {
    let Ok(address) = env::var("TLS_ADDR") else { return Ok(None) };
    let certificate = Certificate::from_env()?;
    let failed = |error| format!("TLS_ADDR is {address:?}, and cannot be had: {error}.");
    let listener = TcpListener::bind(&address).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    info!("TLS on port {port}: open https://localhost:{port}");

    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true); // Without it the connection is slower.
    });
    Ok(Some((listener, certificate)))
}

/// Our certificate with its key. It can be replaced while the server runs.
#[derive(Debug)]
pub struct Certificate {
    /// Where certificate and key are, as PEM. `None` if we have made them.
    files: Option<[PathBuf; 2]>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files that `TLS_CERT` and `TLS_KEY` name. Without them, it makes a
    /// certificate for this machine, and writes it beside the program, for clients that
    /// shall trust it.
    pub fn from_env() -> Result<Arc<Self>, String> {
        let file = |name| env::var_os(name).map(PathBuf::from);
        match (file("TLS_CERT"), file("TLS_KEY")) {
            (Some(cert), Some(key)) => Self::from_files([cert, key]),
            (None, None) => Self::made(),
            _ => Err("TLS_CERT and TLS_KEY belong together: set both, or none.".into()),
        }
    }

    pub fn from_files(files: [PathBuf; 2]) -> Result<Arc<Self>, String> {
        let current = RwLock::new(read(&files)?);
        Ok(Arc::new(Self { files: Some(files), current }))
    }

    fn made() -> Result<Arc<Self>, String> {
        let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
        let Generated { cert, signing_key } = generate_simple_self_signed(names)
            .map_err(|error| format!("No certificate could be made: {error}."))?;
        // The key stays in memory. The certificate is no secret.
        let path = env::current_exe().unwrap_or_default().with_file_name("localhost.pem");
        match fs::write(&path, cert.pem()) {
            Ok(()) => info!("made a certificate for localhost: {}", path.display()),
            Err(error) => warn!(%error, "the certificate is not in {}", path.display()),
        }
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let current = RwLock::new(pair(vec![cert.der().clone()], key)?);
        Ok(Arc::new(Self { files: None, current }))
    }

    /// Reads the files again. New connections get the new certificate, and those that are
    /// open go on. If the files cannot be used, the old certificate stays.
    pub fn reload(&self) -> Result<(), String> {
        let files = self.files.as_ref().ok_or("It was made at the start, in memory.")?;
        let new = read(files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Makes TLS of connections, with this certificate.
    pub fn acceptor(self: Arc<Self>) -> TlsAcceptor {
        // The provider is the cryptography. Named here, it cannot be another one because some
        // other crate has compiled one in, too.
        let mut config = ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring has TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(self);
        // What we speak inside (ALPN). A browser that knows it need not try HTTP/2.
        config.alpn_protocols = vec![b"http/1.1".into()];
        Arc::new(config).into()
    }
}

/// rustls asks for the certificate in each handshake.
impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read([cert, key]: &[PathBuf; 2]) -> Result<Arc<CertifiedKey>, String> {
    let problem = |path: &PathBuf, error| format!("{}: {error}.", path.display());
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| problem(cert, error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| problem(key, error))?;
    pair(chain, key)
}

/// Fails if the key is not that of the certificate.
fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, String> {
    CertifiedKey::from_der(chain, key, &default_provider())
        .map(Arc::new)
        .map_err(|error| format!("The certificate and its key cannot be used: {error}."))
}
