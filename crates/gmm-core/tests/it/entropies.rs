//! What responsibilities say, against the definitions.

use gmm_core::block::BLOCK_ROWS;
use gmm_core::kernels::operations::{DistancesOfResponsibilities, Entropies};
use gmm_core::kernels::{distances_of_responsibilities, entropies};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bits;
use crate::kernels::{EPS, on_each};

proptest! {
    #[test]
    fn entropies_are_those_of_the_definition(
        (k, responsibilities) in (1usize..=9).prop_flat_map(|k| {
            let r = prop_oneof![
                6 => 0.0..=1.0,
                2 => Just(0.0),
                1 => Just(1.0),
                2 => (0.0f64..700.0).prop_map(|x| (-x).exp()),
                1 => (-16.0f64..0.0).prop_map(|x| 1.0 - 10f64.powf(x)),
                1 => Just(5e-324),
            ];
            (Just(k), vec(r, k * BLOCK_ROWS))
        }),
    ) {
        let buffers = (vec![f64::NAN; BLOCK_ROWS], vec![f64::NAN; BLOCK_ROWS]);
        let results = on_each(&buffers, |set, (entropy, loss)| {
            set.dispatch(Entropies { responsibilities: &responsibilities, entropy, loss });
        });
        let (mut entropy, mut loss) = buffers;
        entropies(&responsibilities, &mut entropy, &mut loss);
        for (e, l) in &results {
            // Every lane is a chain of its own: no instruction set changes a bit.
            prop_assert_eq!((bits(e), bits(l)), (bits(&entropy), bits(&loss)));
        }
        for i in 0..BLOCK_ROWS {
            let row: Vec<f64> = (0..k).map(|c| responsibilities[c * BLOCK_ROWS + i]).collect();
            let expected = -row.iter().filter(|r| **r > 0.0).map(|r| r * r.ln()).sum::<f64>();
            // No term is negative: a logarithm to 2.5 ε of itself, a product, and K sums, on both sides. A subnormal number is left out.
            let tolerance = (2.0 * k as f64 + 5.0) * EPS * expected + 1e-304;
            prop_assert!((entropy[i] - expected).abs() <= tolerance, "{} {expected}", entropy[i]);
            let largest = row.iter().copied().fold(0.0, f64::max);
            if largest >= f64::MIN_POSITIVE {
                let expected = -largest.ln();
                prop_assert!((loss[i] - expected).abs() <= 4.0 * EPS * expected, "{} {expected}", loss[i]);
            }
        }
    }

    #[test]
    fn distances_follow_from_responsibilities_and_densities(
        r in vec(prop_oneof![3 => 0.0..=1.0, 1 => Just(1.0), 2 => (0.0f64..40.0).prop_map(|x| (-x).exp())], BLOCK_ROWS),
        log_density in vec(-1e3..1e3, BLOCK_ROWS),
        constant in -1e3..1e3,
    ) {
        let results = on_each(&vec![f64::NAN; BLOCK_ROWS], |set, squared| {
            set.dispatch(DistancesOfResponsibilities { r: &r, log_density: &log_density, constant, squared });
        });
        let mut squared = vec![f64::NAN; BLOCK_ROWS];
        distances_of_responsibilities(&r, &log_density, constant, &mut squared);
        for found in &results {
            prop_assert_eq!(bits(found), bits(&squared));
        }
        for i in (0..BLOCK_ROWS).filter(|i| r[*i] >= f64::MIN_POSITIVE) {
            let expected = 2.0 * (constant - (r[i].ln() + log_density[i]));
            // Logarithms to 2.5 ε and ½ ε of themselves, a sum and a difference on both sides.
            let bound = 2.0 * EPS * (5.0 * r[i].ln().abs() + 4.0 * log_density[i].abs() + 2.0 * constant.abs());
            prop_assert!((squared[i] - expected).abs() <= bound, "{} {expected}", squared[i]);
        }
    }
}
