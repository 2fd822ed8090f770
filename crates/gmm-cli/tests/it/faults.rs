//! What goes wrong around the program: full quotas, kills at any moment, too little memory. The old file or the new one is there, never
//! neither.
#![cfg(unix)]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Folder, Ran, command, gmm};

const WINE: [&str; 6] = ["fit", "data/wine.csv", "--exclude", "cultivar", "-k", "3"];

/// The program under limits that the shell sets first, in the root of the repository.
fn limited(limits: &str, args: &[&str]) -> Command {
    let mut under = Command::new("sh");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    under
        .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_gmm"))
        .args(args)
        .current_dir(root)
        .stdin(Stdio::null());
    under
}

/// A quota on the size of files, met in the middle of a model: an error where the signal is ignored, a death where it isn't.
#[test]
fn a_full_quota_keeps_the_old_model() {
    let folder = Folder::new();
    let model = folder.word("wine.gmm");
    let with_out = |seed| [&WINE[..], &["--seed", seed, "--out", &model]].concat();
    gmm(&with_out("1")).ok();
    let old = folder.read("wine.gmm");
    // One block, of 512 or 1024 bytes; the model has 4000.
    assert!(old.len() > 2048);

    let output = limited("trap '' XFSZ; ulimit -f 1", &with_out("2"))
        .output()
        .unwrap();
    let ran = Ran::from(output);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(
        ran.err
            .starts_with(&format!("error: cannot write {model}: File too large")),
        "{}",
        ran.err
    );
    assert_eq!(folder.read("wine.gmm"), old);
    assert_eq!(folder.names(), ["wine.gmm"], "nothing is left behind");

    let output = limited("ulimit -f 1", &with_out("2")).output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(folder.read("wine.gmm"), old);
}

#[test]
fn a_full_quota_keeps_the_old_sample() {
    let folder = Folder::new();
    let model = folder.faithful();
    let rows = folder.word("rows.csv");
    gmm(&["sample", &model, "-n", "500", "--out", &rows]).ok();
    let old = folder.read("rows.csv");
    let mut sample = limited(
        "trap '' XFSZ; ulimit -f 1",
        &[
            "sample", &model, "-n", "5000", "--seed", "3", "--out", &rows,
        ],
    );
    let ran = Ran::from(sample.output().unwrap());
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_eq!(folder.read("rows.csv"), old);
    assert_eq!(folder.names(), ["faithful.gmm", "rows.csv"]);
}

/// Fits that are killed at odd moments while they replace a model.
#[test]
fn a_killed_fit_leaves_the_old_model_or_the_new() {
    let folder = Folder::new();
    let model = folder.word("model.gmm");
    let args = |k| {
        [
            "fit",
            "data/old_faithful.csv",
            "-k",
            k,
            "--starts",
            "1",
            "--out",
            &model,
        ]
    };
    let known = ["2", "3"].map(|k| {
        gmm(&args(k)).ok();
        folder.read("model.gmm")
    });
    let started = Instant::now();
    gmm(&args("2")).ok();
    let whole = started.elapsed();
    let mut seen = [0, 0];
    for round in 0..40_u32 {
        // In turns, so that what is found is old or new; deaths from the start of the program to a little behind its end, which is
        // where files are written, by a multiple of the golden section.
        let part = (f64::from(round) * 0.618_034).fract();
        let mut child = command(&args(if round % 2 == 0 { "3" } else { "2" }))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(1.2 * part));
        // It may have ended by itself.
        child.kill().unwrap();
        child.wait().unwrap();
        let found = folder.read("model.gmm");
        let which = known.iter().position(|bytes| *bytes == found);
        seen[which.unwrap_or_else(|| panic!("round {round}: {} bytes", found.len()))] += 1;
    }
    assert_eq!(seen[0] + seen[1], 40);
    // A temporary file that a death left behind is no model's name.
    assert!(folder.names().contains(&"model.gmm".to_owned()));
}

/// More than the memory allows is an error with a name, not an abort.
#[test]
fn too_little_memory_is_an_error() {
    let folder = Folder::new();
    // 2000 features: one covariance has 32 MB, statistics of 100 components 1.6 GB.
    let n_features = 2000;
    let x = gmm_core::faer::Mat::from_fn(120, n_features, |i, j| ((i * 31 + j * 17) % 101) as f64);
    let data = folder.path("wide.npy");
    gmm_io::table::save_npy(&data, x.as_ref()).unwrap();
    let data = data.display().to_string();
    let args = ["fit", &data, "-k", "100", "--threads", "1", "--quiet"];
    let output = limited("ulimit -v 1000000", &args).output().unwrap();
    Ran::from(output).refused(
        1,
        &format!(
            "{data}: 100 full covariances of 2000 features don't fit into memory; use a simpler form or fewer features"
        ),
    );
}

/// Few rows so wide that not even the working memory of one thread fits: 400 000 features take 2.4 GB for 256 rows.
#[test]
fn rows_that_are_too_wide_are_an_error() {
    let folder = Folder::new();
    let n_features = 400_000;
    let x = gmm_core::faer::Mat::from_fn(3, n_features, |i, j| ((i * 31 + j * 17) % 101) as f64);
    let path = folder.path("wide.npy");
    gmm_io::table::save_npy(&path, x.as_ref()).unwrap();
    let data = path.display().to_string();
    let model = folder.word("wide.gmm");
    let variances = gmm_core::faer::Mat::from_fn(1, n_features, |_, _| 1.0);
    let mixture = gmm_core::GaussianMixture::new(
        vec![1.0],
        gmm_core::faer::Mat::zeros(1, n_features),
        gmm_core::Covariances::diag(variances.as_ref()).unwrap(),
    );
    gmm_io::save(&model, mixture.unwrap()).unwrap();
    let under = |args: &[&str]| {
        let output = limited("ulimit -v 1000000", args).output().unwrap();
        Ran::from(output)
    };
    let threads = ["--threads", "1", "--quiet"];
    for form in ["diag", "spherical"] {
        let fit = ["fit", &data, "-k", "1", "--covariance", form];
        under(&[&fit[..], &threads].concat()).refused(
            1,
            &format!(
                "{data}: 1 {form} covariances of 400000 features don't fit into memory; use a simpler form or fewer features"
            ),
        );
    }
    for command in ["predict", "score"] {
        let ran = under(&[&[command, &model, &data][..], &threads].concat());
        ran.refused(
            1,
            &format!(
                "{data}: 256 rows of 400000 features do not fit into memory; use fewer features"
            ),
        );
    }
}

/// A table of many groups that overlap.
fn long_work(folder: &Folder) -> String {
    let x = gmm_testkit::data::overlapping(1, 4000, 3, 8).x;
    let csv: String = (0..x.nrows())
        .map(|i| format!("{},{},{}\n", x[(i, 0)], x[(i, 1)], x[(i, 2)]))
        .collect();
    folder.write("data.csv", csv)
}

/// Ctrl-C.
fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
}

/// A search that is interrupted says so, and keeps what it has.
#[test]
fn ctrl_c_ends_a_search_with_the_best_so_far() {
    let folder = Folder::new();
    let data = long_work(&folder);
    let model = folder.word("best.gmm");
    let args = [
        "select", &data, "-k", "1-60", "--starts", "1000", "--header", "no", "--out", &model,
    ];
    for delay in [300, 1500] {
        let mut child = command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        assert!(
            child.try_wait().unwrap().is_none(),
            "a search of hours has ended"
        );
        let asked = Instant::now();
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        // The promise is a second on one's own machine; a busy one may take longer.
        assert!(asked.elapsed() < Duration::from_secs(20));
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(130), "{out}{err}");
        assert!(out.contains("interrupted"), "{out}{err}");
        gmm(&["describe", &model]).ok();
        fs::remove_file(&model).unwrap();
    }
}

/// Ctrl-C before a first fit has left its start: nothing can be shown, and nothing else went wrong.
#[test]
fn ctrl_c_before_there_is_anything_is_no_other_failure() {
    let folder = Folder::new();
    let data = long_work(&folder);
    let args = [
        "test", &data, "-k", "60", "--starts", "1000", "--header", "no",
    ];
    let child = command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    interrupt(&child);
    let ran = Ran::from(child.wait_with_output().unwrap());
    let message = format!("error: {data}: interrupted before there was anything to show\n");
    // A machine that is very slow has not begun: then Ctrl-C ends the program at once.
    assert_eq!((ran.code, ran.out.as_str()), (Some(130), ""));
    assert!(
        ran.err.is_empty() || ran.err.ends_with(&message),
        "{}",
        ran.err
    );
}

/// Files that claim more than they hold, and texts that are mostly structure, are refused within memory in proportion to their bytes.
#[test]
fn hostile_files_take_little_memory() {
    let folder = Folder::new();
    let head = r#"{"format": "gmm-model", "version": 1, "covariance_type": "full", "weights": "#;
    let n = 2_000_000;
    let deep = folder.write("deep.json", format!("{head}{}", "[".repeat(n)));
    let flat = folder.write("flat.json", format!("{head}[0{}]}}", ",0".repeat(n)));
    let empty = folder.write(
        "empty.json",
        format!(
            "{head}[1], \"means\": [[]{}], \"covariances\": []}}",
            ",[]".repeat(n)
        ),
    );
    let names = folder.write(
        "names.json",
        format!(
            "{head}[1], \"means\": [[0]], \"covariances\": [[[1]]], \"feature_names\": [\"\"{}]}}",
            ",\"\"".repeat(n)
        ),
    );
    // 8 GiB of payload behind a header whose checksum is right.
    let mut file = b"\x89GMM\r\n\x1a\n\x01\0\x01\0\x01\0\0\0".to_vec();
    file.extend((1_u64 << 33).to_le_bytes());
    file.extend([0; 4]);
    file.extend(crc32(&file).to_le_bytes());
    let long = folder.write("long.gmm", file);
    // The largest has 6 MB: ten times that, and as much as the program and its libraries take by themselves.
    for path in [deep, flat, empty, names, long] {
        let output = limited("ulimit -v 250000", &["describe", &path])
            .output()
            .unwrap();
        let ran = Ran::from(output);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(1), ""),
            "{path}: {}",
            ran.err
        );
        assert!(
            ran.err.starts_with(&format!("error: {path}: ")),
            "{}",
            ran.err
        );
    }
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc))
    })
}
