//! Memory that runs out at any moment: whichever allocation fails, the outcome is the right result, a typed error or an abort by
//! the allocator (of a process of its own here), never a wrong result, a panic or a lost file; and no file makes readers ask for
//! more than a small multiple of its size.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop here"
)]

mod allocator;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use allocator::{Count, Failing};
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, GaussianMixture};
use gmm_em::Em;
use gmm_io::table::{CsvOptions, read_csv, read_npy, read_table};
use gmm_io::{ModelFile, decode, from_json};
use gmm_select::Search;

#[global_allocator]
static ALLOCATOR: Failing = Failing::new();

/// In these variables the parent tells its child what to do, which allocation fails, and whether all after it do.
const TASK: &str = "GMM_TEST_TASK";
const FAILS_AT: &str = "GMM_TEST_FAILS_AT";
const FOR_GOOD: &str = "GMM_TEST_FOR_GOOD";

/// The exit codes of the child beside 0, and that of the harness.
const REFUSED: i32 = 3;
const WRONG: i32 = 4;
const PANIC: i32 = 101;

const TASKS: [&str; 9] = [
    "load",
    "load-json",
    "save",
    "save-json",
    "read-csv",
    "read-npy",
    "predict",
    "fit",
    "select",
];

const NAMES: [&str; 2] = ["model.gmm", "model.json"];

fn table() -> Mat<f64> {
    gmm_testkit::data::separated(5, 40, 2, 2).x
}

fn em() -> Em {
    Em::new(2)
        .covariance(CovarianceType::Full)
        .max_iterations(5)
}

fn model() -> GaussianMixture {
    em().fit(&table()).unwrap().into_model()
}

/// What is in the folder before a child comes: a model under the names that it loads, or replaces by the other model.
fn prepare(folder: &Path) {
    let x = table();
    let file = ModelFile::from(model());
    let file = file
        .with_feature_names(vec!["a".into(), "b".into()])
        .unwrap();
    for name in NAMES {
        gmm_io::save(folder.join(name), &file).unwrap();
    }
    gmm_io::table::save_npy(folder.join("table.npy"), x.as_ref()).unwrap();
    let rows = (0..x.nrows()).map(|i| format!("{};{}\n", x[(i, 0)], x[(i, 1)]));
    let csv = "a;b\n".to_owned() + &rows.collect::<String>();
    fs::write(folder.join("table.csv"), csv).unwrap();
}

/// The model that replaces the one in the folder.
fn replacement() -> ModelFile {
    ModelFile::from(model().with_equal_weights())
}

/// Does the task under the watch: whether its result is right, or its error.
fn work(task: &str, fails_at: usize, for_good: bool) -> (Result<bool, String>, Count) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let (x, old, new) = (table(), model(), replacement());
    let file = Path::new(if task.ends_with("json") {
        "model.json"
    } else {
        "model.gmm"
    });
    let fit = em().fit(&x).unwrap();
    let search = || Search::over(1..=2).em(em()).starts(1);
    let selection = search().run(&x).unwrap();
    let soft = old.responsibilities(&x).unwrap();
    let options = CsvOptions::default();
    // The error is kept as it is until the watch is over: to show it takes memory.
    fn is_right<T, E>(result: Result<T, E>, right: impl FnOnce(&T) -> bool) -> Result<bool, E> {
        result.map(|value| right(&value))
    }
    fn shown<E: std::fmt::Display>(
        (result, count): (Result<bool, E>, Count),
    ) -> (Result<bool, String>, Count) {
        (result.map_err(|error| error.to_string()), count)
    }
    pool.install(|| match task {
        "load" | "load-json" => shown(ALLOCATOR.watch(fails_at, for_good, || {
            is_right(gmm_io::load(file), |loaded| *loaded.model() == old)
        })),
        "save" | "save-json" => shown(ALLOCATOR.watch(fails_at, for_good, || {
            is_right(gmm_io::save(file, &new), |()| true)
        })),
        "read-csv" => shown(ALLOCATOR.watch(fails_at, for_good, || {
            is_right(read_table("table.csv", &options), |t| t.values == x)
        })),
        "read-npy" => shown(ALLOCATOR.watch(fails_at, for_good, || {
            is_right(read_table("table.npy", &options), |t| t.values == x)
        })),
        "predict" => shown(ALLOCATOR.watch(fails_at, for_good, || {
            is_right(old.responsibilities(&x), |r| *r == soft)
        })),
        "fit" => shown(ALLOCATOR.watch(fails_at, for_good, || {
            is_right(em().fit(&x), |again| *again == fit)
        })),
        "select" => shown(ALLOCATOR.watch(fails_at, for_good, || {
            is_right(search().run(&x), |again| {
                again.best_candidate() == selection.best_candidate()
            })
        })),
        other => panic!("there is no task {other}"),
    })
}

/// Does nothing but for a parent that says what.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let fails_at = std::env::var(FAILS_AT).unwrap().parse().unwrap();
    let for_good = std::env::var_os(FOR_GOOD).is_some();
    let (outcome, count) = work(&task, fails_at, for_good);
    fs::write("requests", count.n_requests.to_string()).unwrap();
    match outcome {
        Ok(true) => {}
        Ok(false) => std::process::exit(WRONG),
        Err(error) => {
            fs::write("error", error).unwrap();
            std::process::exit(REFUSED)
        }
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Done,
    Refused,
    Aborted,
}

fn run(folder: &Path, task: &str, fails_at: usize, for_good: bool) -> End {
    use std::os::unix::process::ExitStatusExt;

    const SIGABRT: i32 = 6;
    let mut child = Command::new("sh");
    // An abort may leave a core file behind, and a backtrace takes longer than all the rest.
    child
        .args(["-c", "ulimit -c 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(TASK, task)
        .env(FAILS_AT, fails_at.to_string())
        .env("RUST_BACKTRACE", "0")
        .current_dir(folder)
        .stdin(Stdio::null());
    if for_good {
        child.env(FOR_GOOD, "1");
    }
    let output = child.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    let what = format!(
        "{task}, allocation {fails_at} fails: {:?}\n{}{}",
        output.status, out, err
    );
    match (output.status.code(), output.status.signal()) {
        (Some(0), _) => End::Done,
        (Some(REFUSED), _) => End::Refused,
        (None, Some(SIGABRT)) => {
            // By the allocator, not by a panic on the way.
            assert!(err.contains("memory allocation of"), "{what}");
            End::Aborted
        }
        // Where the standard library aborts, faer's matrices panic: of their own accord, and about nothing else.
        (Some(PANIC), _) if out.contains("AllocError") && !out.contains("crates/gmm-") => {
            End::Aborted
        }
        _ => panic!("{what}"),
    }
}

/// Every allocation of small tasks, and some hundred of large ones.
fn moments(n_requests: usize) -> impl Iterator<Item = usize> {
    const MOST: usize = 60;
    let step = n_requests.div_ceil(MOST).max(1);
    (0..n_requests).step_by(step)
}

#[test]
fn an_allocation_that_fails_is_an_error_or_an_abort_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for task in TASKS {
        for for_good in [false, true] {
            prepare(folder);
            let old = NAMES.map(|name| fs::read(folder.join(name)).unwrap());
            // All goes well: so often it asks for memory.
            assert_eq!(run(folder, task, usize::MAX, false), End::Done, "{task}");
            let n_requests: usize = fs::read_to_string(folder.join("requests"))
                .unwrap()
                .parse()
                .unwrap();
            assert!(n_requests > 0, "{task}");
            let new = NAMES.map(|name| fs::read(folder.join(name)).unwrap());
            let mut ends = [0; 3];
            for fails_at in moments(n_requests) {
                for (name, bytes) in NAMES.iter().zip(&old) {
                    fs::write(folder.join(name), bytes).unwrap();
                }
                let end = run(folder, task, fails_at, for_good);
                ends[end as usize] += 1;
                for (i, name) in NAMES.iter().enumerate() {
                    let found = fs::read(folder.join(name)).unwrap();
                    let is_whole = match end {
                        End::Done => found == new[i],
                        End::Refused => found == old[i],
                        End::Aborted => found == old[i] || found == new[i],
                    };
                    assert!(is_whole, "{task}, allocation {fails_at}, {end:?}: {name}");
                }
            }
            eprintln!("{task}: {n_requests} allocations; done, refused, aborted: {ends:?}");
            assert!(ends[1] + ends[2] > 0, "{task}: no failure was noticed");
        }
    }
}

/// Files in which single bytes lie: whatever a reader asks for, it is in proportion to what is there.
#[test]
fn no_file_makes_a_reader_ask_for_much() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let (binary, json) = (read("model.gmm"), read("model.json"));
    let (npy, csv) = (read("table.npy"), read("table.csv"));
    let options = CsvOptions::default();
    let mut worst = [0.0f64; 4];
    for (i, (bytes, parse)) in [
        (&binary, (&|b: &[u8]| drop(decode(b))) as &dyn Fn(&[u8])),
        (&json, &|b| drop(std::str::from_utf8(b).map(from_json))),
        (&npy, &|b| drop(read_npy(b, &options))),
        (&csv, &|b| drop(read_csv(b, &options))),
    ]
    .into_iter()
    .enumerate()
    {
        for at in 0..bytes.len() {
            for byte in [0x00, 0x7f, 0xff, b'9', b',', b'['] {
                let mut lying = bytes.clone();
                lying[at] = byte;
                let ((), count) = ALLOCATOR.watch(usize::MAX, false, || parse(&lying));
                worst[i] = worst[i].max(count.peak as f64 / bytes.len() as f64);
                // SECURITY.md: some ten times the length for what is refused, fifty for a text of many tiny components; and buffers
                // of fixed size.
                let most = 50 * bytes.len() + (1 << 17);
                assert!(
                    count.peak <= most,
                    "byte {at} as {byte}: {} bytes",
                    count.peak
                );
            }
        }
    }
    eprintln!("the most memory, in lengths of the file (binary, JSON, npy, CSV): {worst:.1?}");
}

/// Models in JSON of very many parts that take few bytes each: a list or a text of its own for each would take tens of bytes for three.
#[test]
fn texts_of_many_tiny_parts_ask_for_little() {
    let n = 100_000;
    let many = |part: &str| vec![part; n].join(",");
    let object = |form: &str, weights: &str, means: &str, covariances: &str, more: &str| {
        format!(
            r#"{{"format":"gmm-model","version":1,"covariance_type":"{form}","weights":[{weights}],"means":[{means}],
                "covariances":[{covariances}]{more}}}"#
        )
    };
    let (one, row, matrix) = (many("1"), many("[1]"), many("[[1]]"));
    let names = format!(r#","feature_names":[{}]"#, many(r#""""#));
    // What is refused takes some ten times its length at the most.
    for (text, reason) in [
        (
            object("full", "1", &many("[]"), "", ""),
            "found an empty list",
        ),
        (
            object("full", "1", "[1]", &format!("[{}]", many("[]")), ""),
            "found an empty list",
        ),
        (
            object("full", "1", "[1]", "[[1]]", &names),
            "found 100000 feature names for 1 features; name every feature or none",
        ),
        (
            object("tied", "1", &format!("[{one}]"), &row, ""),
            "found 1 numbers in the rows or columns of the covariances, expected 100000",
        ),
        (
            object("spherical", &one, &row, &one, ""),
            "the parameters are not those of a mixture",
        ),
        (
            object("diag", &one, &row, &row, ""),
            "the parameters are not those of a mixture",
        ),
        (
            object("full", &one, &row, &matrix, ""),
            "the parameters are not those of a mixture",
        ),
    ] {
        let (read, count) = ALLOCATOR.watch(usize::MAX, false, || from_json(&text));
        let lengths = count.peak as f64 / text.len() as f64;
        let refused = read.unwrap_err().to_string();
        assert!(refused.ends_with(reason), "{refused}");
        eprintln!("{lengths:.1} times the length: {refused}");
        assert!(lengths <= 12.0, "{lengths}: {refused}");
    }
    // A model.
    let text = object("spherical", &many("1e-5"), &row, &one, "");
    let (read, count) = ALLOCATOR.watch(usize::MAX, false, || from_json(&text));
    assert_eq!(read.unwrap().model().n_components(), n);
    let per_component = count.peak as f64 / n as f64;
    eprintln!("{per_component:.0} bytes for a component");
    assert!(per_component <= 500.0, "{per_component}");
}

/// Tables with one long line among many short ones, and of very many columns: what is looked at to find out how a table is laid out takes memory
/// by what is there.
#[test]
fn tables_of_odd_shapes_ask_for_little() {
    let options = CsvOptions::default();
    let short = "1,2\n".repeat(20_000);
    for (what, text, most) in [
        (
            "a long cell",
            format!("{},b\n{short}", "a".repeat(100_000)),
            25.0,
        ),
        (
            "a long line",
            format!("{}\n{short}", ",".repeat(100_000)),
            80.0,
        ),
        (
            "many columns",
            format!("{0}\n{0}\n", vec!["1"; 50_000].join(",")),
            80.0,
        ),
    ] {
        let (read, count) =
            ALLOCATOR.watch(usize::MAX, false, || read_csv(text.as_bytes(), &options));
        let lengths = count.peak as f64 / text.len() as f64;
        eprintln!(
            "{what}: {lengths:.1} times the length, {:?}",
            read.map(|t| t.values.ncols()).map_err(|e| e.to_string())
        );
        assert!(lengths <= most, "{what}: {lengths}");
    }
}
