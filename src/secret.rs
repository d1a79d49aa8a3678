//! Values that must not be seen: secrets in memory, hashes of bearer credentials, and sealing for the database.
//!
//! A [`Secret`] prints nothing, wherever it is printed. Sealing is XChaCha20-Poly1305 with a random 24-byte nonce and the cell's
//! place (table, row, column) as associated data, so that a cell copied to another row does not open.

pub mod reference;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret text. `Debug` and `Display` print `[secret]`; the memory is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// The SHA-256 of a bearer credential: what the database and the look-up tables hold instead of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CredentialHash(pub [u8; 32]);

impl CredentialHash {
    /// Hashes a credential as presented. The credentials have 128 bits of entropy or more, so no slow hash is needed.
    pub fn of(credential: &str) -> Self {
        Self(Sha256::digest(credential.as_bytes()).into())
    }

    /// 64 hex digits, the stored form.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// From the stored form.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Equal, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The place of a sealed cell: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// The table.
    pub table: &'a str,
    /// The row's id.
    pub row: &'a str,
    /// The column.
    pub column: &'a str,
}

/// Why a cell does not open or close.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// The key is not 32 bytes in base64 or hex.
    #[error("the master key must be 32 bytes, as base64 or as 64 hex digits")]
    BadKey,
    /// Wrong key, wrong place or a damaged cell; which of them cannot be told.
    #[error("a sealed value does not open (another master key, or a damaged or moved cell)")]
    DoesNotOpen,
    /// The system's random source failed.
    #[error("the system's random source failed")]
    NoRandom,
}

/// Seals and opens cells with the master key.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl Sealer {
    /// From the text of a master key: 32 bytes as base64 (either alphabet) or as 64 hex digits.
    ///
    /// # Errors
    /// [`SealError::BadKey`].
    pub fn from_text(text: &Secret) -> Result<Self, SealError> {
        let text = text.expose().trim();
        let mut bytes = hex::decode(text)
            .or_else(|_| STANDARD.decode(text))
            .or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')))
            .map_err(|_| SealError::BadKey)?;
        let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| SealError::BadKey);
        bytes.zeroize();
        Ok(Self { cipher: cipher? })
    }

    /// A new master key as base64 text.
    ///
    /// # Errors
    /// [`SealError::NoRandom`].
    pub fn generate_text() -> Result<Secret, SealError> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|_| SealError::NoRandom)?;
        let text = Secret::new(STANDARD.encode(bytes));
        bytes.zeroize();
        Ok(text)
    }

    /// Seals `plain` for `cell`: base64 of nonce and ciphertext.
    ///
    /// # Errors
    /// [`SealError::NoRandom`].
    pub fn seal(&self, cell: Cell<'_>, plain: &str) -> Result<String, SealError> {
        let mut nonce = [0u8; 24];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandom)?;
        let payload = Payload { msg: plain.as_bytes(), aad: &associated(cell) };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::DoesNotOpen)?;
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        Ok(STANDARD.encode(bytes))
    }

    /// Opens what [`Sealer::seal`] made for the same `cell`.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`].
    pub fn open(&self, cell: Cell<'_>, sealed: &str) -> Result<Secret, SealError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| SealError::DoesNotOpen)?;
        let (nonce, sealed) = bytes.split_first_chunk::<24>().ok_or(SealError::DoesNotOpen)?;
        let payload = Payload { msg: sealed, aad: &associated(cell) };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::DoesNotOpen)?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| SealError::DoesNotOpen)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

/// Table, row and column, each with its length before it, so that no two places share a text.
fn associated(cell: Cell<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [cell.table, cell.row, cell.column] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(row: &str) -> Cell<'_> {
        Cell { table: "credentials", row, column: "sealed" }
    }

    #[test]
    fn a_cell_opens_only_in_its_place_and_with_its_key() {
        let sealer = Sealer::from_text(&Sealer::generate_text().unwrap()).unwrap();
        let sealed = sealer.seal(cell("a"), "hush").unwrap();
        assert!(!sealed.contains("hush"));
        assert_eq!(sealer.open(cell("a"), &sealed).unwrap().expose(), "hush");
        assert_eq!(sealer.open(cell("b"), &sealed).unwrap_err(), SealError::DoesNotOpen);
        let other = Sealer::from_text(&Sealer::generate_text().unwrap()).unwrap();
        assert_eq!(other.open(cell("a"), &sealed).unwrap_err(), SealError::DoesNotOpen);
        assert_eq!(sealer.open(cell("a"), "junk").unwrap_err(), SealError::DoesNotOpen);
    }

    #[test]
    fn a_master_key_has_32_bytes() {
        assert!(Sealer::from_text(&Secret::new("00".repeat(32))).is_ok());
        for bad in ["", "abc", "00"] {
            assert_eq!(Sealer::from_text(&Secret::new(bad)).unwrap_err(), SealError::BadKey);
        }
    }

    #[test]
    fn a_secret_prints_nothing() {
        let secret = Secret::new("hush");
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
    }
}
