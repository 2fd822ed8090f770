//! Part of the target `kernels`: sums over some rows of a block, and those of several components about one centre.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::{MomentSums, Moments, SharedSums, Structure};
use gmm_core::kernels::operations::padded;
use gmm_core::kernels::{Listed, Panels, above, listed_sums, packed_len};
use gmm_testkit::naive;

const EPS: f64 = f64::EPSILON;
const LANES: f64 = BLOCK_ROWS as f64;

/// The rows with a responsibility above the first one, summed alone: as among all, where the others weigh nothing.
pub(super) fn listed(x: &[f64], shift: &[f64], z: &[Vec<f64>], r: &[f64]) {
    let d = shift.len();
    let marks = above(r, r[0], &[1.0; BLOCK_ROWS]);
    let mut listed = Listed::default();
    if !listed.take(&marks, d) {
        return;
    }
    let chosen: Vec<f64> = r
        .iter()
        .map(|share| if *share > r[0] { *share } else { 0.0 })
        .collect();
    let mut panels = Panels::default();
    panels.read_rows(x);
    let (mut sums, mut products) = (vec![f64::NAN; d], vec![f64::NAN; packed_len(d)]);
    let n = listed_sums(&listed, r, shift, &mut panels, &mut sums, &mut products);
    let sizes: Vec<Vec<f64>> = z
        .iter()
        .map(|lane| lane.iter().map(|v| v.abs()).collect())
        .collect();
    let (scatter, size) = (
        naive::weighted_scatter(z, &chosen),
        naive::weighted_scatter(&sizes, &chosen),
    );
    let count = naive::exact_sum(&chosen);
    assert!((n - count).abs() <= LANES * EPS * count, "{n} and {count}");
    for i in 0..d {
        let (sum, terms) = (
            naive::exact_dot(&z[i], &chosen),
            naive::exact_dot(&sizes[i], &chosen),
        );
        let found = sums[i];
        let bound = (LANES + 2.0) * EPS * terms;
        assert!((found - sum).abs() <= bound, "sum {i}: {found} and {sum}");
        for j in 0..=i {
            let (found, expected) = (products[packed_len(i) + j], scatter[i][j]);
            let bound = (LANES + 3.0) * EPS * size[i][j];
            assert!(
                (found - expected).abs() <= bound,
                "product {i} {j}: {found} and {expected}"
            );
        }
    }
}

/// Eight components, whose responsibilities are those of the input from another row on, about a centre: the moments of each.
pub(super) fn side_by_side(x: &[f64], centre: &[f64], z: &[Vec<f64>], r: &[f64]) {
    let d = centre.len();
    let rows = (0..BLOCK_ROWS).map(|i| (0..d).map(|j| x[j * BLOCK_ROWS + i]).collect());
    let rows: Vec<Vec<f64>> = rows.collect();
    let mut block = Block::new(d);
    let filled = block.fill(
        &(&gmm_testkit::matrix(&rows)).into(),
        0,
        &Frame::identity(d),
    );
    assert!(filled.is_ok(), "{filled:?}");
    let mut stored = vec![0.0; d * padded::<f64>()];
    for (stored, z) in stored.chunks_exact_mut(padded::<f64>()).zip(z) {
        stored[..BLOCK_ROWS].copy_from_slice(z);
    }
    let turned = |k: usize| (0..BLOCK_ROWS).map(move |i| r[(i + 31 * k) % BLOCK_ROWS]);
    let joint: Vec<Vec<f64>> = (0..8).map(|k| turned(k).collect()).collect();
    for structure in [Structure::Dense, Structure::Diagonal] {
        let components: Vec<usize> = (0..8).collect();
        let Some(mut shared) = SharedSums::of_first::<f64>(&components, centre, structure) else {
            continue;
        };
        let members = shared.components().to_vec();
        let mut sums = vec![MomentSums::zeros(structure, d); 8];
        let (mut part, mut panels) = (Moments::zeros(structure, d), Panels::default());
        panels.read(block.values());
        shared.observe(&stored, &joint.concat());
        shared.add_refused(&mut sums, |k, sums| {
            sums.observe(&block, &joint[k], centre, &mut part, &mut panels);
        });
        shared.finish(&vec![centre.to_vec(); 8], &mut sums);
        for k in members {
            moments(&sums[k].clone().finish(centre), z, &joint[k]);
        }
    }
}

/// Sums about a place come to 33 times the scatter at the most, or they are taken about the block's own mean, which is off by some units
/// of the farthest row. A z that was stored is off by half a unit of its size, which changes what rows are summed about another place by twice
/// that times their distance from the mean.
fn moments(found: &Moments, z: &[Vec<f64>], r: &[f64]) {
    let (d, terms) = (z.len(), LANES + 10.0);
    let n = naive::exact_sum(r);
    assert!((found.occupancy - n).abs() <= terms * EPS * n);
    if n == 0.0 {
        return;
    }
    let mean = naive::weighted_mean(z, r);
    let lanes = z.iter().zip(&mean);
    let centred: Vec<Vec<f64>> = lanes
        .map(|(lane, mean)| lane.iter().map(|z| z - mean).collect())
        .collect();
    let scatter = naive::weighted_scatter(&centred, r);
    let off: Vec<f64> = z
        .iter()
        .map(|lane| terms * EPS * lane.iter().fold(0.0, |most: f64, z| most.max(z.abs())))
        .collect();
    let is_diagonal = found.scatter.len() == d;
    for i in 0..d {
        let (value, expected) = (found.mean[i], mean[i]);
        assert!(
            (value - expected).abs() <= off[i],
            "mean {i}: {value} and {expected}"
        );
        for j in if is_diagonal { i..=i } else { 0..=i } {
            let at = if is_diagonal { i } else { packed_len(i) + j };
            let size = scatter[i][i].sqrt() * scatter[j][j].sqrt();
            let stored = |i: usize, j: usize| off[i] / terms * (n * scatter[j][j]).sqrt();
            let bound =
                33.0 * terms * EPS * size + stored(i, j) + stored(j, i) + n * off[i] * off[j];
            let (value, expected) = (found.scatter[at], scatter[i][j]);
            assert!(
                (value - expected).abs() <= bound,
                "scatter {i} {j}: {value} and {expected}"
            );
        }
    }
}
