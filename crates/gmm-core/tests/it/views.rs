//! How the data come: strides, precision, buffers, blocks and threads change no bit; empty tables have empty results.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::faer::{Mat, MatRef};
use gmm_core::{Error, GaussianMixture, Samples, Scratch};
use gmm_testkit::naive::{Form, Mixture};
use gmm_testkit::{data, same_for_any_number_of_threads};
use proptest::prelude::*;

use crate::{bits, bits_of, mixture_of, mixture_with_rows};

/// All that a mixture says about rows, as bits.
#[derive(Debug, PartialEq)]
struct Everything {
    log_density: Vec<u64>,
    log_joint: Vec<u64>,
    responsibilities: Vec<u64>,
    mahalanobis_squared: Vec<u64>,
    labels: Vec<usize>,
}

fn everything<'a>(model: &GaussianMixture, x: impl Into<Samples<'a>>) -> Everything {
    let x = x.into();
    Everything {
        log_density: bits(&model.log_density(x).unwrap()),
        log_joint: bits_of(&model.log_joint(x).unwrap()),
        responsibilities: bits_of(&model.responsibilities(x).unwrap()),
        mahalanobis_squared: bits_of(&model.mahalanobis_squared(x).unwrap()),
        labels: model.predict(x).unwrap(),
    }
}

/// The mixture of a data set, in a form.
fn truth(set: &data::Data, form: Form) -> Mixture {
    let mut m = set.truth.clone().unwrap();
    let d = m.n_features();
    for c in &mut m.covariances {
        for i in 0..d {
            for j in 0..d {
                c[i][j] = match form {
                    Form::Full | Form::Tied => c[i][j],
                    _ if i != j => 0.0,
                    Form::Diag => c[i][i],
                    Form::Spherical => c[0][0],
                };
            }
        }
    }
    if form == Form::Tied {
        m.covariances = vec![m.covariances[0].clone(); m.n_components()];
    }
    Mixture { form, ..m }
}

proptest! {
    #[test]
    fn every_layout_of_a_table_gives_the_same_bits((m, x) in mixture_with_rows(1..=4, 1..=10, 1..=600)) {
        let model = mixture_of(&m);
        // Values of f32, so that all views hold the same numbers.
        let (n, d) = (x.len(), x[0].len());
        let cell = |i: usize, j: usize| f64::from(x[i][j] as f32);
        let column_major = Mat::from_fn(n, d, cell);
        let expected = everything(&model, &column_major);
        let row_major: Vec<f64> = (0..n * d).map(|at| cell(at / d, at % d)).collect();
        prop_assert_eq!(&everything(&model, MatRef::from_row_major_slice(&row_major, n, d)), &expected);
        let upside_down = Mat::from_fn(n, d, |i, j| cell(n - 1 - i, j));
        prop_assert_eq!(&everything(&model, upside_down.as_ref().reverse_rows()), &expected);
        let mirrored = Mat::from_fn(n, d, |i, j| cell(i, d - 1 - j));
        prop_assert_eq!(&everything(&model, mirrored.as_ref().reverse_cols()), &expected);
        let transposed = Mat::from_fn(d, n, |j, i| cell(i, j));
        prop_assert_eq!(&everything(&model, transposed.transpose()), &expected);
        // A part of a larger table, with NaN around it.
        let larger = Mat::from_fn(n + 3, d + 2, |i, j| {
            if (1..=n).contains(&i) && (1..=d).contains(&j) { cell(i - 1, j - 1) } else { f64::NAN }
        });
        prop_assert_eq!(&everything(&model, larger.as_ref().submatrix(1, 1, n, d)), &expected);
        let single = Mat::from_fn(n, d, |i, j| x[i][j] as f32);
        prop_assert_eq!(&everything(&model, &single), &expected);
        prop_assert_eq!(&everything(&model, single.transpose().to_owned().transpose()), &expected);
        prop_assert_eq!(&everything(&model, single.as_ref().reverse_rows().to_owned().as_ref().reverse_rows()), &expected);
        // Weights of rows change totals, not rows.
        let weights = vec![2.0; n];
        prop_assert_eq!(&everything(&model, Samples::from(&single).with_weights(&weights)), &expected);
        // Rows are independent: where a block ends means nothing.
        let cut = n / 3;
        let parts = [column_major.as_ref().subrows(0, cut), column_major.as_ref().subrows(cut, n - cut)];
        let densities: Vec<f64> = parts.iter().flat_map(|part| model.log_density(*part).unwrap()).collect();
        prop_assert_eq!(&bits(&densities), &expected.log_density);
        // The callers' buffers receive the same.
        let mut density = vec![f64::NAN; n];
        model.log_density_into(&column_major, &mut density).unwrap();
        prop_assert_eq!(&bits(&density), &expected.log_density);
        let k = m.n_components();
        let mut r = Mat::from_fn(n, k, |_, _| f64::NAN);
        model.responsibilities_into(&column_major, r.as_mut()).unwrap();
        prop_assert_eq!(&bits_of(&r), &expected.responsibilities);
        let mut across = Mat::from_fn(k, n, |_, _| f64::NAN);
        model.responsibilities_into(&column_major, across.as_mut().transpose_mut()).unwrap();
        prop_assert_eq!(&bits_of(&across.transpose().to_owned()), &expected.responsibilities);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let set = data::overlapping(3, 20 * BLOCK_ROWS + 7, 3, 4);
    for form in Form::ALL {
        let model = mixture_of(&truth(&set, form));
        same_for_any_number_of_threads(|| {
            (
                everything(&model, &set.x),
                model.log_likelihood(&set.x).unwrap().to_bits(),
            )
        });
    }
}

/// Of several bad cells the first one in reading order is named, whichever thread meets one first.
#[test]
fn the_first_bad_cell_is_named_for_any_number_of_threads() {
    let set = data::separated(1, 40 * BLOCK_ROWS, 2, 2);
    let model = mixture_of(set.truth.as_ref().unwrap());
    let mut x = set.x.clone();
    for row in (5000..9000).step_by(3) {
        x[(row, 1)] = f64::NAN;
    }
    x[(4999, 0)] = f64::INFINITY;
    let expected = Error::NonFinite {
        row: 4999,
        column: 0,
        value: f64::INFINITY,
    };
    same_for_any_number_of_threads(|| {
        assert_eq!(model.log_density(&x), Err(expected.clone()));
        assert_eq!(model.predict(&x), Err(expected.clone()));
        assert_eq!(model.responsibilities(&x), Err(expected.clone()));
    });
}

#[test]
fn empty_tables_have_empty_results() {
    for form in Form::ALL {
        let set = data::separated(2, 4, 3, 2);
        let model = mixture_of(&truth(&set, form));
        let x = Mat::<f64>::zeros(0, 3);
        assert_eq!(model.log_density(&x).unwrap(), Vec::<f64>::new());
        assert_eq!(model.predict(&x).unwrap(), Vec::<usize>::new());
        for table in [
            model.log_joint(&x),
            model.responsibilities(&x),
            model.mahalanobis_squared(&x),
        ] {
            let table = table.unwrap();
            assert_eq!((table.nrows(), table.ncols()), (0, 2));
        }
        model.log_density_into(&x, &mut []).unwrap();
        model
            .responsibilities_into(&x, Mat::zeros(0, 2).as_mut())
            .unwrap();
        // There is no likelihood of nothing, though.
        assert_eq!(model.log_likelihood(&x), Err(Error::NoSamples));
        assert_eq!(model.mean_log_likelihood(&x), Err(Error::NoSamples));
        let weighted = Samples::from(&x).with_weights(&[]);
        assert_eq!(model.log_density(weighted).unwrap(), Vec::<f64>::new());
        assert_eq!(model.log_likelihood(weighted), Err(Error::NoSamples));
    }
}

#[test]
fn outputs_of_another_size_are_refused() {
    let set = data::separated(3, 5, 2, 3);
    let model = mixture_of(set.truth.as_ref().unwrap());
    let size = |found, expected| Err(Error::OutputSize { found, expected });
    assert_eq!(model.log_density_into(&set.x, &mut [0.0; 4]), size(4, 5));
    assert_eq!(model.log_density_into(&set.x, &mut [0.0; 6]), size(6, 5));
    for (n, k) in [(4, 3), (5, 2), (6, 3), (5, 4), (0, 0), (3, 5)] {
        let mut out = Mat::zeros(n, k);
        let result = model.responsibilities_into(&set.x, out.as_mut());
        assert_eq!(result, size(n * k, 15), "{n} x {k}");
    }
}

/// Tables without columns may have more rows than memory has bytes.
#[test]
fn tables_without_columns_are_refused_before_anything_is_allocated() {
    let set = data::separated(3, 5, 2, 3);
    let model = mixture_of(set.truth.as_ref().unwrap());
    let x = MatRef::<f64>::from_row_major_slice(&[], usize::MAX, 0);
    let expected = Error::FeatureCount {
        found: 0,
        expected: 2,
    };
    assert_eq!(model.log_density(x), Err(expected.clone()));
    assert_eq!(model.predict(x), Err(expected.clone()));
    assert_eq!(model.responsibilities(x), Err(expected.clone()));
    assert_eq!(model.log_likelihood(x), Err(expected));
}

#[test]
fn weights_of_rows_weigh_the_total() {
    let set = data::overlapping(4, 1000, 2, 3);
    let model = mixture_of(set.truth.as_ref().unwrap());
    let weights: Vec<f64> = (0..1000).map(|i| [0.0, 1.0, 2.0, 0.25][i % 4]).collect();
    let x = Samples::from(&set.x).with_weights(&weights);
    let log_density = model.log_density(&set.x).unwrap();
    let expected = gmm_testkit::naive::exact_dot(&weights, &log_density);
    let found = model.log_likelihood(x).unwrap();
    // One rounding per product; the compensated sum adds two.
    let size: f64 = weights
        .iter()
        .zip(&log_density)
        .map(|(w, l)| (w * l).abs())
        .sum();
    assert!((found - expected).abs() <= 2.0 * f64::EPSILON * size);
    let mean = model.mean_log_likelihood(x).unwrap();
    assert!((mean - expected / (250.0 * 3.25)).abs() <= 4.0 * f64::EPSILON * size / 812.5);
    // A row of weight 0 is left out even where its density is 0.
    let mut far = set.x.clone();
    far[(0, 0)] = 1e200;
    assert_eq!(model.log_density(&far).unwrap()[0], f64::NEG_INFINITY);
    let found = model
        .log_likelihood(Samples::from(&far).with_weights(&weights))
        .unwrap();
    assert!((found - expected).abs() <= 2.0 * f64::EPSILON * size);
    assert_eq!(
        model.log_likelihood(&far).unwrap(),
        f64::NEG_INFINITY,
        "a row without density makes the data impossible"
    );
}

#[test]
fn all_weights_zero_leave_no_mean() {
    let set = data::separated(5, 3, 1, 1);
    let model = mixture_of(set.truth.as_ref().unwrap());
    let x = Samples::from(&set.x).with_weights(&[0.0; 3]);
    assert_eq!(model.log_density(x).unwrap().len(), 3);
    assert_eq!(model.log_likelihood(x).unwrap().to_bits(), 0);
    assert_eq!(model.mean_log_likelihood(x), Err(Error::NoWeight));
}

#[test]
fn samples_tell_what_they_hold() {
    let table = [1.0f32, 2.5, -3.0, 4.0, 0.5, 1e-40];
    let x = Samples::from(MatRef::from_row_major_slice(&table, 3, 2));
    assert_eq!((x.n_samples(), x.n_features(), x.weights()), (3, 2, None));
    // Subnormal numbers of f32 are ordinary ones of f64.
    assert_eq!(x.value(2, 1).to_bits(), f64::from(1e-40f32).to_bits());
    assert_eq!(x.total_weight(), Ok(3.0));
    assert_eq!(x.check_shape(2), Ok(()));
    let weights = [0.5, 0.0, 1.5];
    let weighted = x.with_weights(&weights);
    assert_eq!(weighted.total_weight(), Ok(2.0));
    assert_eq!(weighted.weights(), Some(&weights[..]));
    assert_eq!(Samples::from(&weighted).total_weight(), Ok(2.0));
}

/// What the expert layer promises of a block: feature-major lanes, zeros and weights of zero past the last row.
#[test]
fn blocks_hold_their_rows_feature_by_feature() {
    let n = 2 * BLOCK_ROWS + 5;
    let x = Mat::from_fn(n, 3, |i, j| (10 * i + j) as f64);
    let weights: Vec<f64> = (0..n).map(|i| (i % 3) as f64).collect();
    let samples = Samples::from(&x).with_weights(&weights);
    assert_eq!(
        (Block::count(0), Block::count(1), Block::count(n)),
        (0, 1, 3)
    );
    let mut block = Block::new(3);
    assert!(block.is_empty());
    let frame = Frame::identity(3);
    // Filled again and again, in any order: the last one is short.
    for index in [0, 2, 1, 2] {
        block.fill(&samples, index, &frame).unwrap();
        let rows = block.rows();
        assert_eq!(
            rows,
            index * BLOCK_ROWS..((index + 1) * BLOCK_ROWS).min(n),
            "{index}"
        );
        assert_eq!(
            (block.len(), block.is_empty(), block.n_features()),
            (rows.len(), false, 3)
        );
        for i in 0..BLOCK_ROWS {
            let row = rows.start + i;
            for j in 0..3 {
                let expected = if row < n { x[(row, j)] } else { 0.0 };
                assert_eq!(block.feature(j)[i].to_bits(), expected.to_bits());
                assert_eq!(
                    block.values()[j * BLOCK_ROWS + i].to_bits(),
                    expected.to_bits()
                );
            }
            let expected = if row < n { weights[row] } else { 0.0 };
            assert_eq!(block.weights()[i].to_bits(), expected.to_bits());
        }
        assert!(block.is_weighted());
    }
    let unweighted = Samples::from(&x);
    // Lanes past the last row have another weight than 1.
    for (index, is_weighted) in [(0, false), (2, true)] {
        block.fill(&unweighted, index, &frame).unwrap();
        assert_eq!(block.is_weighted(), is_weighted);
    }
    assert_eq!(
        block.weights().iter().sum::<f64>().to_bits(),
        5.0f64.to_bits()
    );
}

/// The expert layer, block by block, is what the table's functions do.
#[test]
fn responsibilities_of_a_block_are_those_of_the_table() {
    let set = data::overlapping(7, BLOCK_ROWS + 9, 2, 3);
    let model = mixture_of(set.truth.as_ref().unwrap());
    let expected = everything(&model, &set.x);
    let (mut block, mut scratch) = (Block::new(2), Scratch::new(&model));
    let (mut density, mut r) = (Vec::new(), Vec::new());
    for index in 0..2 {
        block
            .fill(&Samples::from(&set.x), index, &Frame::identity(2))
            .unwrap();
        model.responsibilities_of_block(&block, &mut scratch);
        for i in 0..block.len() {
            density.push(scratch.log_density[i]);
            r.extend((0..3).map(|k| scratch.joint[k * BLOCK_ROWS + i]));
        }
    }
    assert_eq!(bits(&density), expected.log_density);
    assert_eq!(bits(&r), expected.responsibilities);
}
