//! Differences that are stored.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::differences::{Differences, Lanes};
use super::real::Real;
use crate::block::BLOCK_ROWS;

/// Numbers from one feature of stored differences to the next: those of a block and a line of the cache, so that the same rows of many
/// features don't all lie in the same few places of the cache.
#[doc(hidden)]
pub const fn padded<T>() -> usize {
    BLOCK_ROWS + 64 / size_of::<T>()
}

/// Differences that are stored, as [`Centre`] writes them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Centred<'a, T> {
    /// n_features x [`padded`].
    pub z: &'a [T],
}

#[derive(Clone, Copy)]
struct CentredLanes<'a, V>(&'a [V]);

impl<T: Real> Differences<T> for Centred<'_, T> {
    #[inline(always)]
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<T, S>> {
        let stride = padded::<T>() / T::lanes::<S>();
        let z = T::vectors::<S>(self.z).chunks_exact(stride);
        z.map(|z| CentredLanes(&z[..T::stride::<S>()]))
    }

    #[inline(always)]
    fn feature<S: Simd>(&self, j: usize) -> impl Lanes<T, S> {
        let z = &self.z[j * padded::<T>()..][..BLOCK_ROWS];
        CentredLanes(T::vectors::<S>(z))
    }
}

impl<T: Real, S: Simd> Lanes<T, S> for CentredLanes<'_, T::Vector<S>> {
    #[inline(always)]
    fn load<const N: usize>(self, simd: S, at: usize) -> [T::Vector<S>; N] {
        let mut z = [T::splat(simd, T::default()); N];
        // One by one: a copy of the whole would go through memory.
        for (z, stored) in z.iter_mut().zip(&self.0[at..at + N]) {
            *z = *stored;
        }
        z
    }

    #[inline(always)]
    fn part(self, vectors: Range<usize>) -> Self {
        Self(&self.0[vectors])
    }
}

/// [`Centred`] differences from another place than the mean.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Near<'a, T> {
    pub centred: Centred<'a, T>,
    /// W (place - mean).
    pub origin: &'a [T],
}

impl<T: Real> Differences<T> for Near<'_, T> {
    #[inline(always)]
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<T, S>> {
        self.centred.features::<S>()
    }

    #[inline(always)]
    fn stored<S: Simd>(&self) -> Option<&[T::Vector<S>]> {
        Some(T::vectors::<S>(self.centred.z))
    }

    #[inline(always)]
    fn origin(&self) -> Option<&[T]> {
        Some(self.origin)
    }

    #[inline(always)]
    fn feature<S: Simd>(&self, j: usize) -> impl Lanes<T, S> {
        self.centred.feature::<S>(j)
    }
}

/// Stores differences for [`Centred`].
#[doc(hidden)]
pub struct Centre<'a, T, D> {
    pub differences: D,
    /// n_features x [`padded`].
    pub z: &'a mut [T],
}

impl<T: Real, D: Differences<T>> WithSimd for Centre<'_, T, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        const N: usize = 4;
        let stride = padded::<T>() / T::lanes::<S>();
        let z = T::vectors_mut::<S>(self.z).chunks_exact_mut(stride);
        for (z, lanes) in z.zip(self.differences.features::<S>()) {
            for (at, z) in z[..T::stride::<S>()].chunks_exact_mut(N).enumerate() {
                z.copy_from_slice(&lanes.load::<N>(simd, at * N));
            }
        }
    }
}

/// x - centre of the numbers of a block, rounded once: differences of all features that are stored so many numbers apart.
pub(crate) struct CentreAt<'a, T> {
    /// n_features x [`BLOCK_ROWS`].
    pub(crate) x: &'a [f64],
    pub(crate) centre: &'a [f64],
    pub(crate) z: &'a mut [T],
    pub(crate) stride: usize,
}

impl<T: Real> WithSimd for CentreAt<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let features = self.z.chunks_exact_mut(self.stride);
        let features = features.zip(self.x.chunks_exact(BLOCK_ROWS));
        for ((z, x), centre) in features.zip(self.centre) {
            z.iter_mut()
                .zip(x)
                .for_each(|(z, x)| *z = T::from_f64(x - centre));
        }
    }
}
