//! Runs the bodies of the fuzz targets as ordinary tests: on the regressions, on the inputs that were kept (fuzz/seeds/), on
//! pseudo-random bytes, and on valid inputs that were damaged.
//!
//! Part of the tests of a crate of the main workspace, by `#[path = ".../fuzz/replay.rs"] mod fuzz_regressions;`. The
//! inputs are the same on every run, so that a failure can be repeated; for new inputs there is `cargo xtask fuzz`.

use std::fs;
use std::ops::Range;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "src/lib.rs"]
mod bodies;
#[path = "seeds.rs"]
mod seeds;

use bodies::Outcome;

/// Inputs of each kind; some seconds for all targets together.
const N_RANDOM: u64 = 2_000;
const N_DAMAGED: u64 = 2_000;

/// The longest pseudo-random input. Bodies read zeros behind the end, so that short inputs are simple ones.
const LONGEST: u64 = 600;

#[test]
fn density() {
    let shares = replay("density", bodies::density, random_bytes, &[]);
    assert!(shares.random > 0.5, "{shares:?}");
}

#[test]
fn fit() {
    let shares = replay("fit", bodies::fit, random_bytes, &[]);
    assert!(shares.random > 0.2, "{shares:?}");
}

#[test]
fn merge() {
    let shares = replay("merge", bodies::merge, random_bytes, &[]);
    assert!(shares.random > 0.5, "{shares:?}");
}

#[test]
fn load() {
    let shares = replay("load", bodies::load, random_load, &valid_models());
    assert!(shares.random > 0.2 && shares.damaged > 0.02, "{shares:?}");
}

#[test]
fn csv() {
    let shares = replay("csv", bodies::csv, random_csv, &valid_csv());
    assert!(shares.random > 0.02 && shares.damaged > 0.1, "{shares:?}");
}

#[test]
fn json() {
    let shares = replay("json", bodies::json, random_bytes, &[]);
    assert!(shares.random > 0.1, "{shares:?}");
}

#[test]
fn kernels() {
    let shares = replay("kernels", bodies::kernels, random_bytes, &[]);
    assert!(shares.random > 0.99, "{shares:?}");
}

#[test]
fn npy() {
    let shares = replay("npy", bodies::npy, random_bytes, &[]);
    assert!(shares.random > 0.1, "{shares:?}");
}

#[test]
fn precision() {
    let shares = replay("precision", bodies::precision, random_bytes, &[]);
    assert!(shares.random > 0.5, "{shares:?}");
}

#[test]
fn search() {
    let shares = replay("search", bodies::search, random_bytes, &[]);
    assert!(shares.random > 0.2, "{shares:?}");
}

#[test]
fn every_target_is_replayed() {
    let mut targets: Vec<String> = files(&fuzz().join("fuzz_targets"))
        .iter()
        .map(|path| name(path))
        .collect();
    targets
        .iter_mut()
        .for_each(|target| target.truncate(target.len() - ".rs".len()));
    assert_eq!(
        targets,
        [
            "csv",
            "density",
            "fit",
            "json",
            "kernels",
            "load",
            "merge",
            "npy",
            "precision",
            "search"
        ]
    );
}

/// Which share of the inputs came through to the properties: a body that refuses nearly all checks nearly nothing.
#[derive(Debug)]
struct Shares {
    random: f64,
    damaged: f64,
}

/// Runs one body on all its inputs.
fn replay(
    target: &str,
    body: fn(&[u8]) -> Outcome,
    random: fn(&mut Dice) -> Vec<u8>,
    valid: &[Vec<u8>],
) -> Shares {
    let run = |input: &[u8], label: &str| -> f64 {
        let Ok(outcome) = catch_unwind(|| body(input)) else {
            panic!("the fuzz target {target} fails on {label}, see above; the input: {input:?}");
        };
        f64::from(u8::from(outcome == Outcome::Checked))
    };
    for path in files(&fuzz().join("regressions").join(target)) {
        let input = fs::read(&path).expect("a listed file can be read");
        run(&input, &format!("the regression {}", path.display()));
    }
    let kept = fuzz().join("seeds").join(format!("{target}.bin"));
    let kept = seeds::unpack(&fs::read(&kept).expect("each target has kept inputs"));
    assert!(!kept.is_empty(), "{target} has no kept inputs");
    for (number, input) in kept.iter().enumerate() {
        run(input, &format!("the kept input {number}"));
    }
    for (number, input) in valid.iter().enumerate() {
        run(input, &format!("the valid input {number}"));
    }
    let random: f64 = (0..N_RANDOM)
        .map(|number| {
            run(
                &random(&mut Dice(number)),
                &format!("the pseudo-random input {number}"),
            )
        })
        .sum();
    let damaged: f64 = (0..if valid.is_empty() { 0 } else { N_DAMAGED })
        .map(|number| {
            let mut dice = Dice(number);
            let original = &valid[dice.below(valid.len() as u64)];
            run(
                &damaged(original, &mut dice),
                &format!("the damaged input {number}"),
            )
        })
        .sum();
    Shares {
        random: random / N_RANDOM as f64,
        damaged: damaged / N_DAMAGED as f64,
    }
}

/// What the `csv` body is fed with so that it sees tables: six bytes of options, then a file.
fn valid_csv() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 8] = [
        b"eruptions,waiting\n3.6,79\n1.8,54\n3.333,74\n2.283,62\n",
        b"a;b;c\n1,5;2;-3e2\n0,25;4;5\n",
        b"\xef\xbb\xbfname\ta\tb\r\nfirst\t1\t2\r\n\"second\"\"\"\t3\t4\r\n",
        b"  1   2.5  -3\n  4 5 6\n\n7 8 9",
        b"1|2|3\r4|5|6\r",
        b"a,b\n1,NA\n,2\n3,4\n",
        b"\"a,b\",\"c\nd\"\n\"1\",2\n3,\"4\"\n",
        b"x\n1e308\n-5e-324\n0.1\n",
    ];
    let options: [&[u8]; 4] = [
        &[0, 0, 0, 0, 0, 0, 3],
        &[2, 0, 0, 1, 1, 0, 0],
        &[3, 1, 2, 0, 0, 0, 1],
        &[0, 0, 0, 1, 1, 2, 1, 6],
    ];
    texts
        .iter()
        .flat_map(|text| options.iter().map(move |options| [options, *text].concat()))
        .collect()
}

/// Payloads (after a byte 1) and JSON texts (after a byte 2) of small models.
fn valid_models() -> Vec<Vec<u8>> {
    let floats = |values: &[f64]| -> Vec<u8> {
        let mut list = vec![values.len() as u8];
        list.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        list
    };
    let payload =
        |form: u8, weights: &[f64], means: &[f64], covariances: &[f64], end: &[u8]| -> Vec<u8> {
            [
                &[1, form][..],
                &floats(weights),
                &floats(means),
                &floats(covariances),
                end,
            ]
            .concat()
        };
    let training = [
        &[0, 1, 9][..],
        &9.0_f64.to_le_bytes(),
        &(-20.0_f64).to_le_bytes(),
        &[0],
    ]
    .concat();
    vec![
        payload(0, &[0.25, 0.75], &[0.0, 1.0, 2.0, 3.0], &[2.0, 0.5, 0.5, 1.0, 3.0, -1.0, -1.0, 4.0], &[0, 0]),
        payload(1, &[0.5, 0.5], &[0.0, 1.0, 2.0, 3.0], &[2.0, 0.5, 0.5, 1.0], b"\x01\x03a\0b\0"),
        payload(2, &[1.0], &[-1e-300, 5e300], &[1e-200, 1e200], &training),
        payload(3, &[1.0, 0.0], &[0.0, -0.0], &[1.0, 2.0], &[0, 0]),
        b"\x02{\"format\": \"gmm-model\", \"version\": 1, \"covariance_type\": \"tied\", \"weights\": [0.5, 0.5],\n\
          \"means\": [[1, 2], [3, 4]], \"covariances\": [[2, 0.5], [0.5, 1e0]], \"feature_names\": [\"a\", \"\\u00e9\"]}"
            .to_vec(),
        b"\x02{\"format\": \"gmm-model\", \"version\": 1, \"covariance_type\": \"spherical\", \"weights\": [1.0], \
          \"means\": [[1e-5]], \"covariances\": [4.0], \"training\": {\"n_samples\": 3, \"total_weight\": 3.0, \
          \"log_likelihood\": -7.5, \"density_quantiles\": []}}"
            .to_vec(),
    ]
}

/// The folder `fuzz` of the repository: the tests run in the folder of some crate below its root.
fn fuzz() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package
        .ancestors()
        .find(|folder| folder.join("fuzz/regressions").is_dir());
    root.expect("the tests run within the repository")
        .join("fuzz")
}

/// The files of a folder, sorted; none if there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder can be listed").path())
        .collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a listed file has a name")
        .to_string_lossy()
        .into_owned()
}

fn random_bytes(dice: &mut Dice) -> Vec<u8> {
    let len = dice.below(LONGEST);
    (0..len).map(|_| dice.next() as u8).collect()
}

/// Mostly models to be written: random bytes are hardly ever a model to be read.
fn random_load(dice: &mut Dice) -> Vec<u8> {
    let mut input = random_bytes(dice);
    if let Some(first) = input.first_mut()
        && dice.below(4) > 0
    {
        *first = 3;
    }
    input
}

/// A few bytes of options, then a text of what tables are written with.
fn random_csv(dice: &mut Dice) -> Vec<u8> {
    let letters = b"00112233456789\n\n\n,,,;\t ..-e\"a";
    let mut input: Vec<u8> = (0..7).map(|_| dice.next() as u8).collect();
    let len = dice.below(40);
    input.extend((0..len).map(|_| letters[dice.below(letters.len() as u64)]));
    input
}

/// One to four changes of the kinds that happen to files and that fuzzers find fruitful.
fn damaged(original: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut input = original.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() as u64 + 1);
        let range =
            |dice: &mut Dice, len: usize| -> Range<usize> { at..len.min(at + 1 + dice.below(8)) };
        match dice.below(6) {
            0 => input.truncate(at),
            1 => input.insert(at, dice.next() as u8),
            2 => {
                let range = range(dice, input.len());
                input.drain(range);
            }
            3 => {
                let copy = input[range(dice, input.len())].to_vec();
                input.splice(at..at, copy);
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    input
}

/// SplitMix64 (Steele, Lea and Flood 2014): the whole state is a number, so every input has its own stream.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> usize {
        (self.next() % end) as usize
    }
}
