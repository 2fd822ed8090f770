//! The catalogue of bad days: hard tables, for every covariance form and every start. `docs/BAD-DAYS.md` says what comes of each.

use gmm_core::covariance::Structure;
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Initialization};
use gmm_testkit::data;

use crate::checked;

/// What a fit must come to.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    /// A mixture, and nothing to report.
    Right,
    /// A mixture with a repair in its report.
    Repaired,
    /// A mixture; whether it needs a repair depends on the start.
    Valid,
    /// A typed error with this message.
    Refused(String),
}
use Expected::{Refused, Repaired, Right, Valid};

fn refused(message: &str) -> Expected {
    Refused(message.to_owned())
}

/// A table, how many components to fit, and what must come of it.
struct Day {
    name: &'static str,
    x: Mat<f64>,
    n_components: usize,
    expected: fn(CovarianceType) -> Expected,
}

/// Dense covariances of features that depend on each other are singular for whatever rows a component has.
fn singular_if_dense(form: CovarianceType) -> Expected {
    match form.structure() {
        Structure::Dense => Repaired,
        _ => Right,
    }
}

/// Forms that turn ellipsoids have one unit for all features; only circles need no spread in each of them.
fn needs_one_unit(form: CovarianceType) -> bool {
    !form.is_scale_free() && form.structure() != Structure::Isotropic
}

/// Feature `narrow` has a variance, but none next to the other one.
fn negligible(form: CovarianceType, narrow: usize) -> Expected {
    Refused(format!(
        "the spread of feature {narrow} is nothing next to that of feature {}, and {form} covariances measure all features in one unit; \
         rescale the columns, or use a form with a unit for each (full, tied, diag)",
        1 - narrow
    ))
}

fn constant(form: CovarianceType, message: &str) -> Expected {
    match form.structure() {
        // Circles have one variance for all features.
        Structure::Isotropic => Right,
        _ => refused(message),
    }
}

fn out_of_range(_: CovarianceType) -> Expected {
    refused(
        "the covariance of component 0 leaves the range of f64 at feature 0; rescale that column",
    )
}

/// Two groups of 30 rows in two features, as they should be.
fn good() -> Mat<f64> {
    data::separated(1, 60, 2, 2).x
}

/// The same in other units: `a x + b` by column.
fn moved(a: [f64; 2], b: f64) -> Mat<f64> {
    let x = good();
    Mat::from_fn(60, 2, |i, j| a[j] * x[(i, j)] + b)
}

/// The same with other cells.
fn with_cells(cells: &[(usize, usize, f64)]) -> Mat<f64> {
    let mut x = good();
    cells.iter().for_each(|(i, j, value)| x[(*i, *j)] = *value);
    x
}

/// Pseudo-random numbers from 0 to 1, the same everywhere.
fn uniform(i: usize) -> f64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / 2f64.powi(53)
}

fn noise(n: usize, d: usize) -> Mat<f64> {
    Mat::from_fn(n, d, |i, j| uniform(d * i + j))
}

fn day(
    name: &'static str,
    n_components: usize,
    x: Mat<f64>,
    expected: fn(CovarianceType) -> Expected,
) -> Day {
    Day {
        name,
        x,
        n_components,
        expected,
    }
}

fn days_of_few_rows() -> Vec<Day> {
    let x = good();
    vec![
        day("one row", 1, Mat::from_fn(1, 2, |_, j| j as f64), |_| {
            refused("feature 0 is constant (0); leave that column out or use a ridge")
        }),
        day(
            "fewer rows than components",
            4,
            x.subrows(0, 3).to_owned(),
            |_| refused("3 rows for 4 components; give at least one row per component"),
        ),
        day(
            "as many rows as components",
            6,
            x.subrows(0, 6).to_owned(),
            |_| Valid,
        ),
        day(
            "fewer rows than features",
            1,
            noise(5, 10),
            singular_if_dense,
        ),
        day(
            "as many rows as features",
            1,
            noise(6, 6),
            singular_if_dense,
        ),
        day(
            "two components on fewer rows than features",
            2,
            noise(5, 10),
            |form| match form.structure() {
                Structure::Dense => Repaired,
                _ => Valid,
            },
        ),
    ]
}

fn days_of_columns() -> Vec<Day> {
    let x = good();
    let with_constant =
        |value: f64| Mat::from_fn(60, 2, |i, j| if j == 0 { x[(i, 0)] } else { value });
    vec![
        day("a constant column", 2, with_constant(4.5), |form| {
            constant(
                form,
                "feature 1 is constant (4.5); leave that column out or use a ridge",
            )
        }),
        day(
            "a constant column of 1.2e8",
            2,
            with_constant(1.2e8),
            |form| {
                constant(
                    form,
                    "feature 1 is constant (120000000); leave that column out or use a ridge",
                )
            },
        ),
        day(
            "a column given twice",
            2,
            Mat::from_fn(60, 3, |i, j| x[(i, j % 2)]),
            singular_if_dense,
        ),
        day(
            "a column that is the sum of two",
            2,
            Mat::from_fn(60, 3, |i, j| {
                if j < 2 {
                    x[(i, j)]
                } else {
                    x[(i, 0)] + 3.0 * x[(i, 1)]
                }
            }),
            singular_if_dense,
        ),
    ]
}

fn days_of_repeated_rows() -> Vec<Day> {
    vec![
        day(
            "all rows equal",
            2,
            Mat::from_fn(20, 2, |_, _| 1.25),
            |_| refused("feature 0 is constant (1.25); leave that column out or use a ridge"),
        ),
        day(
            "three distinct rows for five components",
            5,
            Mat::from_fn(30, 2, |i, j| ((i % 3) * (j + 1)) as f64),
            |_| Repaired,
        ),
        day(
            "nine rows in ten the same",
            2,
            Mat::from_fn(
                200,
                2,
                |i, j| if i % 10 > 0 { 0.0 } else { uniform(2 * i + j) },
            ),
            |_| Valid,
        ),
        day("an integer grid", 3, data::integer_grid(6, 2).x, |_| Valid),
        day(
            "counts with ties",
            2,
            Mat::from_fn(100, 2, |i, j| (4.0 * uniform(2 * i + j)).floor()),
            |_| Valid,
        ),
        day(
            "zeros of both signs",
            2,
            Mat::from_fn(40, 2, |i, j| {
                if (i + j) % 3 == 0 {
                    -0.0
                } else {
                    uniform(i + j)
                }
            }),
            |_| Valid,
        ),
    ]
}

fn days_of_outliers() -> Vec<Day> {
    let cauchy = |i: usize, j: usize| (std::f64::consts::PI * (uniform(2 * i + j) - 0.5)).tan();
    vec![
        day("heavy tails", 3, Mat::from_fn(300, 2, cauchy), |_| Valid),
        day("one row at 1e20", 2, with_cells(&[(7, 0, 1e20)]), |form| {
            if needs_one_unit(form) {
                negligible(form, 1)
            } else {
                Valid
            }
        }),
        day(
            "one row at 1e150",
            2,
            with_cells(&[(7, 0, 1e150), (7, 1, 1e150)]),
            |_| Valid,
        ),
        day(
            "one row at 1e200",
            2,
            with_cells(&[(7, 0, 1e200), (7, 1, 1e200)]),
            out_of_range,
        ),
        day(
            "cells at both ends of the range",
            2,
            with_cells(&[
                (7, 0, f64::MAX),
                (8, 0, f64::MIN),
                (9, 1, f64::MAX),
                (10, 1, f64::MIN),
            ]),
            out_of_range,
        ),
    ]
}

/// Tables that are the good one in other units: the same fit must come of them.
fn days_of_units() -> Vec<Day> {
    let scaled = |scale: f64| moved([scale; 2], 0.0);
    vec![
        day(
            "an offset of 1e8, a spread of 1e-3",
            2,
            moved([1e-3; 2], 1e8),
            |_| Right,
        ),
        day("an offset of 1e12", 2, moved([1.0; 2], 1e12), |_| Right),
        day("values of 1e-150", 2, scaled(1e-150), |_| Right),
        day("values of 1e-6", 2, scaled(1e-6), |_| Right),
        day("values of 1e6", 2, scaled(1e6), |_| Right),
        day("values of 1e150", 2, scaled(1e150), |_| Right),
        day(
            "columns of 1e-8 and 1e8",
            2,
            moved([1e-8, 1e8], 0.0),
            |form| {
                if needs_one_unit(form) {
                    negligible(form, 0)
                } else {
                    Right
                }
            },
        ),
        day(
            "columns of 1e-150 and 1e150",
            2,
            moved([1e-150, 1e150], 0.0),
            |form| {
                if needs_one_unit(form) {
                    negligible(form, 0)
                } else {
                    Right
                }
            },
        ),
        day("values of 1e-170", 2, scaled(1e-170), out_of_range),
        day("values of 1e-300", 2, scaled(1e-300), out_of_range),
        day("values of 1e160", 2, scaled(1e160), out_of_range),
        day("values of 1e300", 2, scaled(1e300), out_of_range),
        day("subnormal values", 2, scaled(1e-310), out_of_range),
        day("values of the last bits", 2, scaled(1e-320), out_of_range),
    ]
}

fn run(days: Vec<Day>) {
    for day in days {
        for form in CovarianceType::ALL {
            for start in Initialization::ALL {
                let what = format!("{}, {form}, start {}", day.name, start.name());
                let em = Em::new(day.n_components)
                    .covariance(form)
                    .initialization(start);
                let outcome = match em.fit(&day.x) {
                    Ok(fit) => {
                        checked(&fit, Samples::from(&day.x), &what);
                        let is_repaired =
                            !fit.report().events.is_empty() || fit.report().n_singular > 0;
                        if is_repaired { Repaired } else { Right }
                    }
                    Err(error) => Refused(error.to_string()),
                };
                match (day.expected)(form) {
                    Valid => assert!(!matches!(outcome, Refused(_)), "{what}: {outcome:?}"),
                    expected => assert_eq!(outcome, expected, "{what}"),
                }
            }
        }
    }
}

#[test]
fn few_rows() {
    run(days_of_few_rows());
}

#[test]
fn columns_that_depend_on_each_other() {
    run(days_of_columns());
}

#[test]
fn rows_that_repeat() {
    run(days_of_repeated_rows());
}

#[test]
fn outliers() {
    run(days_of_outliers());
}

#[test]
fn units_and_offsets() {
    run(days_of_units());
}

/// What comes of a table in other units is the fit of the good one: the same groups, and log L - n Σ log aⱼ.
#[test]
fn other_units_are_the_same_fit() {
    let x = good();
    for form in CovarianceType::ALL {
        let em = Em::new(2).covariance(form);
        let expected = em.fit(&x).unwrap();
        for (a, b) in [
            ([1e-3_f64; 2], 1e8_f64),
            ([1.0; 2], 1e12),
            ([1e-150; 2], 0.0),
            ([1e150; 2], 0.0),
            ([1e-6, 1e3], 0.0),
        ] {
            if a[0].to_bits() != a[1].to_bits() && !form.is_scale_free() {
                continue;
            }
            let x_moved = moved(a, b);
            let fit = em.fit(&x_moved).unwrap();
            let what = format!("{form}, x {a:?} + {b}");
            assert_eq!(
                fit.model().predict(&x_moved).unwrap(),
                expected.model().predict(&x).unwrap(),
                "{what}"
            );
            let shift = 60.0 * (a[0].ln() + a[1].ln());
            let off = fit.report().log_likelihood + shift - expected.report().log_likelihood;
            // A cell is rounded to half a last bit at b; in standard deviations of a (the groups' are about 1) that moves each
            // row's log-density by its distance times as much; and both fits stop within 0.001 nats of their optimum.
            let rounding = 60.0 * 2.0 * 4.0 * f64::EPSILON * (1.0 + b.abs() / a[0].min(a[1]));
            let bound = rounding + 2e-3 + 1e-12 * shift.abs();
            assert!(
                off.abs() <= bound,
                "{what}: off by {off:e}, bound {bound:e}"
            );
        }
    }
}

/// A cell that is no number is named wherever it stands, by fits and by models.
#[test]
fn no_number_goes_unnoticed() {
    let x = good().subrows(0, 20).to_owned();
    for form in CovarianceType::ALL {
        let em = Em::new(2).covariance(form);
        let model = em.fit(&x).unwrap().into_model();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for (row, column) in (0..20).flat_map(|i| [(i, 0), (i, 1)]) {
                let mut bad = x.clone();
                bad[(row, column)] = value;
                let expected = format!(
                    "row {row}, column {column} is {value} (counted from 0); every cell must be a finite number, so remove the row \
                     or fill the cell"
                );
                assert_eq!(em.fit(&bad).unwrap_err().to_string(), expected);
                assert_eq!(model.predict(&bad).unwrap_err().to_string(), expected);
                assert_eq!(model.log_density(&bad).unwrap_err().to_string(), expected);
                assert_eq!(
                    model.responsibilities(&bad).unwrap_err().to_string(),
                    expected
                );
            }
        }
    }
}

#[test]
fn many_components() {
    // Ten thousand components on twelve thousand rows, in one iteration: the time of a test, and K is not what breaks.
    let x = noise(12_000, 2);
    for form in [
        CovarianceType::Diag,
        CovarianceType::Eii,
        CovarianceType::Full,
    ] {
        let em = Em::new(10_000)
            .covariance(form)
            .initialization(Initialization::RandomFromData)
            .max_iterations(1);
        let fit = em.fit(&x).unwrap();
        assert!(fit.report().log_likelihood.is_finite());
        let total: f64 = fit.model().weights().iter().sum();
        assert!((total - 1.0).abs() <= 2e4 * f64::EPSILON, "{form}: {total}");
    }
}

#[test]
fn many_features() {
    let fit = |[n, d]: [usize; 2], k, form, n_iterations| {
        let em = Em::new(k)
            .covariance(form)
            .initialization(Initialization::KMeansPlusPlus)
            .max_iterations(n_iterations);
        em.fit(&noise(n, d)).unwrap()
    };
    for form in [
        CovarianceType::Diag,
        CovarianceType::Eei,
        CovarianceType::Spherical,
    ] {
        let fit = fit([500, 2000], 2, form, 2);
        assert!(fit.report().log_likelihood.is_finite(), "{form}");
        assert_eq!(fit.report().n_singular, 0, "{form}");
    }
    let tied = fit([500, 2000], 1, CovarianceType::Tied, 1);
    assert!(tied.report().log_likelihood.is_finite());
    assert_eq!(tied.report().n_singular, 1);
    // Groups so far apart in units of the floor are exchanged by no row, so that the second M-step is the first one again: what
    // the likelihood moves by is rounding, which the floor magnifies by 1e9. Eigenvalues of half the digits moved it by 2 %.
    for form in [CovarianceType::Full, CovarianceType::Tied] {
        let fit = fit([200, 800], 2, form, 2);
        assert!(fit.report().n_singular > 0, "{form}");
        let (first, second) = (fit.report().trace[0], fit.report().trace[1]);
        let bound = 1e9 * 800.0 * f64::EPSILON * first.abs();
        assert!((second - first).abs() <= bound, "{form}: {first} {second}");
    }
}
