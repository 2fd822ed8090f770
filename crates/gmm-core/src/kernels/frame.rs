//! Cells to the coordinates of a frame, and the test that they are finite.

use pulp::{Arch, Simd, WithSimd};

/// `lane[i] = (lane[i] - offset) units[0] units[1]`; tells whether all cells were finite.
///
/// The unit comes as two factors, since 2^-e itself may lie outside of the range of f64.
pub(crate) fn to_frame(lane: &mut [f64], offset: f64, units: [f64; 2]) -> bool {
    Arch::new().dispatch(ToFrame {
        lane,
        offset,
        units,
    })
}

struct ToFrame<'a> {
    lane: &'a mut [f64],
    offset: f64,
    units: [f64; 2],
}

impl WithSimd for ToFrame<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> bool {
        let [first, second] = self.units;
        let mut is_finite = true;
        for v in self.lane {
            // A NaN fails every comparison.
            is_finite &= v.abs() <= f64::MAX;
            *v = (*v - self.offset) * first * second;
        }
        is_finite
    }
}
