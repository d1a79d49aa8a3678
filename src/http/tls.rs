//! TLS by rustls (ring): the certificate is read again when its file changes, without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of the right kind.
    #[error("{0}: {1}")]
    File(PathBuf, String),
    /// The key cannot be used, or is not the certificate's.
    #[error("the TLS certificate and key do not work: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A certificate and its key, as they are on disk now.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    read_at: ArcSwap<[Stamp; 2]>,
}

impl Certificate {
    /// Reads both files, PEM.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn open(chain: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let stamps = stamps(chain, key);
        let certified = read(chain, key)?;
        Ok(Arc::new(Self {
            chain: chain.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(certified),
            read_at: ArcSwap::from_pointee(stamps),
        }))
    }

    /// Reads the files again if one of them has changed. A pair that does not work is left where it is: the old one serves on.
    pub fn refresh(&self) {
        let stamps = stamps(&self.chain, &self.key);
        if stamps == **self.read_at.load() {
            return;
        }
        match read(&self.chain, &self.key) {
            Ok(certified) => {
                self.current.store(Arc::new(certified));
                tracing::info!("the TLS certificate was read again");
            }
            Err(error) => tracing::error!(%error, "the TLS certificate changed and cannot be used; the old one serves on"),
        }
        self.read_at.store(Arc::new(stamps));
    }

    /// The server's side of TLS with this certificate, for HTTP/1.1 and HTTP/2.
    ///
    /// # Errors
    /// The protocol versions are not available.
    pub fn server(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// What tells two states of a file apart: its time and length. `None` where it cannot be seen. Not only a later time: a file moved
/// into place keeps its own, which may lie before the old one's.
type Stamp = Option<(SystemTime, u64)>;

#[derive(Debug)]
struct Resolver(Arc<Certificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load_full())
    }
}

fn stamps(chain: &Path, key: &Path) -> [Stamp; 2] {
    [chain, key].map(|path| std::fs::metadata(path).ok().and_then(|data| Some((data.modified().ok()?, data.len()))))
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let file = |path: &Path, error: pem::Error| {
        let why = match error {
            pem::Error::Io(error) => format!("cannot be read: {error}"),
            error => format!("holds no usable PEM: {error}"),
        };
        TlsError::File(path.to_owned(), why)
    };
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(chain).and_then(Iterator::collect).map_err(|error| file(chain, error))?;
    if certificates.is_empty() {
        return Err(TlsError::File(chain.to_owned(), "holds no certificate".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, error))?;
    Ok(CertifiedKey::from_der(certificates, private, &rustls::crypto::ring::default_provider())?)
}
