//! Frames: exact coordinates for data of any range, and what a block reads through one.

use gmm_core::Samples;
use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::faer::Mat;
use gmm_testkit::strategies;
use proptest::prelude::*;

/// Ranges of all kinds: odd ends, wide and narrow ones, far from 0 and about it.
fn range() -> impl Strategy<Value = (f64, f64)> {
    let size = || (-320.0..308.0, any::<bool>());
    let signed = |(e, sign): (f64, bool)| 10f64.powf(e) * if sign { 1.0 } else { -1.0 };
    let edges = (
        strategies::finite_edge_value(),
        strategies::finite_edge_value(),
    );
    let free = (size(), size()).prop_map(move |(a, b)| (signed(a), signed(b)));
    // An offset and a width of 1 to 1e-18 of it.
    let narrow = (size(), 0.0..18.0f64).prop_map(move |(centre, digits)| {
        let centre = signed(centre);
        (centre, centre * (1.0 - 10f64.powf(-digits)))
    });
    let whole = (-1_000_000i32..1_000_000, -1000i32..1000)
        .prop_map(|(a, width)| (f64::from(a), f64::from(a + width)));
    prop_oneof![edges, free, narrow, whole]
        .prop_map(|(a, b): (f64, f64)| (a.min(b), a.max(b)))
        .prop_filter("finite", |(a, b)| a.is_finite() && b.is_finite())
}

/// A value of the range at a part of the way.
fn inside((low, high): (f64, f64), part: f64) -> f64 {
    ((1.0 - part) * low + part * high).clamp(low, high)
}

/// Whether a value keeps its bits on the way into a frame with this unit and back; -0 may become 0.
fn assert_exact(frame: &Frame, feature: usize, x: f64) -> Result<(), TestCaseError> {
    let there = frame.to_frame(feature, x);
    prop_assert!(there.abs() <= 2.0, "{x:e} became {there:e} in {frame:?}");
    let back = frame.from_frame(feature, there);
    // In units of 2^e a value below 2^(e - 1022) is subnormal and keeps no more than the 1074th bit after the point.
    let unit = frame.exponents()[feature];
    let is_subnormal = there.is_subnormal()
        || (there == 0.0 && x.to_bits() << 1 != frame.offsets()[feature].to_bits() << 1);
    if is_subnormal {
        let last_bit = 2f64.powi(unit - 1000) * 2f64.powi(-74);
        prop_assert!(
            (back - x).abs() <= last_bit,
            "{x:e} came back as {back:e} through {frame:?}"
        );
    } else {
        prop_assert!(
            (back + 0.0).to_bits() == (x + 0.0).to_bits(),
            "{x:e} came back as {back:e} through {frame:?}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn frames_are_exact_inside_their_range(
        range in range(),
        parts in prop::collection::vec(0.0..=1.0, 8),
    ) {
        let frame = Frame::of_ranges(&[range]);
        let (low, high) = range;
        let values = [low, high, low.next_up().min(high), high.next_down().max(low), 0.5 * low + 0.5 * high];
        let between = parts.iter().map(|part| inside(range, *part));
        for x in values.into_iter().chain(between) {
            assert_exact(&frame, 0, x)?;
        }
    }

    /// A common unit keeps the offsets, and what a feature's own unit maps to 2 at the most.
    #[test]
    fn one_unit_is_exact_too(
        ranges in prop::collection::vec(range(), 1..=4),
        part in 0.0..=1.0,
    ) {
        let own = Frame::of_ranges(&ranges);
        let one = own.clone().with_one_unit();
        prop_assert_eq!((own.n_features(), one.n_features()), (ranges.len(), ranges.len()));
        prop_assert_eq!(own.offsets(), one.offsets());
        let largest = own.exponents().iter().max().unwrap();
        prop_assert!(one.exponents().iter().all(|e| e == largest));
        for (j, range) in ranges.iter().enumerate() {
            for x in [range.0, range.1, inside(*range, part)] {
                assert_exact(&one, j, x)?;
            }
        }
    }

    /// The unit belongs to the data: values of the range reach a quarter of it at least, unless they are subnormal.
    #[test]
    fn units_fit_their_data((low, high) in range()) {
        let frame = Frame::of_ranges(&[(low, high)]);
        let reach = frame.to_frame(0, low).abs().max(frame.to_frame(0, high).abs());
        let is_constant = high - low == 0.0;
        prop_assert!(is_constant || reach >= 0.25 || high - low < 1e-290, "{low:e} {high:e}: {reach}");
    }

    /// Data that lie close together far from 0 have their offset among them: with a grid of at most 8 half ranges, what stays about 0 reaches
    /// to 65 half ranges, and what is moved to 5, so that the range is a 33rd of the reach at least.
    #[test]
    fn offsets_are_taken_out((low, high) in range()) {
        let frame = Frame::of_ranges(&[(low, high)]);
        let (a, b) = (frame.to_frame(0, low), frame.to_frame(0, high));
        let reach = a.abs().max(b.abs());
        prop_assert!(high - low < 1e-290 || b - a >= reach / 33.0, "{low:e} {high:e}: {a} to {b}");
    }

    /// Offsets are multiples of a power of two that is at least as large as the range.
    #[test]
    fn offsets_lie_on_a_grid((low, high) in range()) {
        let frame = Frame::of_ranges(&[(low, high)]);
        let range = high - low;
        prop_assume!(range > 1e-290 && range < 1e300);
        let grid = 2f64.powi(range.log2().ceil() as i32);
        let steps = frame.offsets()[0] / grid;
        prop_assert!(steps.fract() == 0.0, "{low:e} {high:e}: offset {:e}", frame.offsets()[0]);
    }

    /// Powers of two change no coordinate, whole offsets of whole numbers neither.
    #[test]
    fn coordinates_do_not_depend_on_the_unit(
        values in prop::collection::vec(-1e6..1e6, 2..=8),
        exponent in -900..=900,
    ) {
        let range = |v: &[f64]| (v.iter().copied().fold(f64::MAX, f64::min), v.iter().copied().fold(f64::MIN, f64::max));
        let scaled: Vec<f64> = values.iter().map(|v| v * 2f64.powi(exponent)).collect();
        let (a, b) = (Frame::of_ranges(&[range(&values)]), Frame::of_ranges(&[range(&scaled)]));
        for (x, y) in values.iter().zip(&scaled) {
            prop_assert_eq!(a.to_frame(0, *x).to_bits(), b.to_frame(0, *y).to_bits());
        }
        let constant = values.iter().all(|v| *v == values[0]);
        prop_assert!(constant || b.exponents()[0] - a.exponents()[0] == exponent);
    }

    /// A block reads its rows as the frame maps single values.
    #[test]
    fn blocks_read_through_the_frame(
        n in 1usize..=300,
        ranges in prop::collection::vec(range(), 1..=3),
        parts in prop::collection::vec(0.0..=1.0, 16),
    ) {
        let x = Mat::from_fn(n, ranges.len(), |i, j| inside(ranges[j], parts[(i * 5 + j) % 16]));
        let frame = Frame::of_ranges(&ranges);
        let mut block = Block::new(ranges.len());
        for index in 0..Block::count(n) {
            block.fill(&Samples::from(&x), index, &frame).unwrap();
            for j in 0..ranges.len() {
                for (lane, row) in block.rows().enumerate() {
                    // Adding 0 turns -0 into 0.
                    let expected = frame.to_frame(j, x[(row, j)]) + 0.0;
                    prop_assert_eq!((block.feature(j)[lane] + 0.0).to_bits(), expected.to_bits());
                }
                prop_assert!(block.feature(j)[block.len()..BLOCK_ROWS].iter().all(|v| v.to_bits() == 0));
            }
        }
    }
}

/// log |dx'/dx| = -ln 2 Σⱼ eⱼ.
#[test]
fn the_jacobian_is_the_product_of_the_units() {
    let frame = Frame::of_ranges(&[(0.0, 1024.0), (0.0, 0.25), (100.0, 101.0)]);
    // Exponents as frexp has them: 1024 = ½ · 2^11, ¼ = ½ · 2^-1; 100 to 101 is moved to an offset first.
    assert_eq!(&frame.exponents()[..2], [11, -1]);
    let expected: i32 = frame.exponents().iter().sum();
    let found = frame.log_jacobian() / -std::f64::consts::LN_2;
    assert!((found - f64::from(expected)).abs() <= 4.0 * f64::EPSILON * found.abs());
    let identity = Frame::identity(3);
    assert_eq!(identity.log_jacobian().to_bits() << 1, 0);
    for x in [1e-310, -3.5, f64::MAX] {
        assert_eq!(identity.to_frame(2, x).to_bits(), x.to_bits());
        assert_eq!(identity.from_frame(2, x).to_bits(), x.to_bits());
    }
}

/// A column of one value has its offset there and the coordinate 0.
#[test]
fn a_constant_column_lies_at_its_offset() {
    for x in [0.0, 3.7, -1e300, 5e-324, 1e16] {
        let frame = Frame::of_ranges(&[(x, x)]);
        assert_eq!(frame.offsets()[0].to_bits(), f64::to_bits(x));
        assert_eq!(frame.to_frame(0, x).to_bits(), 0.0f64.to_bits());
        assert_eq!(frame.from_frame(0, 0.0).to_bits(), f64::to_bits(x));
    }
}
