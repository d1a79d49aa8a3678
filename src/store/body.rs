//! Bodies of the ledger, packed where that saves enough: the alerts of a group resemble each other, and what is not written need not be
//! moved to the database later, nor be kept. LZ4, which costs less than the writing that it saves.

use bytes::Bytes;
use lz4_flex::block;

use super::{Result, StoreError};

/// The block format of LZ4, the length before it (4 bytes, the least significant first).
const LZ4: &str = "lz4";
/// Bytes below which a body is kept as it is: little in it repeats.
const LEAST: usize = 2 << 10;
/// Bytes above which it is: packing takes as much memory again.
const MOST: usize = 1 << 20;

/// A body as its row holds it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is written.
    pub bytes: Bytes,
    /// How it is packed; `None`: it is the body itself.
    pub encoding: Option<&'static str>,
}

impl Kept {
    /// A body, packed if a quarter of it or more is saved by that.
    pub fn packed(body: Bytes) -> Self {
        if (LEAST..=MOST).contains(&body.len()) {
            let packed = block::compress_prepend_size(&body);
            if packed.len() <= body.len() / 4 * 3 {
                return Self { bytes: packed.into(), encoding: Some(LZ4) };
            }
        }
        Self { bytes: body, encoding: None }
    }
}

impl<T: Into<Bytes>> From<T> for Kept {
    /// A body as it is.
    fn from(body: T) -> Self {
        Self { bytes: body.into(), encoding: None }
    }
}

/// The body that a row holds.
///
/// # Errors
/// It is packed in a way that is unknown here, or is not whole.
pub fn unpacked(bytes: Vec<u8>, encoding: Option<&str>) -> Result<Vec<u8>> {
    match encoding {
        None => Ok(bytes),
        // Never longer than what is ever packed, whatever the row says.
        Some(LZ4) if length(&bytes).is_some_and(|length| length <= MOST) => block::decompress_size_prepended(&bytes)
            .map_err(|error| StoreError::Data(format!("a body in the ledger is damaged: {error}"))),
        Some(LZ4) => Err(StoreError::Data("a body in the ledger is damaged: its length".to_owned())),
        Some(other) => {
            Err(StoreError::Data(format!("a body in the ledger is packed as {other:?}, which this version does not know")))
        }
    }
}

fn length(packed: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*packed.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &[u8]) -> (usize, Option<&'static str>) {
        let kept = Kept::packed(Bytes::copy_from_slice(body));
        assert_eq!(unpacked(kept.bytes.to_vec(), kept.encoding).unwrap(), body);
        (kept.bytes.len(), kept.encoding)
    }

    #[test]
    fn what_repeats_is_packed_and_comes_back_whole() {
        let group = r#"{"labels":{"alertname":"HighCPU"},"status":"firing"},"#.repeat(100);
        let (length, encoding) = kept(group.as_bytes());
        assert_eq!(encoding, Some(LZ4));
        assert!(length < group.len() / 10, "{length} of {}", group.len());
    }

    #[test]
    fn what_packing_would_not_save_is_kept_as_it_is() {
        let mut noise = vec![0u8; 4_096];
        getrandom::fill(&mut noise).unwrap();
        for body in [&b""[..], b"{}", &vec![b' '; LEAST - 1], &noise, &vec![b' '; MOST + 1]] {
            assert_eq!(kept(body), (body.len(), None));
        }
        assert_eq!(kept(&vec![b' '; LEAST]).1, Some(LZ4));
        assert_eq!(kept(&vec![b' '; MOST]).1, Some(LZ4));
    }

    #[test]
    fn a_damaged_body_is_an_error() {
        let Kept { bytes, encoding } = Kept::packed(vec![b'a'; 5_000].into());
        let huge = [&u32::MAX.to_le_bytes(), &bytes[4..]].concat();
        for damaged in [&bytes[..bytes.len() - 1], &bytes[..3], &[], &huge] {
            assert!(matches!(unpacked(damaged.to_vec(), encoding), Err(StoreError::Data(_))), "{damaged:?}");
        }
        assert!(matches!(unpacked(bytes.to_vec(), Some("zstd")), Err(StoreError::Data(_))));
    }
}
