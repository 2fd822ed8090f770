//! The numbers of an npy array, from bytes to `f64`.

/// Beyond this, not every integer is an `f64`.
const MAX_EXACT: i128 = 1 << 53;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element {
    F64,
    F32,
    Bool,
    Signed { len: usize },
    Unsigned { len: usize },
}

impl Element {
    pub(super) fn len(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::Bool => 1,
            Self::Signed { len } | Self::Unsigned { len } => len,
        }
    }

    /// The number that these bits stand for, or the integer that no `f64` holds.
    pub(super) fn value(self, bits: u64) -> Result<f64, i128> {
        let integer = match self {
            Self::F64 => return Ok(f64::from_bits(bits)),
            Self::F32 => return Ok(f64::from(f32::from_bits(bits as u32))),
            Self::Bool => i128::from(bits != 0),
            Self::Unsigned { .. } => i128::from(bits),
            Self::Signed { len } => {
                // Shifted up and back down, the sign bit fills the upper bytes.
                let unused = 64 - 8 * len as u32;
                i128::from((bits << unused) as i64 >> unused)
            }
        };
        if integer.abs() > MAX_EXACT {
            return Err(integer);
        }
        Ok(integer as f64)
    }
}
