//! TLS: who gets which certificate.

use std::{
    env, fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use probe::{Check, serve_by};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, ServerName},
    },
};

use super::{SECOND, limits, people::auth};
use crate::{accept::serve, forwarded::TrustedProxies, tls::Certificate};

/// A folder of a test with a certificate and its key.
struct Files(PathBuf);

impl Files {
    fn new() -> io::Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            env::temp_dir().join(format!("edge_{}_{number}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    fn paths(&self) -> [PathBuf; 2] {
        ["cert.pem", "key.pem"].map(|name| self.0.join(name))
    }

    /// Writes a certificate for localhost, and returns it.
    fn write(&self) -> io::Result<CertificateDer<'static>> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".into()])
                .map_err(io::Error::other)?;
        let [cert_path, key_path] = self.paths();
        fs::write(cert_path, cert.pem())?;
        fs::write(key_path, signing_key.serialize_pem())?;
        Ok(cert.der().clone())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // Only a temporary folder.
    }
}

/// A client that trusts this certificate and no other, and its TLS handshake.
async fn connect(
    trusted: &CertificateDer<'static>,
    connection: DuplexStream,
) -> io::Result<TlsStream<DuplexStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, connection).await
}

/// Both ends of a connection: a client that trusts this certificate, and an echo.
async fn talk(
    acceptor: &TlsAcceptor,
    trusted: &CertificateDer<'static>,
) -> io::Result<TlsStream<DuplexStream>> {
    let (near, far) = duplex(16 * 1024);
    let accept = acceptor.accept(far);
    tokio::spawn(async move {
        let Ok(server) = accept.await else { return };
        let (mut reader, mut writer) = tokio::io::split(server);
        let _ = tokio::io::copy(&mut reader, &mut writer).await; // Until the client ends.
    });
    connect(trusted, near).await
}

async fn echoes(client: &mut TlsStream<DuplexStream>) -> io::Result<()> {
    client.write_all(b"still here?").await?;
    let mut answer = [0; 11];
    client.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"still here?", "the connection works");
    Ok(())
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_the_old_ones_go_on()
-> io::Result<()> {
    let files = Files::new()?;
    let old = files.write()?;
    let certificate = Certificate::from_files(files.paths()).map_err(io::Error::other)?;
    let acceptor = certificate.clone().acceptor();
    let mut ana = talk(&acceptor, &old).await?;

    let new = files.write()?;
    certificate.reload().map_err(io::Error::other)?;

    echoes(&mut ana).await?;
    echoes(&mut talk(&acceptor, &new).await?).await?;
    let error =
        talk(&acceptor, &old).await.map(drop).err().map(|error| error.to_string());
    assert!(
        error.as_deref().unwrap_or_default().contains("invalid peer certificate"),
        "whoever trusts the old one alone does not trust the new one: {error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_used_leaves_the_old_certificate() -> io::Result<()> {
    let files = Files::new()?;
    let old = files.write()?;
    let certificate = Certificate::from_files(files.paths()).map_err(io::Error::other)?;
    let acceptor = certificate.clone().acceptor();

    let [cert, key] = files.paths();
    let other = fs::read(&key)?;
    files.write()?;
    fs::write(&key, other)?;
    let problem = certificate.reload();
    assert!(problem.is_err(), "the key is that of another certificate: {problem:?}");
    fs::write(&cert, "no certificate")?;
    assert!(certificate.reload().is_err(), "there is none");

    echoes(&mut talk(&acceptor, &old).await?).await
}

#[tokio::test(start_paused = true)]
async fn whoever_never_finishes_the_tls_handshake_is_disconnected() -> Check {
    let files = Files::new().expect("a folder");
    files.write().expect("a certificate");
    let acceptor =
        Certificate::from_files(files.paths()).expect("a certificate").acceptor();
    let server = serve_by(async move |listener| {
        let app = crate::app(auth(), TrustedProxies::default());
        serve(listener, Some(acceptor), app, limits()).await;
    });

    let silent = server.opens_a_connection("").await?;
    let plain = server.opens_a_connection("GET / HTTP/1.1\r\n\r\n").await?;

    let open = plain.is_closed().await?;
    assert!(open < SECOND, "this is no TLS: {open:?}");
    let open = silent.is_closed().await?;
    assert!(open >= 5 * SECOND && open < 6 * SECOND, "HEADER_TIMEOUT is 5 s: {open:?}");
    Ok(())
}
