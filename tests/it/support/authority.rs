//! A certificate authority of the test's own, and the certificate for 127.0.0.1 that it signed last.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use tempfile::TempDir;

use super::callbox::{Options, Tls};
use super::{Callbox, Database};

/// The authority; its files are gone when it is dropped.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub struct Issued {
    /// The certificate as it goes over the wire.
    pub der: Vec<u8>,
    /// The same, in PEM.
    pub certificate: String,
    /// Its private key, in PEM.
    pub key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy)]
pub enum Validity {
    /// Today.
    Now,
    /// No longer.
    Over,
    /// Only later.
    NotYet,
}

/// A certificate for `name` that nobody but itself has signed.
pub fn self_signed(name: &str) -> Issued {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    Issued { der: certificate.der().to_vec(), certificate: certificate.pem(), key: key.serialize_pem() }
}

impl Authority {
    /// A new authority, with a certificate on disk.
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("callbox-tls-").unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "Callbox test authority");
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("authority.pem"), certificate.pem()).unwrap();
        let authority = Self { folder, issuer: Issuer::new(params, key) };
        authority.install(&authority.issue());
        authority
    }

    /// A new certificate for 127.0.0.1 and localhost.
    pub fn issue(&self) -> Issued {
        self.issue_for(&["127.0.0.1", "localhost"], Validity::Now)
    }

    /// A new certificate for these names.
    pub fn issue_for(&self, names: &[&str], validity: Validity) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        let (from, until) = match validity {
            Validity::Now => (2020, 4000),
            Validity::Over => (2020, 2021),
            Validity::NotYet => (3999, 4000),
        };
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { der: certificate.der().to_vec(), certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Puts a certificate where the service reads it.
    pub fn install(&self, issued: &Issued) {
        std::fs::write(self.file("certificate.pem"), &issued.certificate).unwrap();
        std::fs::write(self.file("key.pem"), &issued.key).unwrap();
    }

    /// `certificate.pem`, `key.pem` or `authority.pem`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a client must trust.
    pub fn certificate(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// A service that speaks TLS with what is installed.
    pub async fn start(&self, database: &Database) -> Callbox {
        let tls =
            Tls { certificate: self.file("certificate.pem"), key: self.file("key.pem"), authority: self.file("authority.pem") };
        Callbox::start_with(database, Options { tls: Some(tls), ..Options::default() }).await
    }
}
