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
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        const V: usize = 4;
        let (values, rest) = S::as_mut_simd_f64s(self.lane);
        let splat = |value| simd.splat_f64s(value);
        let (zero, offset) = (splat(0.0), splat(self.offset));
        let [first, second] = self.units.map(splat);
        // 0 times a number is 0, times anything else NaN.
        let mut zeros = [zero; V];
        let mut chunks = values.chunks_exact_mut(V);
        for values in &mut chunks {
            for v in 0..V {
                zeros[v] = simd.mul_add_f64s(values[v], zero, zeros[v]);
                let less = simd.sub_f64s(values[v], offset);
                values[v] = simd.mul_f64s(simd.mul_f64s(less, first), second);
            }
        }
        for value in chunks.into_remainder() {
            zeros[0] = simd.mul_add_f64s(*value, zero, zeros[0]);
            let less = simd.sub_f64s(*value, offset);
            *value = simd.mul_f64s(simd.mul_f64s(less, first), second);
        }
        let [a, b, c, d] = zeros;
        let zeros = simd.add_f64s(simd.add_f64s(a, b), simd.add_f64s(c, d));
        let mut is_finite = simd.reduce_sum_f64s(zeros).abs() <= 0.0;
        for v in rest {
            // A NaN fails every comparison.
            is_finite &= v.abs() <= f64::MAX;
            *v = (*v - self.offset) * self.units[0] * self.units[1];
        }
        is_finite
    }
}
