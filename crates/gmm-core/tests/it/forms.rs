//! M-steps of the fourteen forms: each ends in its form, never below where it began, and where no small change within the form helps.

use gmm_core::covariance::{Maximized, Moments, Regularizer, Variation, maximize};
use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;
use gmm_core::{CovarianceType, Covariances};
use gmm_testkit::data;
use gmm_testkit::naive as linalg;
use proptest::prelude::*;
use rand::RngExt;

/// Groups of rows about 0: counts and scatters of rank `rank`, columns of unlike size.
pub(crate) fn groups(
    form: CovarianceType,
    k: usize,
    d: usize,
    rank: usize,
    seed: u64,
) -> Vec<Moments> {
    let mut rng = data::generator(seed);
    let mut uniform = || 2.0 * rng.random::<f64>() - 1.0;
    let sizes: Vec<f64> = (0..d).map(|_| 4f64.powf(uniform())).collect();
    let group = |_| {
        let occupancy = 20.0 * 4f64.powf(uniform());
        let size = 3f64.powf(uniform());
        let rows: Vec<Vec<f64>> = (0..rank)
            .map(|_| sizes.iter().map(|s| s * size * uniform()).collect())
            .collect();
        let entry = |i: usize, j: usize| {
            occupancy * rows.iter().map(|r| r[i] * r[j]).sum::<f64>() / rank as f64
        };
        let mut moments = Moments::zeros(form.structure(), d);
        moments.occupancy = occupancy;
        if moments.scatter.len() == d {
            (0..d).for_each(|j| moments.scatter[j] = entry(j, j));
        } else {
            let lower = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
            (moments.scatter.iter_mut().zip(lower)).for_each(|(s, (i, j))| *s = entry(i, j));
        }
        moments
    };
    (0..k).map(group).collect()
}

pub(crate) fn m_step(
    form: CovarianceType,
    groups: &[Moments],
    regularizer: &Regularizer,
    previous: Option<&Covariances>,
) -> Maximized {
    let shifts = Mat::zeros(groups.len(), groups[0].mean.len());
    maximize(form, &shifts, groups, regularizer, previous).unwrap()
}

pub(crate) fn matrix(covariances: &Covariances, k: usize) -> Vec<Vec<f64>> {
    crate::rows(&covariances.component(k))
}

/// -½ Σₖ (Nₖ log|Σₖ| + tr Σₖ⁻¹Wₖ): what an M-step raises.
pub(crate) fn expected_log_likelihood(groups: &[Moments], covariances: &Covariances) -> f64 {
    let d = groups[0].mean.len();
    let term = |(k, m): (usize, &Moments)| {
        let lower = linalg::cholesky(&matrix(covariances, k)).unwrap();
        let inverse = linalg::invert_lower(&lower);
        let is_diagonal = m.scatter.len() == d;
        let scatter = |i: usize, j: usize| match (is_diagonal, i == j) {
            (true, true) => m.scatter[i],
            (true, false) => 0.0,
            _ => m.scatter[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)],
        };
        let trace: f64 = (inverse.iter())
            .map(|row| {
                let sum = |i: usize| (0..d).map(|j| row[j] * scatter(i, j)).sum::<f64>();
                (0..d).map(|i| row[i] * sum(i)).sum::<f64>()
            })
            .sum();
        -0.5 * (m.occupancy * linalg::log_determinant(&lower) + trace)
    };
    groups.iter().enumerate().map(term).sum()
}

/// Whether numbers are all within this part of their largest.
fn are_equal(values: &[f64], tolerance: f64) -> bool {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values
        .iter()
        .all(|v| (v - largest).abs() <= tolerance * largest.abs())
}

/// Whether matrices have in common what their form says, to a relative error.
pub(crate) fn assert_is_member(covariances: &Covariances, tolerance: f64) {
    let (form, d, n) = (
        covariances.form(),
        covariances.n_features(),
        covariances.n_components(),
    );
    let eigen: Vec<Eigen> = (0..n)
        .map(|k| Eigen::new(covariances.component(k).as_ref()).unwrap())
        .collect();
    let volume = |e: &Eigen| (e.values.iter().map(|v| v.ln()).sum::<f64>() / d as f64).exp();
    let volumes: Vec<f64> = eigen.iter().map(volume).collect();
    if form.volume() == Variation::Equal {
        assert!(
            are_equal(&volumes, tolerance),
            "{form}: volumes {volumes:?}"
        );
    }
    for j in 0..d {
        let shapes: Vec<f64> = eigen
            .iter()
            .zip(&volumes)
            .map(|(e, v)| e.values[j] / v)
            .collect();
        match form.shape() {
            Variation::Variable => {}
            Variation::Equal => assert!(are_equal(&shapes, tolerance), "{form}: shapes {shapes:?}"),
            Variation::Identity => assert!(shapes.iter().all(|s| (s - 1.0).abs() <= tolerance)),
        }
    }
    match form.orientation() {
        Variation::Variable => {}
        Variation::Identity => {
            for k in 0..n {
                let entry = |i: usize, j: usize| covariances.component(k)[(i, j)];
                assert!((0..d).all(|i| (0..i).all(|j| entry(i, j) == 0.0)));
            }
        }
        // Matrices with common axes commute.
        Variation::Equal => {
            for k in 1..n {
                let (a, b) = (matrix(covariances, 0), matrix(covariances, k));
                let (ab, ba) = (linalg::product(&a, &b), linalg::product(&b, &a));
                let size = eigen[0].values[d - 1] * eigen[k].values[d - 1];
                for (x, y) in ab.iter().flatten().zip(ba.iter().flatten()) {
                    assert!((x - y).abs() <= tolerance * size, "{form}: {x} {y}");
                }
            }
        }
    }
}

pub(crate) fn form() -> impl Strategy<Value = CovarianceType> {
    prop::sample::select(CovarianceType::ALL.to_vec())
}

/// A floor below the variances of all groups, one that holds some directions, or none.
pub(crate) fn regularizer(d: usize, kind: usize) -> Regularizer {
    match kind {
        0 => Regularizer::None,
        1 => Regularizer::Floor(vec![1e-9; d]),
        _ => Regularizer::Floor((0..d).map(|j| 0.1 + 0.05 * j as f64).collect()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Eigenvalues of matrices of condition κ carry a relative error of about D ε κ; scatters of 8 rows and more, and floors, keep κ
    /// below 1e6 here.
    #[test]
    fn an_m_step_ends_in_its_form(form in form(), k in 1usize..=4, d in 1usize..=4, kind in 0usize..3, seed in any::<u64>()) {
        let end = m_step(form, &groups(form, k, d, 8 + d, seed), &regularizer(d, kind), None);
        assert_is_member(&end.covariances, 1e-8);
        prop_assert!(kind == 2 || end.repairs.is_empty());
    }

    /// What began in the form and above the floor never ends lower; the sums have an error of some ε of their size.
    #[test]
    fn an_m_step_never_ends_below_its_start(form in form(), k in 1usize..=4, d in 1usize..=4, kind in 0usize..3, rank in 1usize..12, seed in any::<u64>()) {
        // Without a floor at work scatters have full rank.
        let rank = if kind == 2 { rank } else { d + 3 + rank };
        let regularizer = regularizer(d, kind);
        let before = m_step(form, &groups(form, k, d, 8 + d, seed ^ 1), &regularizer, None).covariances;
        let moments = groups(form, k, d, rank, seed);
        let after = m_step(form, &moments, &regularizer, Some(&before)).covariances;
        let (low, high) = (expected_log_likelihood(&moments, &before), expected_log_likelihood(&moments, &after));
        prop_assert!(high >= low - 1e-10 * (1.0 + low.abs()), "{}: {} to {}", form, low, high);
    }

    /// No member of the form a little away is better: the end is a local maximum. The neighbours are those that are nearest to matrices
    /// with entries changed by one part in a thousand.
    #[test]
    fn an_m_step_ends_where_no_neighbour_is_better(form in form(), k in 1usize..=4, d in 1usize..=4, kind in 0usize..3, seed in any::<u64>()) {
        let regularizer = regularizer(d, kind);
        let moments = groups(form, k, d, 8 + d, seed);
        let end = m_step(form, &moments, &regularizer, None).covariances;
        let best = expected_log_likelihood(&moments, &end);
        let mut rng = data::generator(seed ^ 2);
        for _ in 0..8 {
            let mut near = moments.clone();
            for (k, m) in near.iter_mut().enumerate() {
                let is_diagonal = m.scatter.len() == d;
                let lower = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))).filter(|(i, j)| !is_diagonal || i == j);
                let covariance = end.component(k);
                for (s, (i, j)) in m.scatter.iter_mut().zip(lower) {
                    let size = (covariance[(i, i)] * covariance[(j, j)]).sqrt();
                    *s = m.occupancy * (covariance[(i, j)] + 1e-3 * size * (rng.random::<f64>() - 0.5));
                }
            }
            let neighbour = m_step(form, &near, &regularizer, Some(&end)).covariances;
            let other = expected_log_likelihood(&moments, &neighbour);
            prop_assert!(other <= best + 1e-10 * (1.0 + best.abs()), "{}: {} beside {}", form, other, best);
        }
    }
}

#[test]
fn parameters_of_one_feature_are_those_of_volumes() {
    for form in CovarianceType::ALL {
        let expected = if form.volume() == Variation::Equal {
            1
        } else {
            5
        };
        assert_eq!(form.n_covariance_parameters(5, 1), expected, "{form}");
    }
}

/// The numbers of covariance parameters of Celeux and Govaert (1995), table 1, with α = K D + K - 1 for the rest and β = D (D + 1) / 2.
#[test]
fn parameters_are_those_of_celeux_and_govaert() {
    for (k, d) in [(1, 2), (2, 4), (3, 4), (5, 3)] {
        let (alpha, beta) = (k * d + k - 1, d * (d + 1) / 2);
        for form in CovarianceType::ALL {
            let expected = match form.mclust_name() {
                "EII" => 1,
                "VII" => k,
                "EEI" => d,
                "VEI" => d + k - 1,
                "EVI" => k * d - k + 1,
                "VVI" => k * d,
                "EEE" => beta,
                "VEE" => beta + k - 1,
                "EVE" => beta + (k - 1) * (d - 1),
                "VVE" => beta + (k - 1) * d,
                "EEV" => k * beta - (k - 1) * d,
                "VEV" => k * beta - (k - 1) * (d - 1),
                "EVV" => k * beta - (k - 1),
                _ => k * beta,
            };
            assert_eq!(form.n_covariance_parameters(k, d), expected, "{form}");
            assert_eq!(form.n_free_parameters(k, d), alpha + expected, "{form}");
        }
    }
}

/// The forms whose M-steps Celeux and Govaert (1995) give as searches.
#[test]
fn five_forms_have_no_closed_m_step() {
    let open = CovarianceType::ALL
        .into_iter()
        .filter(|f| !f.has_closed_m_step());
    let mut names: Vec<&str> = open.map(CovarianceType::mclust_name).collect();
    names.sort_unstable();
    assert_eq!(names, ["EVE", "VEE", "VEI", "VEV", "VVE"]);
}

/// Two forms are equal where the M-step of each is that of the other for all data.
#[test]
fn forms_of_one_feature_are_those_of_their_volumes() {
    for a in CovarianceType::ALL {
        for b in CovarianceType::ALL {
            let same_volume = a.volume() == b.volume();
            assert_eq!(a.equals_for(b, 1), same_volume, "{a} {b}");
            assert_eq!(a.equals_for(b, 2), a == b, "{a} {b}");
            let of_one = |form| m_step(form, &groups(form, 3, 1, 8, 1), &Regularizer::None, None);
            let (x, y) = (of_one(a).covariances, of_one(b).covariances);
            let is_same = (0..3).all(|k| {
                let (x, y) = (x.variances(k)[0], y.variances(k)[0]);
                (x - y).abs() <= 1e-12 * x
            });
            assert_eq!(is_same, same_volume, "{a} {b}");
        }
    }
}
