//! The 32 bytes in front of a binary model: what follows, how long it is, and whether it is whole.
//!
//! Each field is checked before the next is believed, in the order in which they could mislead.

use super::error::ModelError;

/// How every binary model starts. The first byte is no text, and the line ends are changed by a transfer as text.
pub(crate) const MAGIC: [u8; 8] = *b"\x89GMM\r\n\x1a\n";

/// The newest version of the format that is read. Each model is written in the oldest version that can hold it.
pub(crate) const VERSION: u16 = 2;

/// The oldest version.
pub(crate) const OLDEST: u16 = 1;

/// The file holds a mixture.
const KIND_MIXTURE: u16 = 1;

/// The payload is encoded by the rules of bincode 2 in its standard configuration.
const CODEC_BINCODE: u16 = 1;

/// The length of a header.
pub(super) const LEN: usize = 32;

/// No model is larger: 2^34 bytes are a thousand components of a thousand features and more.
pub(super) const MAX_PAYLOAD_LEN: u64 = 1 << 34;

/// Puts a header of a version in front of its payload.
pub(super) fn wrap(version: u16, payload: &[u8]) -> Result<Vec<u8>, ModelError> {
    let payload_len = payload.len() as u64;
    check_payload_len(payload_len)?;
    let mut file = Vec::with_capacity(LEN + payload.len());
    file.extend(MAGIC);
    file.extend(version.to_le_bytes());
    file.extend(KIND_MIXTURE.to_le_bytes());
    file.extend(CODEC_BINCODE.to_le_bytes());
    file.extend(0_u16.to_le_bytes());
    file.extend(payload_len.to_le_bytes());
    file.extend(crc32fast::hash(payload).to_le_bytes());
    file.extend(crc32fast::hash(&file).to_le_bytes());
    file.extend(payload);
    Ok(file)
}

/// The version and the payload of a file, once header, length and checksums were found in order.
pub(super) fn unwrap(file: &[u8]) -> Result<(u16, &[u8]), ModelError> {
    let header = Header::read(file)?;
    let expected = header.file_len();
    let found = file.len() as u64;
    if found < expected {
        return Err(ModelError::Truncated { expected, found });
    }
    if found > expected {
        return Err(ModelError::TrailingBytes { expected });
    }
    let payload = &file[LEN..];
    check_sum("payload", payload, header.payload_crc)?;
    Ok((header.version, payload))
}

/// What a header says.
pub(super) struct Header {
    version: u16,
    payload_len: u64,
    payload_crc: u32,
}

impl Header {
    /// Reads the header at the start of a file.
    pub(super) fn read(file: &[u8]) -> Result<Self, ModelError> {
        let known = MAGIC.len().min(file.len());
        if known == 0 || file[..known] != MAGIC[..known] {
            return Err(ModelError::NotAModel);
        }
        let truncated = || ModelError::Truncated {
            expected: LEN as u64,
            found: file.len() as u64,
        };
        // The magic and the version keep their place in all versions to come; the rest may not, so a newer version is
        // told before anything else is looked at.
        let version = u16::from_le_bytes(field(file, 8).ok_or_else(truncated)?);
        if version > VERSION {
            return Err(ModelError::NewerVersion {
                found: version.into(),
                supported: VERSION.into(),
            });
        }
        let crc = u32::from_le_bytes(field(file, 28).ok_or_else(truncated)?);
        check_sum("header", &file[..28], crc)?;
        for (name, at, expected) in [
            ("format version", 8, version.max(OLDEST)),
            ("kind", 10, KIND_MIXTURE),
            ("codec", 12, CODEC_BINCODE),
            ("reserved field", 14, 0),
        ] {
            let found = u16::from_le_bytes(field(file, at).ok_or_else(truncated)?);
            if found != expected {
                return Err(ModelError::HeaderField {
                    field: name,
                    found: found.into(),
                    expected: expected.into(),
                });
            }
        }
        let payload_len = u64::from_le_bytes(field(file, 16).ok_or_else(truncated)?);
        check_payload_len(payload_len)?;
        Ok(Self {
            version,
            payload_len,
            payload_crc: u32::from_le_bytes(field(file, 24).ok_or_else(truncated)?),
        })
    }

    /// The length of the whole file.
    pub(super) fn file_len(&self) -> u64 {
        LEN as u64 + self.payload_len
    }
}

fn check_payload_len(n_bytes: u64) -> Result<(), ModelError> {
    if n_bytes > MAX_PAYLOAD_LEN {
        return Err(ModelError::TooLarge {
            n_bytes,
            limit: MAX_PAYLOAD_LEN,
        });
    }
    Ok(())
}

fn check_sum(part: &'static str, bytes: &[u8], expected: u32) -> Result<(), ModelError> {
    let found = crc32fast::hash(bytes);
    if found != expected {
        return Err(ModelError::Checksum {
            part,
            found,
            expected,
        });
    }
    Ok(())
}

/// The `N` bytes at an offset, if the file has them.
fn field<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..)?.first_chunk().copied()
}
