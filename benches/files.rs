//! The files of the comparison: tables and parameters as npy, which every system of it can read.
//!
//! An array is the end of its file, whatever the header says before it, and its shape is known from the workload: so a
//! table comes into memory by rows, as other systems hold theirs, and without a second copy.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use gmm_core::covariance::Structure;
use gmm_core::faer::{Mat, MatRef};
use gmm_core::{Covariances, GaussianMixture};
use gmm_io::table::{TableError, save_npy};

use crate::Workload;

/// Reads the last `len` numbers of a file of little-endian `f64`.
///
/// # Errors
/// What the file system reports, and a file that is too short.
pub fn read_numbers(path: &Path, len: usize) -> io::Result<Vec<f64>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-8 * len as i64))?;
    let mut reader = BufReader::new(file);
    let mut numbers = Vec::with_capacity(len);
    let mut bytes = [0; 8];
    for _ in 0..len {
        reader.read_exact(&mut bytes)?;
        numbers.push(f64::from_le_bytes(bytes));
    }
    Ok(numbers)
}

fn part(stem: &Path, name: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(format!(".{name}.npy"));
    path.into()
}

/// Writes a mixture as three arrays beside each other: `STEM.weights.npy` (1 x K), `STEM.means.npy` (K x D) and
/// `STEM.covariances.npy` (K D x D, dense whatever the form).
///
/// # Errors
/// What the file system reports.
pub fn write_mixture(stem: &Path, mixture: &GaussianMixture) -> Result<(), TableError> {
    let d = mixture.n_features();
    let weights = MatRef::from_row_major_slice(mixture.weights(), 1, mixture.n_components());
    let dense: Vec<Mat<f64>> = (0..mixture.n_components())
        .map(|k| mixture.covariances().component(k))
        .collect();
    let stacked = Mat::from_fn(dense.len() * d, d, |i, j| dense[i / d][(i % d, j)]);
    save_npy(part(stem, "weights"), weights)?;
    save_npy(part(stem, "means"), mixture.means())?;
    save_npy(part(stem, "covariances"), stacked.as_ref())
}

/// Reads what [`write_mixture`] or another system wrote.
///
/// Single precision leaves weights that don't quite add up to 1 and covariances that aren't quite symmetric: here
/// they are made so.
///
/// # Errors
/// What the file system reports, and parameters that are no mixture.
pub fn read_mixture(
    stem: &Path,
    workload: &Workload,
) -> Result<GaussianMixture, Box<dyn std::error::Error>> {
    let (k, d) = (workload.n_components, workload.n_features);
    let mut weights = read_numbers(&part(stem, "weights"), k)?;
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    let means = read_numbers(&part(stem, "means"), k * d)?;
    let dense = read_numbers(&part(stem, "covariances"), k * d * d)?;
    let entry = |block: usize, i: usize, j: usize| {
        let at = |i: usize, j: usize| dense[(block * d + i) * d + j];
        0.5 * (at(i, j) + at(j, i))
    };
    let blocks = (0..workload.form.n_blocks(k))
        .map(|block| match workload.form.structure() {
            Structure::Diagonal => (0..d).map(|j| entry(block, j, j)).collect(),
            Structure::Isotropic => vec![entry(block, 0, 0)],
            Structure::Dense => (0..d * d).map(|e| entry(block, e / d, e % d)).collect(),
        })
        .collect();
    Ok(GaussianMixture::new(
        weights,
        MatRef::from_row_major_slice(&means, k, d).to_owned(),
        Covariances::new(workload.form, k, d, blocks)?,
    )?)
}

#[cfg(test)]
mod tests {
    use gmm_core::CovarianceType;

    use super::*;

    #[test]
    fn mixtures_of_every_form_come_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        for form in CovarianceType::ALL {
            let workload = Workload {
                n_samples: 200,
                n_features: 3,
                // A power of two, so that weights that add up to 1 stay as they are when they are divided by their sum.
                n_components: 2,
                form,
            };
            let mixture = workload.start(&workload.data());
            let stem = folder.path().join(form.name());
            write_mixture(&stem, &mixture).unwrap();
            let read = read_mixture(&stem, &workload).unwrap();
            assert_eq!(read.means(), mixture.means());
            assert_eq!(read.covariances(), mixture.covariances());
        }
    }

    #[test]
    fn numbers_are_taken_from_the_end_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let x = Mat::from_fn(2, 3, |i, j| (10 * i + j) as f64);
        save_npy(&path, x.as_ref()).unwrap();
        assert_eq!(
            read_numbers(&path, 6).unwrap(),
            [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]
        );
        assert!(read_numbers(&path, 1000).is_err());
    }
}
