//! Writes `docs/ACCURACY.md`: how many digits are right, of ours and of scikit-learn, by the exact oracle. Run by `cargo xtask golden`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use gmm_em::{Regularization, SufficientStatistics};
use gmm_testkit::naive::variances;
use gmm_testkit::oracle::{self, Case, Computed, Update, exact};
use gmm_testkit::{matrix, rows};

/// The columns of the table: an output of the oracle, and what it is called.
const OUTPUTS: [(&str, &str); 5] = [
    ("log_density", "log-density"),
    ("resp", "responsibilities"),
    ("bic", "BIC"),
    ("em.means", "EM: means"),
    ("em.covariances", "EM: covariances"),
];

const INTRODUCTION: &str = "\
# Digits that are right

Small mixtures were evaluated with 2400-bit arithmetic from the exact values of their parameters and rows. For each family of
cases and covariance form the table says how many decimal digits are right in the worst number of the worst case:
ours / scikit-learn's / what a careful program in the precision of the data can hope for, given that rounding the input already moves
the answer. 16 is all that a double has. A dash means that scikit-learn has no such call (sample weights), or that the output has
no digits (a variance of exactly 0).

Digits are -log10 of an error that is relative where that makes sense: |q - c| / max(1, |c|) for log-densities and BIC,
|q - c| for responsibilities, |q - c| / max(|c|, sd) for means, |q - c| / √(Cᵢᵢ Cⱼⱼ) for covariances. Nothing is
regularized. The EM columns are one step from the given parameters. Cases of family `f32` are given in single precision, which
we read as it is and compute with in double precision: hence more digits than single precision has.

";

type Digits = BTreeMap<(String, String, &'static str), f64>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Some(path) = oracle::shared_oracle("exact/public.json") else {
        // The page stays as it is.
        return Ok(());
    };
    let peers = std::fs::read_to_string(root.join("benches/peers/accuracy.csv"))?;
    let theirs = errors_of_peer(&peers)?;
    let (mut ours, mut sklearn, mut attainable) = (Digits::new(), Digits::new(), Digits::new());
    let (mut n_cases, mut n_better, mut n_worse) = (0, 0, 0);
    for case in exact(&path) {
        n_cases += 1;
        let computed = compute(&case)?;
        for score in case.scores(&computed) {
            if !OUTPUTS.iter().any(|(output, _)| *output == score.output)
                || score.output == "em.covariances" && !has_variances(&case)
            {
                continue;
            }
            let key = (
                case.family.clone(),
                case.form.name().to_owned(),
                score.output,
            );
            worst(&mut ours, &key, score.error);
            if let Some(error) = case.attainable.get(score.output) {
                worst(&mut attainable, &key, *error);
            }
            if let Some(error) = theirs.get(&(case.id.clone(), score.output.to_owned())) {
                worst(&mut sklearn, &key, *error);
                let (a, b) = (digits(score.error), digits(*error));
                n_better += usize::from(a > b);
                n_worse += usize::from(a < b);
            }
        }
    }
    let versions = peers
        .lines()
        .next()
        .unwrap_or("")
        .trim_start_matches(['#', ' ']);
    let mut page = String::from(INTRODUCTION);
    writeln!(
        page,
        "{n_cases} cases; theirs are those of {versions} (`benches/peers/accuracy.py`). Of the outputs that both have, ours have more \
         whole digits in {n_better}, fewer in {n_worse}.\n"
    )?;
    let names: Vec<&str> = OUTPUTS.iter().map(|(_, name)| *name).collect();
    writeln!(page, "| family | form | {} |", names.join(" | "))?;
    writeln!(page, "|---|---|{}", "---|".repeat(names.len()))?;
    let mut lines: Vec<(String, String)> = ours
        .keys()
        .map(|(family, form, _)| (family.clone(), form.clone()))
        .collect();
    lines.dedup();
    for (family, form) in lines {
        let cell = |(output, _): &(&'static str, &str)| -> String {
            let key = (family.clone(), form.clone(), *output);
            let number = |table: &Digits| {
                table
                    .get(&key)
                    .map_or("-".to_owned(), |error| digits(*error).to_string())
            };
            if !ours.contains_key(&key) {
                return "-".to_owned();
            }
            // Criteria take over what is attainable of the log-likelihood, which the oracle doesn't list under their name.
            let last = match *output {
                "bic" => String::new(),
                _ => format!(" / {}", number(&attainable)),
            };
            format!("{} / {}{last}", number(&ours), number(&sklearn))
        };
        let cells: Vec<String> = OUTPUTS.iter().map(cell).collect();
        writeln!(page, "| {family} | {form} | {} |", cells.join(" | "))?;
    }
    let (n_more, n_outputs, n_passing) = further(&oracle::more_exact())?;
    writeln!(
        page,
        "\n{n_more} further cases of these families and of some more (offsets to 1e10, scales of 1e-153 and 3e151, columns of 1e-150 beside \
         1e150, tails to 1e150 standard deviations, outliers at 1e200, weights down to 1e-300, models 1e5 standard deviations away) are \
         part of the repository (`crates/gmm-testkit/exact`). Of their {n_outputs} outputs in the columns above {n_passing} pass the rule of the \
         oracle: an error of 64 ε, or of 50 times what rounding the input causes, at the most."
    )?;
    page.push_str(
        "\nWritten by `cargo xtask golden` (`crates/gmm-em/examples/golden_accuracy.rs`). The same numbers are tests with a tolerance:\n\
         `oracle_exact.rs` of `gmm-core` and of `gmm-em`.\n",
    );
    std::fs::create_dir_all(root.join("docs"))?;
    std::fs::write(root.join("docs/ACCURACY.md"), page)?;
    Ok(())
}

/// Cases, their outputs, and how many of those pass; where a variance is exactly 0, no relative error of it counts.
fn further(cases: &[Case]) -> Result<(usize, usize, usize), Box<dyn std::error::Error>> {
    let (mut n_outputs, mut n_passing) = (0, 0);
    for case in cases {
        for score in case.scores(&compute(case)?) {
            let is_counted = OUTPUTS.iter().any(|(output, _)| *output == score.output)
                && (score.output != "em.covariances" || has_variances(case));
            n_outputs += usize::from(is_counted);
            n_passing += usize::from(is_counted && score.passes_widened());
        }
    }
    Ok((cases.len(), n_outputs, n_passing))
}

fn worst(table: &mut Digits, key: &(String, String, &'static str), error: f64) {
    let entry = table.entry(key.clone()).or_insert(0.0);
    *entry = entry.max(error);
}

/// Whole digits, from 0 to 16.
fn digits(error: f64) -> u32 {
    if error > 1e-16 {
        (-error.log10()).clamp(0.0, 16.0) as u32
    } else {
        16
    }
}

/// Lines of case, output and error.
fn errors_of_peer(
    text: &str,
) -> Result<BTreeMap<(String, String), f64>, Box<dyn std::error::Error>> {
    let mut errors = BTreeMap::new();
    for line in text.lines().skip(2) {
        let [case, output, error] = line.split(',').collect::<Vec<_>>()[..] else {
            return Err(format!("{line:?} has not three cells").into());
        };
        errors.insert((case.to_owned(), output.to_owned()), error.parse()?);
    }
    Ok(errors)
}

/// Whether all variances of the exact EM step are positive.
fn has_variances(case: &Case) -> bool {
    let (k, d) = (case.means.len(), case.means[0].len());
    let blocks = case.expected.em.covariances.as_ref();
    blocks.is_some_and(|blocks| {
        variances(case.form, blocks, k, d)
            .iter()
            .flatten()
            .all(|v| *v > 0.0)
    })
}

fn compute(case: &Case) -> Result<Computed, Box<dyn std::error::Error>> {
    let x = matrix(&case.x);
    let single = case
        .is_f32
        .then(|| Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] as f32));
    let samples = single.as_ref().map_or(Samples::from(&x), Samples::from);
    let samples = (case.sample_weights.as_ref()).map_or(samples, |w| samples.with_weights(w));
    let form: CovarianceType = case.form.name().parse()?;
    let (k, d) = (case.means.len(), x.ncols());
    let model = GaussianMixture::new(
        case.weights.clone(),
        matrix(&case.means),
        Covariances::new(form, k, d, case.covariances.clone())?,
    )?;
    let log_likelihood = model.log_likelihood(samples)?;
    let n = samples.total_weight()?;
    let mut statistics = SufficientStatistics::zeros(&model);
    statistics.observe(&model, samples)?;
    let occupancy = statistics.occupancy();
    let total: f64 = occupancy.iter().sum();
    // A component without rows has no moments.
    let em = statistics
        .estimate(Regularization::None)
        .ok()
        .map(|estimate| Update {
            weights: occupancy.iter().map(|n| n / total).collect(),
            occupancy: occupancy.clone(),
            means: Some(rows(estimate.means.as_ref())),
            covariances: Some(estimate.covariances.blocks().to_vec()),
            log_likelihood_after: None,
        });
    Ok(Computed {
        log_density: Some(model.log_density(samples)?),
        responsibilities: Some(rows(model.responsibilities(samples)?.as_ref())),
        bic: Some(-2.0 * log_likelihood + model.n_free_parameters() as f64 * n.ln()),
        em,
        ..Computed::default()
    })
}
