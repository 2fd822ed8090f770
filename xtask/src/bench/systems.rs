//! The systems that are compared: how each is installed and started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, shell};

/// A system of the comparison.
#[derive(Debug)]
pub(super) struct System {
    /// As `--only` names it.
    pub(super) name: &'static str,
    /// As the table names it.
    pub(super) title: &'static str,
    /// Whether it does the same work in the same precision, so that its likelihood must be ours.
    pub(super) must_agree: bool,
    kind: Kind,
    by_default: bool,
}

#[derive(Debug)]
enum Kind {
    /// We, in this precision.
    Own(&'static str),
    /// A class of `benches/peers/worker.py`, with the packages that it needs.
    Python(&'static [&'static str]),
    /// `benches/peers/mclust.R`.
    R,
}

const SYSTEMS: [System; 8] = [
    System {
        name: "gmm",
        title: "**gmm**",
        must_agree: true,
        kind: Kind::Own("f64"),
        by_default: true,
    },
    System {
        name: "gmm-f32",
        title: "gmm, f32 rows",
        must_agree: false,
        kind: Kind::Own("f32"),
        by_default: true,
    },
    System {
        name: "gmm-mixed",
        title: "gmm, mixed precision",
        must_agree: false,
        kind: Kind::Own("mixed"),
        by_default: true,
    },
    System {
        name: "sklearn",
        title: "scikit-learn",
        must_agree: true,
        kind: Kind::Python(&["numpy", "scikit-learn"]),
        by_default: true,
    },
    System {
        name: "sklearn-f32",
        title: "scikit-learn, f32",
        must_agree: false,
        kind: Kind::Python(&["numpy", "scikit-learn"]),
        by_default: true,
    },
    System {
        name: "onedal",
        title: "oneDAL",
        must_agree: true,
        // Since 2025 this package holds daal4py, through which oneDAL is called.
        kind: Kind::Python(&["numpy", "scikit-learn-intelex"]),
        by_default: true,
    },
    System {
        name: "mclust",
        title: "mclust",
        must_agree: true,
        kind: Kind::R,
        by_default: false,
    },
    System {
        name: "opencv",
        title: "OpenCV",
        must_agree: true,
        // OpenCV 5 has moved its EM to a package that is not on PyPI.
        kind: Kind::Python(&["numpy", "opencv-python-headless<5"]),
        by_default: false,
    },
];

/// The systems that take seconds rather than minutes.
pub(super) fn by_default() -> Vec<&'static System> {
    SYSTEMS.iter().filter(|system| system.by_default).collect()
}

/// We and the systems of these names, in the order of the list; `all` names all.
pub(super) fn named(names: &[String]) -> Outcome<Vec<&'static System>> {
    for name in names {
        if name != "all" && !SYSTEMS.iter().any(|system| system.name == name) {
            let known: Vec<&str> = SYSTEMS.iter().map(|system| system.name).collect();
            return Err(format!(
                "there is no system `{name}`; there are {}",
                known.join(", ")
            ));
        }
    }
    Ok(SYSTEMS
        .iter()
        .enumerate()
        .filter(|(number, system)| {
            *number == 0
                || names
                    .iter()
                    .any(|name| name == "all" || name == system.name)
        })
        .map(|(_, system)| system)
        .collect())
}

/// What a system is started for.
pub(super) struct Task<'a> {
    /// Where rows and starts are.
    pub(super) folder: &'a Path,
    /// Name, rows, features, components, form.
    pub(super) workload: [String; 5],
    pub(super) threads: usize,
}

/// The programs of this machine and of the folder of our own.
pub(super) struct Installed {
    /// The example `peer` of gmm-benches.
    pub(super) own: String,
    /// The virtual environment.
    environment: PathBuf,
}

impl Installed {
    /// Installs what the systems need below `folder`. Returns also the systems that can't take part, with the reason.
    pub(super) fn new(
        own: String,
        folder: &Path,
        systems: &[&'static System],
    ) -> (Self, Vec<(&'static System, String)>) {
        let installed = Self {
            own,
            environment: folder.join("venv"),
        };
        let missing = systems
            .iter()
            .filter_map(|system| Some((*system, installed.provide(system).err()?)))
            .collect();
        (installed, missing)
    }

    /// Installs packages of Python below `folder`.
    pub(super) fn with_packages(own: String, folder: &Path, packages: &[&str]) -> Outcome<Self> {
        let installed = Self {
            own,
            environment: folder.join("venv"),
        };
        installed.provide_packages(packages)?;
        Ok(installed)
    }

    fn provide(&self, system: &System) -> Outcome {
        match system.kind {
            Kind::Own(_) => Ok(()),
            Kind::Python(packages) => self.provide_packages(packages),
            Kind::R => Self::r_with_mclust(),
        }
    }

    /// Whether this machine has R and its package mclust, which we can't install into a folder of our own.
    pub(super) fn r_with_mclust() -> Outcome {
        shell::output(&mut shell::program("Rscript", &["-e", "library(mclust)"]))
            .map(|_| ())
            .map_err(|_| "needs R with its package mclust (Debian: r-cran-mclust)".to_owned())
    }

    /// Installs the packages that the environment's own list doesn't name yet.
    fn provide_packages(&self, packages: &[&str]) -> Outcome {
        let python = self.python();
        if !python.is_file() {
            let environment = self.environment.to_string_lossy();
            shell::run(&mut shell::program(
                "python3",
                &["-m", "venv", &environment],
            ))?;
        }
        let list = self.environment.join("installed.txt");
        let mut have = fs::read_to_string(&list).unwrap_or_default();
        let new: Vec<&str> = packages
            .iter()
            .copied()
            .filter(|package| !have.lines().any(|line| line == *package))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut install = shell::program(&python.to_string_lossy(), &["-m", "pip", "install"]);
        shell::run(
            install
                .args(["--quiet", "--disable-pip-version-check"])
                .args(&new),
        )?;
        for package in new {
            have.push_str(package);
            have.push('\n');
        }
        fs::write(&list, have).map_err(|error| format!("cannot write {}: {error}", list.display()))
    }

    pub(super) fn python(&self) -> PathBuf {
        if cfg!(windows) {
            self.environment.join("Scripts/python.exe")
        } else {
            self.environment.join("bin/python")
        }
    }

    /// The command that starts a system as a worker.
    pub(super) fn command(&self, system: &System, task: &Task<'_>) -> Command {
        let folder = task.folder.to_string_lossy();
        let threads = task.threads.to_string();
        let name = &task.workload[0];
        let mut command = match system.kind {
            Kind::Own(precision) => {
                shell::program(&self.own, &["gmm", &folder, name, &threads, precision])
            }
            Kind::Python(_) => {
                let mut command = shell::program(
                    &self.python().to_string_lossy(),
                    &["benches/peers/worker.py", system.name, &folder],
                );
                command.args(&task.workload).arg(&threads);
                command
            }
            Kind::R => {
                let mut command = shell::program("Rscript", &["benches/peers/mclust.R", &folder]);
                command.args(&task.workload);
                command
            }
        };
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        for variable in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"] {
            command.env_remove(variable);
        }
        for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, &threads);
        }
        command
    }

    /// The command that starts the referee.
    pub(super) fn referee(&self, task: &Task<'_>) -> Command {
        let folder = task.folder.to_string_lossy();
        let threads = task.threads.to_string();
        shell::program(
            &self.own,
            &["referee", &folder, &task.workload[0], &threads],
        )
    }
}
