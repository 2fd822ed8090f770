//! M-steps end at maxima: no other volumes, shapes or axes of the form are better. Neighbours are made by hand here, not by an M-step.

use gmm_core::covariance::{Moments, Regularizer, Variation, blocks_below_floor};
use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;
use gmm_core::{CovarianceType, Covariances};
use gmm_testkit::data;
use gmm_testkit::naive as linalg;
use proptest::prelude::*;
use rand::RngExt;

use crate::forms::{expected_log_likelihood, form, groups, m_step, matrix, regularizer};

/// The axes that all components share, row by row: those of a sum whose variances have no reason to be equal. (Those of one component may be,
/// where a floor holds them, and its own axes may lie anywhere then.)
fn shared_axes(covariances: &Covariances) -> Vec<Vec<f64>> {
    let (n, d) = (covariances.n_components(), covariances.n_features());
    let sum = Mat::from_fn(d, d, |i, j| {
        let weight = |k: usize| (1.0 + 0.37 * k as f64).sqrt();
        let terms = (0..n).map(|k| weight(k) * covariances.component(k)[(i, j)]);
        terms.sum::<f64>()
    });
    crate::rows(&Eigen::new(sum.as_ref()).unwrap().vectors)
}

/// Axes of a component and the variances along them; those of the coordinates where the form has no others.
fn principal(covariances: &Covariances, k: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (form, d) = (covariances.form(), covariances.n_features());
    let is_along_coordinates =
        form.orientation() == Variation::Identity || form.shape() == Variation::Identity;
    if is_along_coordinates {
        let unit = |i: usize, j: usize| f64::from(u8::from(i == j));
        let axes = (0..d)
            .map(|i| (0..d).map(|j| unit(i, j)).collect())
            .collect();
        return (covariances.variances(k), axes);
    }
    if form.orientation() == Variation::Equal {
        let (axes, covariance) = (shared_axes(covariances), matrix(covariances, k));
        let along = |a: usize| -> f64 {
            let row = |i: usize| (0..d).map(|j| axes[j][a] * covariance[i][j]).sum::<f64>();
            (0..d).map(|i| axes[i][a] * row(i)).sum()
        };
        return ((0..d).map(along).collect(), axes);
    }
    let eigen = Eigen::new(covariances.component(k).as_ref()).unwrap();
    (eigen.values, crate::rows(&eigen.vectors))
}

/// The rotation by an angle in a random plane of two coordinates.
fn turn(d: usize, angle: f64, plane: (usize, usize)) -> Vec<Vec<f64>> {
    let (sine, cosine) = angle.sin_cos();
    let entry = |i: usize, j: usize| match (i == plane.0, i == plane.1, j == plane.0, j == plane.1)
    {
        (true, _, true, _) | (_, true, _, true) => cosine,
        (true, _, _, true) => -sine,
        (_, true, true, _) => sine,
        _ => f64::from(u8::from(i == j)),
    };
    (0..d)
        .map(|i| (0..d).map(|j| entry(i, j)).collect())
        .collect()
}

/// Covariances of the same form, a step away in volumes, shapes and axes.
fn neighbour(covariances: &Covariances, step: f64, rng: &mut impl rand::Rng) -> Covariances {
    let (form, n, d) = (
        covariances.form(),
        covariances.n_components(),
        covariances.n_features(),
    );
    let mut draw = |variation: Variation, len: usize| -> Vec<Vec<f64>> {
        let mut one = || -> Vec<f64> {
            (0..len)
                .map(|_| step * (rng.random::<f64>() - 0.5))
                .collect()
        };
        match variation {
            Variation::Identity => vec![vec![0.0; len]; n],
            Variation::Equal => vec![one(); n],
            Variation::Variable => (0..n).map(|_| one()).collect(),
        }
    };
    let volumes = draw(form.volume(), 1);
    let shapes = draw(form.shape(), d);
    let turns = draw(
        if form.shape() == Variation::Identity {
            Variation::Identity
        } else {
            form.orientation()
        },
        d * (d - 1) / 2,
    );
    let block = |k: usize| {
        let (values, axes) = principal(covariances, k);
        let mean = shapes[k].iter().sum::<f64>() / d as f64;
        let values: Vec<f64> = (values.iter().zip(&shapes[k]))
            .map(|(v, s)| v * (volumes[k][0] + s - mean).exp())
            .collect();
        let planes = (1..d).flat_map(|a| (0..a).map(move |b| (a, b)));
        let axes = (planes.zip(&turns[k])).fold(axes, |axes, (plane, angle)| {
            linalg::product(&turn(d, *angle, plane), &axes)
        });
        let entry = |i: usize, j: usize| {
            (0..d)
                .map(|m| axes[i][m] * values[m] * axes[j][m])
                .sum::<f64>()
        };
        match form.block_len(d) {
            1 => vec![values[0]],
            len if len == d => values,
            _ => {
                let rows = (0..d).flat_map(|i| (0..d).map(move |j| (i.max(j), i.min(j))));
                rows.map(|(i, j)| entry(i, j)).collect()
            }
        }
    };
    let blocks = (0..form.n_blocks(n)).map(block).collect();
    Covariances::new(form, n, d, blocks).unwrap()
}

/// Moments with a scatter of each group about its mean.
fn assert_is_best(
    moments: &[Moments],
    regularizer: &Regularizer,
    end: &Covariances,
    rng: &mut impl rand::Rng,
) -> Result<(), TestCaseError> {
    let best = expected_log_likelihood(moments, end);
    for step in [1e-1, 1e-2, 1e-3, 1e-4] {
        for _ in 0..4 {
            let other = neighbour(end, step, rng);
            if let Regularizer::Floor(floor) = regularizer
                && !blocks_below_floor(&other, floor).is_empty()
            {
                continue;
            }
            let value = expected_log_likelihood(moments, &other);
            // Some hundred terms of some digits each.
            prop_assert!(
                value <= best + 1e-11 * (1.0 + best.abs()),
                "{}: {value} beside {best} at {step}",
                end.form()
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_other_member_of_the_form_is_better(form in form(), k in 1usize..=4, d in 1usize..=5, kind in 0usize..3, seed in any::<u64>()) {
        let regularizer = regularizer(d, kind);
        let moments = groups(form, k, d, 8 + d, seed);
        let mut rng = data::generator(seed ^ 5);
        let end = m_step(form, &moments, &regularizer, None).covariances;
        assert_is_best(&moments, &regularizer, &end, &mut rng)?;
        // A search that begins elsewhere ends as well, but where a floor holds directions of both: from axes of another matrix a search of
        // VVE may then spend all its steps on the way.
        if kind < 2 {
            let before = m_step(form, &groups(form, k, d, 8 + d, seed ^ 6), &regularizer, None).covariances;
            let end = m_step(form, &moments, &regularizer, Some(&before)).covariances;
            assert_is_best(&moments, &regularizer, &end, &mut rng)?;
        }
    }
}

/// The equations of common principal components (Flury 1984): Σₖ bₖₐᵦ (1/vₖₐ - 1/vₖᵦ) = 0 for each pair of axes, where bₖ is the scatter
/// along the axes. A turn by one angle would gain slope² / curvature, and the search goes on while it can see gains in the sum of K D
/// logarithms and quotients, each with some digits of error.
#[test]
fn common_axes_solve_their_equations() {
    for form in [CovarianceType::Eve, CovarianceType::Vve] {
        for (k, d) in [(2, 2), (3, 3), (4, 5), (3, 9), (5, 16)] {
            for seed in 0..8 {
                let moments = groups(form, k, d, 2 * d + 8, seed);
                let elsewhere = groups(form, k, d, 2 * d + 8, seed + 100);
                let before = m_step(form, &elsewhere, &Regularizer::None, None).covariances;
                for previous in [None, Some(&before)] {
                    let end = m_step(form, &moments, &Regularizer::None, previous).covariances;
                    let n_terms = d as f64 * moments.iter().map(|m| m.occupancy).sum::<f64>();
                    let objective = 2.0 * expected_log_likelihood(&moments, &end);
                    let noise = 64.0 * f64::EPSILON * (objective.abs() + n_terms);
                    let axes = shared_axes(&end);
                    let along = |of: &dyn Fn(usize, usize) -> f64, a: usize, b: usize| {
                        let row = |i: usize| (0..d).map(|j| of(i, j) * axes[j][b]).sum::<f64>();
                        (0..d).map(|i| axes[i][a] * row(i)).sum::<f64>()
                    };
                    for a in 0..d {
                        for b in 0..a {
                            let (mut slope, mut size) = (0.0, 0.0);
                            for (k, m) in moments.iter().enumerate() {
                                let covariance = matrix(&end, k);
                                let variance = |a| along(&|i, j| covariance[i][j], a, a);
                                let scatter = |i: usize, j: usize| {
                                    m.scatter[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)]
                                };
                                let (u, v) = (variance(a).recip(), variance(b).recip());
                                slope += along(&scatter, a, b) * (u - v);
                                size += (along(&scatter, a, a) + along(&scatter, b, b)) * (u + v);
                            }
                            assert!(
                                slope * slope / size <= noise,
                                "{form} {k} {d} {seed}: {slope} of {size}"
                            );
                        }
                    }
                }
            }
        }
    }
}
