//! How the program ends: help, full disks, readers who leave, and Ctrl-C.

use crate::common::{gmm, gmm_on};

#[test]
fn help_is_a_result_and_names_the_exit_codes() {
    let help = gmm(&["--help"]).ok();
    for command in ["select", "fit", "predict", "score", "sample", "describe"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let page = gmm(&[command, "--help"]).ok();
        assert!(
            page.contains(&format!("Examples:\n  gmm {command} ")),
            "{page}"
        );
    }
    assert!(help.contains("  130  interrupted"), "{help}");
    let version = gmm(&["--version"]).ok();
    assert_eq!(version, format!("gmm {}\n", env!("CARGO_PKG_VERSION")));
    // Without a word about what to do the help is the error.
    let bare = gmm(&[]);
    assert_eq!((bare.code, bare.out.as_str()), (Some(2), ""));
    assert!(bare.err.contains("Usage: gmm"), "{}", bare.err);
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use crate::common::{Folder, Ran, command, gmm};

    /// The device that is always full, where the system has it.
    fn full_device() -> Option<File> {
        let device = File::options().write(true).open("/dev/full").ok();
        if device.is_none() {
            eprintln!("NOT TESTED: this system has no /dev/full");
        }
        device
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let Some(device) = full_device() else { return };
        let folder = Folder::new();
        let model = folder.faithful();
        for args in [
            vec!["fit", "data/old_faithful.csv", "-k", "2"],
            vec!["fit", "data/old_faithful.csv", "-k", "2", "--json"],
            vec!["describe", &model],
            vec!["sample", &model, "-n", "1"],
            vec!["predict", "-q", &model, "data/old_faithful.csv"],
            vec!["score", "-q", &model, "data/old_faithful.csv", "--json"],
        ] {
            let output = command(&args)
                .stdout(device.try_clone().unwrap())
                .output()
                .unwrap();
            Ran::from(output).refused(
                1,
                "cannot write to standard output: No space left on device (os error 28)",
            );
        }
        let message = "cannot write /dev/full: No space left on device (os error 28)";
        // The fit is not lost with its file.
        let fit = ["fit", "data/old_faithful.csv", "-k", "2"];
        let ran = gmm(&[&fit[..], &["--out", "/dev/full"]].concat());
        assert_eq!(
            (ran.code, ran.err),
            (Some(1), format!("error: {message}\n"))
        );
        assert_eq!(ran.out, gmm(&fit).ok());
        gmm(&["sample", &model, "-n", "9", "--out", "/dev/full"]).refused(1, message);
    }

    #[test]
    fn folders_that_are_not_there_are_named() {
        let folder = Folder::new();
        let model = folder.faithful();
        gmm(&["sample", &model, "-n", "9", "--out", "/nowhere/x.csv"]).refused(
            1,
            "cannot write /nowhere/x.csv: No such file or directory (os error 2)",
        );
    }

    #[test]
    fn a_reader_who_has_seen_enough_is_no_error() {
        let folder = Folder::new();
        let model = folder.faithful();
        for json in [&[][..], &["--json"]] {
            let mut args = vec!["sample", model.as_str(), "-n", "1000000000"];
            args.extend(json);
            let mut child = command(&args)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut first = [0; 10];
            child.stdout.take().unwrap().read_exact(&mut first).unwrap();
            // Standard output is closed by now.
            Ran::from(child.wait_with_output().unwrap()).ok();
        }
    }

    /// A fit that never ends by itself ends when its time is up, and is a result: exit code 0.
    #[test]
    fn the_time_for_a_fit_is_kept() {
        let folder = Folder::new();
        let x = gmm_testkit::data::overlapping(1, 3000, 3, 12).x;
        let csv: String = (0..x.nrows())
            .map(|i| format!("{},{},{}\n", x[(i, 0)], x[(i, 1)], x[(i, 2)]))
            .collect();
        let data = folder.write("data.csv", csv);
        let endless = [
            "--tolerance",
            "0",
            "--max-iterations",
            "1000000000",
            "--budget",
            // Busy machines need a part of it for the start.
            "4s",
        ];
        let fit = [&["fit", &data, "-k", "20", "--starts", "1"][..], &endless].concat();
        // Six thousand starts, of which the first are there in milliseconds.
        let select = [
            &["select", &data, "-k", "1-8", "--starts", "200"][..],
            &endless,
        ]
        .concat();
        for args in [fit, select] {
            let begun = Instant::now();
            let ran = gmm(&args);
            // An iteration and what follows it take milliseconds; the rest is for busy machines.
            assert!(begun.elapsed() < Duration::from_secs(60), "{args:?}");
            assert_eq!(ran.code, Some(0), "{}", ran.err);
            let note = "note: the time was up: this is the best so far";
            assert!(ran.out.contains(note), "{}", ran.out);
        }
    }

    /// A fit that would go on for hours: strongly overlapping components, and no tolerance.
    #[test]
    fn ctrl_c_prints_the_best_so_far() {
        let folder = Folder::new();
        let x = gmm_testkit::data::overlapping(1, 30_000, 3, 12).x;
        // Without a header the program notes what it decided: then the data are read, and the fit is about to start.
        let csv: String = (0..x.nrows())
            .map(|i| format!("{},{},{}\n", x[(i, 0)], x[(i, 1)], x[(i, 2)]))
            .collect();
        let data = folder.write("data.csv", csv);
        let model = folder.word("best.gmm");
        let args = [
            "fit",
            &data,
            "-k",
            "20",
            "--starts",
            "1",
            "--init",
            "random-from-data",
            "--tolerance",
            "0",
            "--max-iterations",
            "1000000000",
            "--out",
            &model,
        ];
        let mut child = command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut note = String::new();
        stderr.read_line(&mut note).unwrap();
        assert_eq!(note, format!("note: {data}: no header, separator: comma\n"));
        std::thread::sleep(Duration::from_secs(1));

        let asked = Instant::now();
        let kill = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        // The promise is a second on one's own machine; a busy one may take longer.
        assert!(asked.elapsed() < Duration::from_secs(10));
        assert_eq!(output.status.code(), Some(130));
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(out.contains("\nstopped after "), "{out}");
        assert!(
            out.contains("\nnote: interrupted: this is the best so far\n"),
            "{out}"
        );
        // The model is a good one all the same.
        let described = gmm(&["describe", &model]).ok();
        assert!(
            described.contains("20 groups, full covariances"),
            "{described}"
        );
    }
}

/// Splits and seeds for thousands of groups take minutes; the time is looked at in between.
#[test]
fn a_start_of_very_many_groups_keeps_to_its_time() {
    let rows: String = (0..40_000)
        .map(|i| {
            format!(
                "{},{}\n",
                (f64::from(i) * 0.37).sin(),
                (f64::from(i) * 0.73).cos()
            )
        })
        .collect();
    for args in [
        &["fit", "-", "-k", "20000", "--budget", "0.2s", "-q"][..],
        &["select", "-", "-k", "19999-20000", "--budget", "0.2s", "-q"],
    ] {
        let ran = gmm_on(&rows, args);
        ran.refused(
            1,
            "standard input: the time was up before anything was fitted; give more time (--budget), or ask for fewer groups (-k)",
        );
    }
}
