//! RSA signatures by the key of a certificate (X.509, PEM).
//!
//! The certificate is believed because of where it came from, over TLS; what is checked here is that it is one, is valid now, and that
//! its key made the signature.

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use webpki::EndEntityCert;

use super::Unproven;
use crate::time::Timestamp;

/// The hash that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// SHA-1, of version 1; found by collision, never yet by a second preimage, which a forger of messages would need.
    Sha1,
    /// SHA-256, of version 2.
    Sha256,
}

/// RSA by PKCS #1 v1.5, with keys from 2048 bits; of elliptic curves there are none here.
#[derive(Debug)]
struct Rsa(Hash);

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let parameters: &'static RsaParameters = match self.0 {
            Hash::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(parameters, public_key).verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PKCS1_SHA256
    }
}

/// Whether the key of the first certificate in `pem` made `signature` over `signed`.
///
/// # Errors
/// [`Unproven::Certificate`] for what is no certificate that is valid at `now`, and [`Unproven::Mismatch`].
pub(super) fn verify(pem: &[u8], hash: Hash, signed: &[u8], signature: &[u8], now: Timestamp) -> Result<(), Unproven> {
    let der = CertificateDer::from_pem_slice(pem).map_err(|_| Unproven::Certificate)?;
    let (from, until) = validity(&der).ok_or(Unproven::Certificate)?;
    if now < from || now > until {
        return Err(Unproven::CertificateExpired);
    }
    let certificate = EndEntityCert::try_from(&der).map_err(|_| Unproven::Certificate)?;
    certificate.verify_signature(&Rsa(hash), signed, signature).map_err(|_| Unproven::Mismatch)
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// From when until when a certificate is valid (RFC 5280, 4.1).
fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, certificate, _) = element(der)?;
    let (_, mut fields, _) = element(certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Its number, its algorithm, its issuer.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (SEQUENCE, validity, _) = element(fields)? else { return None };
    let (tag, from, rest) = element(validity)?;
    let from = time(tag, from)?;
    let (tag, until, _) = element(rest)?;
    Some((from, time(tag, until)?))
}

/// The first element of `der`: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ`, of which 50 to 99 are the last century's, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            (if year >= "50" { format!("19{year}") } else { format!("20{year}") }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2);
    let moment = format!("{year}-{}-{}T{}:{}:{}Z", part(0)?, part(2)?, part(4)?, part(6)?, part(8)?);
    Timestamp::parse(&moment).map(|parsed| parsed.at)
}
