//! The class of noise of a fit: its density, and with what weight it begins.

use std::ops::Range;

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::covariance::Structure;
use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;
use gmm_core::tree::Tree;
use gmm_core::{GaussianMixture, Noise, Samples};

use crate::Error;
use crate::rescue::POINT_MASS;
use crate::summary::{self, Summary};

/// The volume V of a class of noise, whose density is 1/V (Banfield and Raftery 1993).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum NoiseVolume {
    /// The smaller one of two boxes around the data: along the features, and along the principal axes of the standardized features. So it
    /// follows the units of the data. (mclust's `hypvol` takes the axes of the covariance matrix, which depend on the units.) Rows of
    /// weight 0 don't count.
    #[default]
    Box,
    /// The logarithm of a volume in the units of the data: volumes themselves leave the range of f64 in high dimensions.
    Log(f64),
}

/// With what weight noise begins where a start says nothing of it.
const INITIAL_WEIGHT: f64 = 0.05;

impl NoiseVolume {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Log(v) if !v.is_finite() => Err(Error::Setting {
                name: "log-volume of the noise",
                value: *v,
                expected: "it must be finite",
            }),
            _ => Ok(()),
        }
    }

    /// The log-density of the noise in the coordinates of the summary's frame.
    pub(crate) fn log_density(&self, x: &Samples<'_>, summary: &Summary) -> Result<f64, Error> {
        Ok(match self {
            Self::Log(v) => -v - summary.frame.log_jacobian(),
            Self::Box => -log_volume(x, summary)?,
        })
    }
}

/// The first mixture of a fit, with noise if there is to be any (of this log-density).
///
/// A class without weight never gets any, so a start that leaves noise nothing says nothing of it.
pub(crate) fn begin(
    model: GaussianMixture,
    log_density: Option<f64>,
) -> Result<GaussianMixture, Error> {
    let known = model.noise().filter(|noise| noise.weight() > 0.0);
    let noise = match (known, log_density) {
        (_, None) if model.noise().is_none() => return Ok(model),
        (_, None) => return Ok(model.without_noise()?),
        (Some(known), Some(density)) => Noise::new(known.weight(), density)?,
        (None, Some(density)) => Noise::new(INITIAL_WEIGHT, density)?,
    };
    if model.noise() == Some(noise) {
        return Ok(model);
    }
    Ok(model.with_noise(noise)?)
}

/// The logarithm of the smaller box around the rows of positive weight, in the coordinates of the frame.
fn log_volume(x: &Samples<'_>, summary: &Summary) -> Result<f64, Error> {
    let extents: Vec<f64> = (summary.ranges.iter().enumerate())
        .map(|(j, (low, high))| summary.frame.to_frame(j, *high) - summary.frame.to_frame(j, *low))
        .collect();
    if let Some(feature) = extents.iter().position(|e| *e <= POINT_MASS) {
        let value = summary.ranges[feature].0;
        return Err(Error::ConstantFeature { feature, value });
    }
    let along_features: f64 = extents.iter().map(|e| e.ln()).sum();
    let along_axes = log_volume_along_axes(x, summary)?;
    Ok(along_axes.map_or(along_features, |v| v.min(along_features)))
}

/// The same along the principal axes of the standardized features; `None` where the data are flat along one of them, to rounding: such a
/// box has no volume.
fn log_volume_along_axes(x: &Samples<'_>, summary: &Summary) -> Result<Option<f64>, Error> {
    let d = summary.n_features();
    if d == 1 {
        return Ok(None);
    }
    let known = &summary.moments;
    let moments = if known.scatter.len() == Structure::Dense.scatter_len(d) {
        known.clone()
    } else {
        summary::moments(x, &summary.frame, Structure::Dense)?
    };
    let scatter = |i: usize, j: usize| moments.scatter[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)];
    let sd: Vec<f64> = (0..d)
        .map(|j| (scatter(j, j) / moments.occupancy).sqrt())
        .collect();
    let correlations = Mat::from_fn(d, d, |i, j| {
        scatter(i, j) / (scatter(i, i).sqrt() * scatter(j, j).sqrt())
    });
    if sd.iter().any(|s| *s <= POINT_MASS) {
        return Ok(None);
    }
    let Some(eigen) = Eigen::new(correlations.as_ref()) else {
        return Ok(None);
    };
    // Row e holds the coefficients of the features in the projection to axis e.
    let axes = Mat::from_fn(d, d, |e, j| eigen.vectors[(j, e)] / sd[j]);
    let ranges = ranges_along(x, summary, &axes)?;
    // A projection sums d values of size 2 in the frame, each divided by a standard deviation.
    let least = sd.iter().copied().fold(f64::INFINITY, f64::min);
    let rounding = POINT_MASS * d as f64 / least;
    let extents = ranges.iter().map(|(low, high)| high - low);
    if extents.clone().any(|e| e <= rounding) {
        return Ok(None);
    }
    let units: f64 = sd.iter().map(|s| s.ln()).sum();
    Ok(Some(extents.map(f64::ln).sum::<f64>() + units))
}

/// Smallest and largest projection to each axis among the rows of positive weight.
fn ranges_along(
    x: &Samples<'_>,
    summary: &Summary,
    axes: &Mat<f64>,
) -> Result<Vec<(f64, f64)>, Error> {
    let d = summary.n_features();
    let none = || vec![(f64::INFINITY, f64::NEG_INFINITY); d];
    let leaf = |block: &mut Block, blocks: Range<usize>| {
        let mut ranges = none();
        let mut projection = vec![0.0; BLOCK_ROWS];
        for index in blocks {
            block.fill(x, index, &summary.frame)?;
            block.hide_weightless();
            for (e, range) in ranges.iter_mut().enumerate() {
                projection.fill(0.0);
                for j in 0..d {
                    let lanes = projection.iter_mut().zip(block.feature(j));
                    lanes.for_each(|(p, v)| *p += axes[(e, j)] * v);
                }
                let counted = projection.iter().zip(block.weights());
                for (p, _) in counted.filter(|(_, w)| **w > 0.0) {
                    *range = (range.0.min(*p), range.1.max(*p));
                }
            }
        }
        Ok(ranges)
    };
    let n_blocks = Block::count(x.n_samples());
    Tree::new(n_blocks, 1, d * d).reduce(&|| Block::new(d), &leaf, &|a, b| summary::widen(a, b))
}
