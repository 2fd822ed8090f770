//! Weighted sums of several components about one place: what the numbers alone give, zᵢ zⱼ, is taken once for all of them.

use pulp::{Arch, Simd, WithSimd};

use super::differences::{Centred, Differences as _, Lanes, padded};
use super::real::{MOST_LANES, Real};
use crate::block::BLOCK_ROWS;

/// Numbers of which the sums of all components are in the registers together. A responsibility is read once for all three.
const NUMBERS: usize = 3;
/// So many components have their sums in 32 registers,
pub(crate) const MANY: usize = 8;
/// and so many in 16.
pub(crate) const FEW: usize = 4;
/// Room for the sums of all numbers of so many components, in whole vectors.
const MOST_SUMS: usize = 2 * MOST_LANES;
/// Up to so many features the products of four components are cheaper side by side in 32 registers, too; beyond, a component alone shares more.
const MOST_OF_FEW: usize = 6;

/// How many of `n_left` components are best summed side by side; 0 where each is better taken alone.
pub(crate) fn n_side_by_side(n_left: usize, n_features: usize, is_diagonal: bool) -> usize {
    Arch::new().dispatch(SideBySide {
        n_left,
        n_features,
        is_diagonal,
    })
}

struct SideBySide {
    n_left: usize,
    n_features: usize,
    is_diagonal: bool,
}

impl WithSimd for SideBySide {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> usize {
        let has_32_registers = S::F64_LANES == 8;
        let pays = !has_32_registers || self.is_diagonal || self.n_features <= MOST_OF_FEW;
        match self.n_left {
            MANY.. if has_32_registers => MANY,
            FEW.. if pays => FEW,
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
        let mut rest = products;
        for (i, first) in firsts.chunks_exact_mut(G).enumerate() {
            let z = self.z.feature::<S>(i);
            let columns = if self.is_diagonal { i..i + 1 } else { 0..i + 1 };
            let n_last = columns.len() % NUMBERS;
            let whole = columns.end - n_last;
            for j in (columns.start..whole).step_by(NUMBERS) {
                let others: [_; NUMBERS] = std::array::from_fn(|n| self.z.feature::<S>(j + n));
                let sums = sums_of::<T, S, G, _, NUMBERS, false, false>(simd, r, z, others);
                let (products, after) = rest.split_at_mut(NUMBERS * G);
                write(products, &sums);
                rest = after;
            }
            // The last products go with z itself, and the very first with the number 1.
            let (products, after) = rest.split_at_mut(n_last * G);
            let others: [_; NUMBERS] =
                std::array::from_fn(|n| self.z.feature::<S>((whole + n).min(i)));
            let sums = match n_last {
                _ if i == 0 => sums_of::<T, S, G, _, 1, true, true>(simd, r, z, others),
                0 => sums_of::<T, S, G, _, 0, true, false>(simd, r, z, others),
                1 => sums_of::<T, S, G, _, 1, true, false>(simd, r, z, others),
                _ => sums_of::<T, S, G, _, 2, true, false>(simd, r, z, others),
            };
            write(products, &sums);
            write(first, &sums[n_last * G..]);
            if i == 0 {
                write(totals, &sums[2 * G..]);
            }
            rest = after;
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
