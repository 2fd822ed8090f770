//! The hierarchy against costs found anew, and its parts by their definitions.

use super::*;

/// Costs found anew after every join, all pairs of them.
fn slow(points: Points) -> Vec<[usize; 2]> {
    let n = points.weights.len();
    let mut state = Agglomeration::new(points);
    let mut merges = Vec::new();
    for _ in 1..n {
        let mut best: Option<(f64, [usize; 2])> = None;
        for i in 0..n {
            for j in i + 1..n {
                if state.groups[i].is_some() && state.groups[j].is_some() {
                    state.price(i, j);
                    let cost = state.costs[j * (j - 1) / 2 + i];
                    if best.is_none_or(|b| cost < b.0) {
                        best = Some((cost, [i, j]));
                    }
                }
            }
        }
        let (_, [i, j]) = best.unwrap();
        state.join([i, j]);
        merges.push([i, j]);
    }
    merges
}

fn points(seed: u64, n: usize, d: usize) -> Points {
    let x = gmm_testkit::data::overlapping(seed, n, d, 3).x;
    Points {
        n_axes: d,
        values: (0..n * d).map(|at| x[(at / d, at % d)]).collect(),
        weights: (0..n).map(|i| 1.0 + (i % 3) as f64).collect(),
    }
}

#[test]
fn kept_costs_lead_where_new_ones_do() {
    for (seed, d) in [(1, 1), (2, 2), (3, 5)] {
        let mut state = Agglomeration::new(points(seed, 40, d));
        let mut merges = Vec::new();
        while let Some(pair) = state.cheapest() {
            state.join(pair);
            merges.push(pair);
        }
        assert_eq!(merges, slow(points(seed, 40, d)));
    }
    // On a lattice nearly all costs are tied.
    let lattice = || Points {
        n_axes: 2,
        values: (0..36)
            .flat_map(|at| [(at % 6) as f64, (at / 6) as f64])
            .collect(),
        weights: vec![1.0; 36],
    };
    let mut state = Agglomeration::new(lattice());
    let mut merges = Vec::new();
    while let Some(pair) = state.cheapest() {
        state.join(pair);
        merges.push(pair);
    }
    assert_eq!(merges, slow(lattice()));
}

#[test]
fn labels_are_the_groups_that_are_left() {
    let hierarchy = Hierarchy {
        rows: (0..5).collect(),
        merges: vec![[1, 3], [0, 4], [1, 2], [0, 1]],
    };
    assert_eq!(hierarchy.labels(5), [0, 1, 2, 3, 4]);
    assert_eq!(hierarchy.labels(3), [0, 1, 2, 1, 0]);
    assert_eq!(hierarchy.labels(2), [0, 1, 1, 1, 0]);
    assert_eq!(hierarchy.labels(1), [0; 5]);
    assert_eq!(hierarchy.labels(9), [0, 1, 2, 3, 4]);
}

#[test]
fn a_determinant_by_hand() {
    assert!((determinant(&mut [4.0, 2.0, 5.0], 2) - 16.0).abs() < 1e-12);
    assert!(determinant(&mut [1.0, 1.0, 1.0], 2) <= 0.0);
    // L L' of L = [2 0 0; 1 3 0; -1 2 4] in whole numbers.
    let mut product = [4.0, 2.0, 10.0, -2.0, 5.0, 21.0];
    assert!((determinant(&mut product, 3) - 576.0).abs() < 1e-9);
}

/// The singular values of the standardized rows: Z'Z is diagonal with them, and their squares sum to D (N - 1). A feature without
/// spread has no direction.
#[test]
fn directions_are_without_correlation() {
    let n = 50;
    let base = gmm_testkit::data::overlapping(4, n, 3, 2).x;
    let x = Mat::from_fn(n, 5, |i, j| match j {
        3 => 7.0,
        4 => 1e3 * (base[(i, 0)] + 0.1 * base[(i, 1)]),
        _ => base[(i, j)] + 5.0 * base[(i, 0)],
    });
    let weights: Vec<f64> = (0..n).map(|i| 1.0 + (i % 3) as f64).collect();
    let samples = Samples::from(&x).with_weights(&weights);
    let summary = Summary::new(&samples, CovarianceType::Full).unwrap();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
    let sketch = Sketch::draw(&samples, &summary, CovarianceType::Full, n, &mut rng);
    let points = decorrelated(&sketch);
    let total: f64 = points.weights.iter().sum();
    // The fifth feature is a sum of two others.
    assert_eq!(points.n_axes, 3);
    let z = |i: usize, a: usize| points.values[i * 3 + a];
    let product =
        |a: usize, b: usize| -> f64 { (0..n).map(|i| points.weights[i] * z(i, a) * z(i, b)).sum() };
    let values: Vec<f64> = (0..3).map(|a| product(a, a)).collect();
    assert!(values.is_sorted_by(|a, b| a > b), "{values:?}");
    let squares: f64 = values.iter().map(|v| v * v).sum();
    assert!(
        (squares - 4.0 * (total - 1.0)).abs() <= 1e-10 * total,
        "{squares}"
    );
    for a in 0..3 {
        let mean: f64 = (0..n).map(|i| points.weights[i] * z(i, a)).sum();
        assert!(mean.abs() <= 1e-10 * total);
        assert!((0..a).all(|b| product(a, b).abs() <= 1e-10 * total));
    }
}

/// n log(|W / n| + (tr W + α) / n), of W about the mean of both groups.
#[test]
fn costs_are_those_of_the_criterion() {
    let d = 2;
    let Points { values, .. } = points(5, 12, d);
    let group = |rows: std::ops::Range<usize>| -> Group {
        let count = rows.len() as f64;
        let mean: Vec<f64> = (0..d)
            .map(|j| rows.clone().map(|i| values[i * d + j]).sum::<f64>() / count)
            .collect();
        let entry = |a: usize, b: usize| -> f64 {
            let z = |i: usize, j: usize| values[i * d + j] - mean[j];
            rows.clone().map(|i| z(i, a) * z(i, b)).sum()
        };
        let scatter = vec![entry(0, 0), entry(1, 0), entry(1, 1)];
        Group {
            count,
            mean,
            trace: scatter[0] + scatter[2],
            scatter,
            term: 0.0,
        }
    };
    let (a, b, whole) = (group(0..5), group(5..12), group(0..12));
    let (joint, mut scatter) = (Joint::of(&a, &b), Vec::new());
    joint.scatter(&a, &b, &mut scatter);
    assert!((joint.count - 12.0).abs() <= 1e-12);
    let size = 1.0 + whole.trace;
    assert!((joint.trace - whole.trace).abs() <= 1e-12 * size);
    for (found, expected) in scatter.iter().zip(&whole.scatter) {
        assert!((found - expected).abs() <= 1e-12 * size);
    }
    let (alpha, [p, q, r]) = (0.3, [scatter[0], scatter[1], scatter[2]]);
    let ridge = |n: f64| (p + r + alpha) / n;
    let expected = 12.0 * ((p * r - q * q) / 144.0 + ridge(12.0)).ln();
    let joined = Group::joined(&a, &b, alpha);
    assert!((joined.term - expected).abs() <= 1e-12 * expected.abs());
    assert_eq!((joined.count, &joined.scatter), (12.0, &scatter));
    // Two rows in a plane have no determinant.
    let found = Group::term(2.0, p + r, &mut [], d, alpha);
    assert!((found - 2.0 * ridge(2.0).ln()).abs() <= 1e-12 * found.abs());
}
