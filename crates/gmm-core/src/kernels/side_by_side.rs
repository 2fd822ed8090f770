//! Weighted sums of several components about one place: what the numbers alone give, zᵢ zⱼ, is taken once for all of them.

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};

use super::differences::{Differences as _, Lanes};
use super::real::{MOST_LANES, Real};
use super::scatter::packed_len;
use super::stored::{Centred, padded};
use crate::block::BLOCK_ROWS;

/// Numbers of which the sums of all components are in the registers together. A responsibility is read once for all three.
const NUMBERS: usize = 3;
/// So many components have their sums in 32 registers,
pub(crate) const MANY: usize = 8;
/// and so many in 16.
pub(crate) const FEW: usize = 4;
/// Room for the sums of all numbers of so many components, in whole vectors.
const MOST_SUMS: usize = 2 * MOST_LANES;

/// How many of `n_left` components are best summed side by side in a precision; 0 where each is better taken alone.
pub(crate) fn n_side_by_side<T: Real>(
    n_left: usize,
    n_features: usize,
    is_diagonal: bool,
) -> usize {
    Arch::new().dispatch(SideBySide {
        n_left,
        n_features,
        is_diagonal,
        precision: PhantomData::<T>,
    })
}

struct SideBySide<T> {
    n_left: usize,
    n_features: usize,
    is_diagonal: bool,
    precision: PhantomData<T>,
}

impl<T: Real> WithSimd for SideBySide<T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> usize {
        let has_32_registers = S::F64_LANES == 8;
        // In 32 registers the products of a component alone share more than those of four, be it in tiles or, from some 33 features on, in panels.
        // In single precision the low parts of differences would cost more than that.
        let are_cheaper_alone = has_32_registers
            && !self.is_diagonal
            && T::lanes::<S>() == S::F64_LANES
            && matches!(self.n_features, 7..=16 | 33..);
        match self.n_left {
            MANY.. if has_32_registers => MANY,
            FEW.. if !are_cheaper_alone => FEW,
            _ => 0,
        }
    }
}

/// Of each of G components, four or eight: n = Σᵢ rᵢ, Σᵢ rᵢ zᵢⱼ feature by feature, and the packed lower triangle of Σᵢ rᵢ zᵢ zᵢ' or
/// its diagonal.
#[doc(hidden)]
pub struct SumsSideBySide<'a, T> {
    /// x - place.
    pub z: Centred<'a, T>,
    /// Responsibilities, [`BLOCK_ROWS`] for each component of the mixture.
    pub joint: &'a [T],
    /// Where those of the G components stand among them.
    pub components: &'a [usize],
    pub is_diagonal: bool,
    /// The sums, one after the other, each those of G components.
    pub sums: &'a mut [f64],
}

impl<T: Real> WithSimd for SumsSideBySide<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.components.len() {
            MANY => self.run::<S, MANY>(simd),
            FEW => self.run::<S, FEW>(simd),
            n => panic!("{n} components are not summed side by side"),
        }
    }
}

impl<T: Real> SumsSideBySide<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const G: usize>(self, simd: S) {
        let r: [_; G] = std::array::from_fn(|k| {
            let first = self.components[k] * BLOCK_ROWS;
            T::vectors::<S>(&self.joint[first..first + BLOCK_ROWS])
        });
        let n_features = self.z.z.len() / padded::<T>();
        let (totals, rest) = self.sums.split_at_mut(G);
        let (firsts, products) = rest.split_at_mut(n_features * G);
        let width = if self.is_diagonal { 1 } else { NUMBERS };
        // Some columns of the triangle after others: their features stay in the first cache while the rest go by.
        for first in (0..n_features).step_by(width) {
            let columns: [_; NUMBERS] =
                std::array::from_fn(|n| self.z.feature::<S>((first + n).min(n_features - 1)));
            let end = if self.is_diagonal {
                first + 1
            } else {
                n_features
            };
            for i in first..end {
                let z = self.z.feature::<S>(i);
                let n_products = (i + 1 - first).min(width);
                // With the feature itself where there is room for it, the very first with the number 1.
                let sums = match n_products {
                    _ if i == 0 => sums_of::<T, S, G, _, 1, true, true>(simd, r, z, columns),
                    1 => sums_of::<T, S, G, _, 1, true, false>(simd, r, z, columns),
                    2 => sums_of::<T, S, G, _, 2, true, false>(simd, r, z, columns),
                    _ => sums_of::<T, S, G, _, NUMBERS, false, false>(simd, r, z, columns),
                };
                let at = if self.is_diagonal {
                    i
                } else {
                    packed_len(i) + first
                };
                write(&mut products[at * G..][..n_products * G], &sums);
                let own = &mut firsts[i * G..][..G];
                if n_products < NUMBERS {
                    write(own, &sums[n_products * G..]);
                } else if i + 1 == first + NUMBERS {
                    write(
                        own,
                        &sums_of::<T, S, G, _, 0, true, false>(simd, r, z, columns),
                    );
                }
                if i == 0 {
                    write(totals, &sums[2 * G..]);
                }
            }
        }
    }
}

#[inline(always)]
fn write<T: Real>(out: &mut [f64], sums: &[T]) {
    out.iter_mut()
        .zip(sums)
        .for_each(|(out, sum)| *out = sum.to_f64());
}

/// Of each of G components, one number after the other, the sums of z times so many others and of z itself, if asked for; that of the number 1 is
/// the last.
#[inline(always)]
fn sums_of<
    T: Real,
    S: Simd,
    const G: usize,
    L: Lanes<T, S>,
    const PRODUCTS: usize,
    const Z: bool,
    const ONE: bool,
>(
    simd: S,
    r: [&[T::Vector<S>]; G],
    z: L,
    others: [L; NUMBERS],
) -> [T; MOST_SUMS] {
    const { assert!(PRODUCTS + Z as usize + ONE as usize <= NUMBERS && NUMBERS * G <= MOST_SUMS) };
    let stride = T::stride::<S>();
    let r: [_; G] = std::array::from_fn(|k| &r[k][..stride]);
    let mut all = [[T::splat(simd, T::default()); G]; NUMBERS];
    for lane in 0..stride {
        let [z] = z.load::<1>(simd, lane);
        let mut numbers = [z; NUMBERS];
        for n in 0..PRODUCTS {
            let [other] = others[n].load::<1>(simd, lane);
            numbers[n] = T::times(simd, z, other);
        }
        for k in 0..G {
            let r = r[k][lane];
            for n in 0..PRODUCTS + usize::from(Z) {
                all[n][k] = T::mul_add(simd, r, numbers[n], all[n][k]);
            }
            if ONE {
                all[NUMBERS - 1][k] = T::plus(simd, all[NUMBERS - 1][k], r);
            }
        }
    }
    let mut vectors = [[T::splat(simd, T::default()); MOST_LANES]; 2];
    for (at, sum) in all.as_flattened().iter().enumerate() {
        vectors[at / MOST_LANES][at % MOST_LANES] = *sum;
    }
    let [first, second] = vectors;
    let mut sums = [T::default(); MOST_SUMS];
    sums[..MOST_LANES].copy_from_slice(&T::sums(simd, first));
    if NUMBERS * G > MOST_LANES {
        sums[MOST_LANES..].copy_from_slice(&T::sums(simd, second));
    }
    sums
}
