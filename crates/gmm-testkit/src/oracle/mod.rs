//! Reference values that other programs computed, kept in the oracle folder beside the checkout, and the rule for passing.
//!
//! The folder is no part of the repository: a test that wants it asks [`shared_oracle`] and returns if there is none.
//!
//! ```no_run
//! use gmm_testkit::oracle::{self, Computed};
//!
//! let Some(path) = oracle::shared_oracle("exact/public.json") else { return };
//! for case in oracle::exact(&path) {
//!     let mixture = case.mixture(); // or the product's own, from case.weights, case.means and case.covariances
//!     let computed = Computed {
//!         log_density: Some(mixture.log_density(&case.x)),
//!         ..Computed::default()
//!     };
//!     for score in case.scores(&computed) {
//!         assert!(score.passes(), "{score}");
//!     }
//! }
//! ```

mod certified;
mod exact;
mod json;
pub mod mclust;
pub mod metrics;
mod score;

use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use certified::{Certified, certified};
pub use exact::{Case, Expected, Update, exact};
pub use score::{Computed, Score};

/// Where the oracle folder is, seen from the folder of this crate.
const FOLDER: &str = "../../../shared/oracle";

/// The path of a file or folder of the oracle, such as `exact/public.json` or `mclust`; `None` if it is not there.
///
/// The `None` is announced on stderr with the name of the test. The announcement is written to the stream itself, which the
/// test harness does not capture: a skipped test looks like a passed one, so it has to be loud even where it "passes".
pub fn shared_oracle(name: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        let thread = std::thread::current();
        let line = announcement(thread.name().unwrap_or("a test"), name);
        // If even stderr is closed there is nobody to tell.
        std::io::stderr().write_all(line.as_bytes()).ok();
    }
    found
}

/// Further cases of the same families, with other shapes and harder numbers, which are part of the repository.
///
/// `exact/more.py` of this crate wrote them with the 460 digits of mpmath: see there how.
pub fn more_exact() -> Vec<Case> {
    exact(&Path::new(env!("CARGO_MANIFEST_DIR")).join("exact/more.json"))
}

fn find(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(FOLDER)
        .join(name);
    path.exists().then_some(path)
}

fn announcement(test: &str, name: &str) -> String {
    format!(
        "\n*** SKIPPED: {test} needs `{name}` of the oracle folder beside the checkout, and it is not there ***\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_announced_with_the_test_that_wants_it() {
        assert_eq!(find("exact/no_such_file.json"), None);
        assert_eq!(
            announcement("exact::every_case", "exact/public.json"),
            "\n*** SKIPPED: exact::every_case needs `exact/public.json` of the oracle folder beside the checkout, \
             and it is not there ***\n"
        );
    }
}
