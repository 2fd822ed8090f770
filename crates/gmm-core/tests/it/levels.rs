//! A whole EM step on each instruction set of this machine, made of the kernels that the library dispatches, against the textbook twin:
//! what a kernel leaves is what the next one takes.

use gmm_core::Samples;
use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::kernels::operations::{
    DenseSums, DiagonalSums, Line, Normalize, Plain, ScaledNorm, SquaredNorm,
};
use gmm_core::kernels::{Panels, Whitener, packed_len};
use gmm_testkit::naive::{self, Form, MStep, Mixture};
use proptest::prelude::*;
use pulp::Arch;

use crate::kernels::{EPS, LANES, instruction_sets};
use crate::naive::joint_tolerances;
use crate::{bits, matrix, mixture_of, mixture_with_rows, responsibility_tolerances};

/// What one step leaves: log-densities and responsibilities by row, then per component the occupancy, the mean, and the covariance as
/// (i, j <= i), of diagonal forms only i = j.
#[derive(Clone, Debug)]
struct Step {
    log_density: Vec<f64>,
    responsibilities: Vec<Vec<f64>>,
    occupancy: Vec<f64>,
    means: Vec<Vec<f64>>,
    covariances: Vec<Vec<f64>>,
}

/// E-step and M-step of free matrices on one block, every kernel on the one instruction set.
fn step(set: Arch, m: &Mixture, block: &Block) -> Step {
    let (k_all, d, x) = (m.n_components(), m.n_features(), block.values());
    let is_dense = matches!(m.form, Form::Full | Form::Tied);
    let mut joint = vec![0.0; k_all * BLOCK_ROWS];
    let mut centred = vec![0.0; x.len()];
    let mut panels = Panels::default();
    set.dispatch(panels.reading(x));
    for (k, out) in joint.chunks_exact_mut(BLOCK_ROWS).enumerate() {
        let differences = Plain {
            x,
            shift: &m.means[k],
        };
        let l = naive::cholesky(&m.covariances[k]).unwrap();
        let log_two_pi = (2.0 * std::f64::consts::PI).ln();
        let constant =
            m.weights[k].ln() - 0.5 * (d as f64 * log_two_pi + naive::log_determinant(&l));
        let line = Line::log_joint(constant);
        if is_dense {
            let w = naive::invert_lower(&l);
            let whitener = Whitener::new(d, |i, j| w[i][j]);
            set.dispatch(SquaredNorm {
                whitener: &whitener,
                differences,
                centred: &mut centred,
                line,
                out,
            });
        } else {
            let reciprocal_sd: Vec<f64> = (0..d).map(|j| 1.0 / l[j][j]).collect();
            set.dispatch(ScaledNorm {
                differences,
                reciprocal_sd: &reciprocal_sd,
                line,
                out,
            });
        }
    }
    let mut log_density = vec![0.0; BLOCK_ROWS];
    set.dispatch(Normalize {
        joint: &mut joint,
        offset: 0.0,
        log_density: &mut log_density,
    });
    log_density.truncate(block.len());
    let responsibilities = (0..block.len())
        .map(|i| (0..k_all).map(|k| joint[k * BLOCK_ROWS + i]).collect())
        .collect();

    let (mut occupancy, mut means, mut covariances) = (Vec::new(), Vec::new(), Vec::new());
    for (k, r) in joint.chunks_exact_mut(BLOCK_ROWS).enumerate() {
        // Lanes past the last row have weight 0.
        r[block.len()..].fill(0.0);
        let differences = Plain {
            x,
            shift: &m.means[k],
        };
        let mut sums = vec![0.0; d];
        let mut products = vec![0.0; if is_dense { packed_len(d) } else { d }];
        let n = if is_dense {
            let (panels, memory) = panels.about(&m.means[k]);
            let (sums, products) = (&mut sums, &mut products);
            set.dispatch(DenseSums {
                differences,
                panels,
                memory,
                r,
                sums,
                products,
            })
        } else {
            let (sums, squares) = (&mut sums, &mut products);
            set.dispatch(DiagonalSums {
                differences,
                r,
                sums,
                squares,
            })
        };
        let shift: Vec<f64> = sums.iter().map(|s| s / n).collect();
        let centred = |at: usize, i: usize, j: usize| products[at] / n - shift[i] * shift[j];
        covariances.push(if is_dense {
            let entries = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
            entries
                .enumerate()
                .map(|(at, (i, j))| centred(at, i, j))
                .collect()
        } else {
            (0..d).map(|i| centred(i, i, i)).collect::<Vec<f64>>()
        });
        means.push(
            (m.means[k].iter().zip(&shift))
                .map(|(m, s)| m + s)
                .collect(),
        );
        occupancy.push(n);
    }
    Step {
        log_density,
        responsibilities,
        occupancy,
        means,
        covariances,
    }
}

proptest! {
    #[test]
    fn a_step_agrees_with_the_textbook_on_every_instruction_set((m, x) in mixture_with_rows(1..=5, 1..=4, 8..=256)) {
        // The twin's M-step of free matrices, whatever is shared: sums per component are what kernels leave.
        let (k_all, d) = (m.n_components(), m.n_features());
        let is_dense = matches!(m.form, Form::Full | Form::Tied);
        let free = Mixture { form: if is_dense { Form::Full } else { Form::Diag }, ..m.clone() };
        let MStep { occupancy, mixture: next } = naive::em_step(&free, &x, None);
        let (density, joint) = (m.log_density(&x), m.log_joint(&x));
        let r = m.responsibilities(&x);
        prop_assume!(occupancy.iter().all(|n| *n > 1e-100));
        let deltas: Vec<Vec<f64>> = (0..x.len()).map(|i| joint_tolerances(&m, &x[i], &joint[i])).collect();
        let off: Vec<Vec<f64>> = (0..x.len()).map(|i| responsibility_tolerances(&r[i], &deltas[i])).collect();
        let table = matrix(&x);
        let mut block = Block::new(d);
        block.fill(&Samples::from(&table), 0, &Frame::identity(d)).unwrap();
        let steps: Vec<Step> = instruction_sets().into_iter().map(|set| step(set, &m, &block)).collect();
        for found in &steps {
            for i in 0..x.len() {
                let delta: f64 = r[i].iter().zip(&deltas[i]).map(|(r, d)| r * d).sum();
                let tolerance = 2.0 * delta + 8.0 * EPS * (1.0 + density[i].abs());
                prop_assert!((found.log_density[i] - density[i]).abs() <= tolerance);
                for k in 0..k_all {
                    prop_assert!((found.responsibilities[i][k] - r[i][k]).abs() <= off[i][k]);
                }
            }
            for k in 0..k_all {
                let n = occupancy[k];
                // Sums Σ r f(z): r is off by `off`, a product by some ε, and the sum of 256 terms by 256 ε / 2 of their sizes, on both
                // sides. Quotients and the product of two means add up.
                let sum_tolerance = |f: &dyn Fn(&[f64]) -> f64| -> f64 {
                    (0..x.len()).map(|i| (off[i][k] + (LANES + 8.0) * EPS * r[i][k]) * f(&x[i]).abs()).sum::<f64>() / n
                };
                let share = sum_tolerance(&|_| 1.0);
                prop_assert!((found.occupancy[k] - n).abs() <= n * share);
                let z = |row: &[f64], j: usize| row[j] - m.means[k][j];
                let size = |f: &dyn Fn(&[f64]) -> f64| (0..x.len()).map(|i| r[i][k] * f(&x[i]).abs()).sum::<f64>() / n;
                for a in 0..d {
                    let first = |j: usize| sum_tolerance(&|row| z(row, j)) + share * size(&|row| z(row, j));
                    let tolerance = 2.0 * first(a) + 2.0 * EPS * m.means[k][a].abs();
                    let (q, c) = (found.means[k][a], next.means[k][a]);
                    prop_assert!((q - c).abs() <= tolerance, "mean: {q} {c}, {tolerance:e}");
                    for b in 0..=a {
                        if !is_dense && a != b {
                            continue;
                        }
                        let at = if is_dense { a * (a + 1) / 2 + b } else { a };
                        let second = sum_tolerance(&|row| z(row, a) * z(row, b)) + share * size(&|row| z(row, a) * z(row, b));
                        let products = first(a) * size(&|row| z(row, b)) + first(b) * size(&|row| z(row, a));
                        let (q, c) = (found.covariances[k][at], next.covariances[k][a][b]);
                        let tolerance = 2.0 * (second + products);
                        prop_assert!((q - c).abs() <= tolerance, "({a}, {b}): {q} {c}, {tolerance:e}");
                    }
                }
            }
        }
        // The best one is what the library takes: the same bits of all responsibilities but for the factor, which it makes another way.
        let best = &steps[steps.len() - 1];
        let library = crate::rows(&mixture_of(&m).responsibilities(&table).unwrap());
        for i in 0..x.len() {
            for k in 0..k_all {
                prop_assert!((best.responsibilities[i][k] - library[i][k]).abs() <= 2.0 * off[i][k]);
            }
        }
        // And each one gives the same bits twice.
        for (set, first) in instruction_sets().into_iter().zip(&steps) {
            let again = step(set, &m, &block);
            prop_assert_eq!(bits(&again.log_density), bits(&first.log_density));
            prop_assert_eq!(bits(again.covariances.iter().flatten()), bits(first.covariances.iter().flatten()));
        }
    }
}
