//! Weighted sums of several components about one place: what the numbers alone give, zᵢ zⱼ, is taken once for all of them.

use pulp::{Arch, Simd, WithSimd};

use super::differences::{Centred, Differences as _, Lanes, padded};
use super::real::{MOST_LANES, Real};
use crate::block::BLOCK_ROWS;

/// Numbers of which the sums of all components are in the registers together.
const NUMBERS: usize = 2;
/// So many components have their sums in 32 registers,
pub(crate) const MANY: usize = MOST_LANES / NUMBERS;
/// and so many in 16.
pub(crate) const FEW: usize = 4;
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
        write(totals, &all_sums::<T, S, G>(simd, r));
        let mut at = 0;
        for (i, first) in firsts.chunks_exact_mut(G).enumerate() {
            let z = self.z.feature::<S>(i);
            let columns = if self.is_diagonal { i } else { 0 };
            // An even number of columns by twos; the last of an odd number is z itself, which goes with the sum.
            let is_odd = (i - columns).is_multiple_of(NUMBERS);
            for j in (columns..i).step_by(NUMBERS) {
                let others = [self.z.feature::<S>(j), self.z.feature::<S>(j + 1)];
                let sums = two_numbers::<T, S, G, _, NUMBERS>(simd, r, z, others);
                write(&mut products[at..at + NUMBERS * G], &sums);
                at += NUMBERS * G;
            }
            let others = [z; NUMBERS];
            let sums = if is_odd {
                let sums = two_numbers::<T, S, G, _, 1>(simd, r, z, others);
                write(&mut products[at..at + G], &sums);
                at += G;
                sums
            } else {
                two_numbers::<T, S, G, _, 0>(simd, r, z, others)
            };
            write(first, &sums[G..]);
        }
    }
}

#[inline(always)]
fn write<T: Real>(out: &mut [f64], sums: &[T]) {
    out.iter_mut()
        .zip(sums)
        .for_each(|(out, sum)| *out = sum.to_f64());
}

/// Of each of G components the sums of two numbers: the first PRODUCTS are z times another, the others z itself. (Without a product the
/// first sums are 0.)
#[inline(always)]
fn two_numbers<T: Real, S: Simd, const G: usize, L: Lanes<T, S>, const PRODUCTS: usize>(
    simd: S,
    r: [&[T::Vector<S>]; G],
    z: L,
    others: [L; NUMBERS],
) -> [T; MOST_LANES] {
    let stride = T::stride::<S>();
    let r: [_; G] = std::array::from_fn(|k| &r[k][..stride]);
    let mut all = [T::splat(simd, T::default()); MOST_LANES];
    for lane in 0..stride {
        let [z] = z.load::<1>(simd, lane);
        let mut numbers = [z; NUMBERS];
        for n in 0..PRODUCTS {
            let [other] = others[n].load::<1>(simd, lane);
            numbers[n] = T::times(simd, z, other);
        }
        for k in 0..G {
            let r = r[k][lane];
            if PRODUCTS > 0 {
                all[k] = T::mul_add(simd, r, numbers[0], all[k]);
            }
            all[G + k] = T::mul_add(simd, r, numbers[1], all[G + k]);
        }
    }
    T::sums(simd, all)
}

#[inline(always)]
fn all_sums<T: Real, S: Simd, const G: usize>(simd: S, r: [&[T::Vector<S>]; G]) -> [T; MOST_LANES] {
    let stride = T::stride::<S>();
    let r: [_; G] = std::array::from_fn(|k| &r[k][..stride]);
    let mut all = [T::splat(simd, T::default()); MOST_LANES];
    for lane in 0..stride {
        for (sum, r) in all.iter_mut().zip(&r) {
            *sum = T::plus(simd, *sum, r[lane]);
        }
    }
    T::sums(simd, all)
}
