//! The covariance matrices of a mixture as numbers.

use faer::{Mat, MatRef};

use super::{CovarianceType, Structure};
use crate::Error;

/// The covariance matrices of a mixture: a form and the numbers it needs, in blocks.
///
/// | forms | blocks | numbers per block |
/// |---|---|---|
/// | EEE (tied) | 1 | D², row by row |
/// | VVV (full), EVV, VEV, EEV, VVE, EVE, VEE | K | D², row by row |
/// | EEI | 1 | D variances |
/// | VVI (diag), EVI, VEI | K | D variances |
/// | EII | 1 | 1 variance |
/// | VII (spherical) | K | 1 variance |
///
/// That the matrices of several components share what their form says is for those to see to who make them: an M-step does so to rounding,
/// and densities need it not.
#[derive(Clone, Debug, PartialEq)]
pub struct Covariances {
    form: CovarianceType,
    n_components: usize,
    n_features: usize,
    blocks: Vec<Vec<f64>>,
}

impl Covariances {
    /// Covariances from their blocks. Shape, finiteness and symmetry are checked here, positive definiteness by
    /// [`GaussianMixture::new`](crate::GaussianMixture::new).
    ///
    /// # Errors
    /// [`Error::NoComponents`], [`Error::NoFeatures`], [`Error::CovarianceShape`], [`Error::CovarianceEntry`], [`Error::Asymmetric`].
    pub fn new(
        form: CovarianceType,
        n_components: usize,
        n_features: usize,
        mut blocks: Vec<Vec<f64>>,
    ) -> Result<Self, Error> {
        if n_components == 0 {
            return Err(Error::NoComponents);
        }
        if n_features == 0 {
            return Err(Error::NoFeatures);
        }
        let (expected, expected_len) = (form.n_blocks(n_components), form.block_len(n_features));
        let odd = blocks.iter().find(|b| b.len() != expected_len);
        if blocks.len() != expected || odd.is_some() {
            return Err(Error::CovarianceShape {
                form,
                n_components,
                n_features,
                expected,
                expected_len,
                found: blocks.len(),
                found_len: odd.or(blocks.first()).map_or(0, Vec::len),
            });
        }
        for (component, block) in blocks.iter_mut().enumerate() {
            check_block(form.structure(), n_features, component, block)?;
        }
        Ok(Self {
            form,
            n_components,
            n_features,
            blocks,
        })
    }

    /// One matrix per component.
    ///
    /// # Errors
    /// [`Error::MatrixShape`], and as [`Covariances::new`].
    pub fn full(matrices: &[Mat<f64>]) -> Result<Self, Error> {
        let d = matrices.first().map_or(0, Mat::nrows);
        let blocks: Result<Vec<_>, Error> = matrices
            .iter()
            .enumerate()
            .map(|(component, matrix)| rows_of(component, matrix.as_ref(), d))
            .collect();
        Self::new(CovarianceType::Full, matrices.len(), d, blocks?)
    }

    /// One matrix for all components.
    ///
    /// # Errors
    /// [`Error::MatrixShape`], and as [`Covariances::new`].
    pub fn tied(matrix: MatRef<'_, f64>, n_components: usize) -> Result<Self, Error> {
        Self::new(
            CovarianceType::Tied,
            n_components,
            matrix.nrows(),
            vec![rows_of(0, matrix, matrix.nrows())?],
        )
    }

    /// One variance per component (row) and feature (column).
    ///
    /// # Errors
    /// As [`Covariances::new`].
    pub fn diag(variances: MatRef<'_, f64>) -> Result<Self, Error> {
        let (k, d) = (variances.nrows(), variances.ncols());
        let blocks = (0..k)
            .map(|i| (0..d).map(|j| variances[(i, j)]).collect())
            .collect();
        Self::new(CovarianceType::Diag, k, d, blocks)
    }

    /// One variance per component.
    ///
    /// # Errors
    /// As [`Covariances::new`].
    pub fn spherical(variances: &[f64], n_features: usize) -> Result<Self, Error> {
        let blocks = variances.iter().map(|v| vec![*v]).collect();
        Self::new(
            CovarianceType::Spherical,
            variances.len(),
            n_features,
            blocks,
        )
    }

    /// The form.
    pub fn form(&self) -> CovarianceType {
        self.form
    }

    /// Number of components K.
    pub fn n_components(&self) -> usize {
        self.n_components
    }

    /// Number of features D.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The numbers, block by block: see the type's table.
    pub fn blocks(&self) -> &[Vec<f64>] {
        &self.blocks
    }

    /// The block that describes a component.
    ///
    /// # Panics
    /// If the component is out of bounds.
    pub fn block(&self, component: usize) -> &[f64] {
        assert!(component < self.n_components);
        &self.blocks[if self.blocks.len() == 1 { 0 } else { component }]
    }

    /// Entry (i, j) of the D x D matrix of a component.
    pub(crate) fn entry(&self, component: usize, i: usize, j: usize) -> f64 {
        let block = self.block(component);
        match self.form.structure() {
            Structure::Dense => block[i * self.n_features + j],
            _ if i != j => 0.0,
            Structure::Diagonal => block[i],
            Structure::Isotropic => block[0],
        }
    }

    /// The D x D covariance matrix of a component.
    ///
    /// # Panics
    /// If the component is out of bounds.
    pub fn component(&self, component: usize) -> Mat<f64> {
        Mat::from_fn(self.n_features, self.n_features, |i, j| {
            self.entry(component, i, j)
        })
    }

    /// The variances of a component: the diagonal of its matrix.
    ///
    /// # Panics
    /// If the component is out of bounds.
    pub fn variances(&self, component: usize) -> Vec<f64> {
        (0..self.n_features)
            .map(|j| self.entry(component, j, j))
            .collect()
    }

    /// The covariances of some of the components, in the given order.
    pub(crate) fn select(&self, components: &[usize]) -> Self {
        let blocks = if self.form.is_shared() {
            self.blocks.clone()
        } else {
            components.iter().map(|&k| self.blocks[k].clone()).collect()
        };
        Self {
            n_components: components.len(),
            blocks,
            ..*self
        }
    }
}

/// Checks finiteness and symmetry; entries that differ by rounding only are averaged, so that both triangles are the same.
fn check_block(
    structure: Structure,
    d: usize,
    component: usize,
    block: &mut [f64],
) -> Result<(), Error> {
    if let Some(at) = block.iter().position(|v| !v.is_finite()) {
        let (row, column) = if structure == Structure::Dense {
            (at / d, at % d)
        } else {
            (at, at)
        };
        return Err(Error::CovarianceEntry {
            component,
            row,
            column,
            value: block[at],
        });
    }
    if structure == Structure::Dense {
        for row in 0..d {
            for column in 0..row {
                let (a, b) = (block[row * d + column], block[column * d + row]);
                // Equal entries keep their bits: the halves of an odd subnormal number don't add up to it.
                if a.to_bits() == b.to_bits() {
                    continue;
                }
                // Products of D terms in another order differ by about D ε of the size of the variances.
                let scale =
                    (block[row * d + row].abs().sqrt()) * (block[column * d + column].abs().sqrt());
                if (a - b).abs() > 1e-9 * scale.max(a.abs().min(b.abs())) {
                    return Err(Error::Asymmetric {
                        component,
                        row,
                        column,
                    });
                }
                let mean = 0.5 * a + 0.5 * b;
                block[row * d + column] = mean;
                block[column * d + row] = mean;
            }
        }
    }
    Ok(())
}

/// A block from a matrix. Its shape is checked here: 1 x 4 and 2 x 2 have the same number of numbers.
fn rows_of(component: usize, matrix: MatRef<'_, f64>, d: usize) -> Result<Vec<f64>, Error> {
    let (rows, columns) = (matrix.nrows(), matrix.ncols());
    if (rows, columns) != (d, d) {
        return Err(Error::MatrixShape {
            component,
            rows,
            columns,
            expected: d,
        });
    }
    Ok((0..d * d).map(|at| matrix[(at / d, at % d)]).collect())
}
