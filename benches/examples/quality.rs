//! We as one of the systems of `cargo xtask bench --quality`: how good an optimum the default call finds, and in what time.
//!
//! ```text
//! quality write FOLDER    writes the tables of the suite and their list, tables.csv (name, file, components)
//! quality fit FOLDER      fits each table by default: name, seconds, log-likelihood per row, adjusted Rand index
//! quality sweep FOLDER    searches the table sweep.npy: seconds in all, then form, components, BIC
//! ```
#![allow(
    clippy::print_stdout,
    reason = "the answers go to the program that started this one"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use gmm_core::faer::Mat;
use gmm_em::Em;
use gmm_io::table::{CsvOptions, TextColumns, read_table, save_npy};
use gmm_select::{MultiStart, Search};
use gmm_testkit::data::{self, Data};
use gmm_testkit::naive::adjusted_rand_index;
use mimalloc::MiMalloc;

/// The allocator of the program, for which this stands.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The default number of starts of the program.
const N_STARTS: usize = 5;

struct Table {
    name: String,
    x: Mat<f64>,
    n_components: usize,
    labels: Option<Vec<usize>>,
}

impl Table {
    fn drawn(name: String, drawn: Data, n_components: usize) -> Self {
        Self {
            name,
            x: drawn.x,
            n_components,
            labels: Some(drawn.labels),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", folder] => write(Path::new(folder)),
        ["fit", _] => fit(),
        ["sweep", _] => sweep(),
        _ => Err("the head of benches/examples/quality.rs shows the calls".into()),
    }
}

/// Overlapping groups, cigars, groups of unlike weights and of nested scales, and real tables.
fn suite() -> Result<Vec<Table>, Box<dyn Error>> {
    let mut tables = Vec::new();
    for seed in 0..2 {
        let drawn = data::overlapping(seed, 20_000, 8, 16);
        tables.push(Table::drawn(format!("overlapping-{seed}"), drawn, 16));
    }
    for aspect in [1, 5, 10, 20, 40] {
        for seed in 0..2 {
            let drawn = data::cigars(seed, 2000, 3, f64::from(aspect));
            tables.push(Table::drawn(format!("cigars-{aspect}-{seed}"), drawn, 3));
        }
    }
    for seed in 0..4 {
        let drawn = data::unbalanced(seed, 5000, 4, 5, 0.316);
        tables.push(Table::drawn(format!("unbalanced-{seed}"), drawn, 5));
    }
    for seed in 0..4 {
        tables.push(Table::drawn(format!("nested-{seed}"), nested(seed), 4));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    let options = CsvOptions::default().text_columns(TextColumns::Leave);
    for (name, n_features, components) in [
        ("old_faithful", 2, &[2, 3][..]),
        ("iris", 4, &[2, 3, 4]),
        ("wine", 13, &[2, 3]),
    ] {
        let rows = read_table(root.join(format!("{name}.csv")), &options)?.values;
        for k in components {
            tables.push(Table {
                name: format!("{name}-{k}"),
                x: Mat::from_fn(rows.nrows(), n_features, |i, j| rows[(i, j)]),
                n_components: *k,
                labels: None,
            });
        }
    }
    Ok(tables)
}

/// Groups about one centre whose scales grow by a factor of 5 each.
fn nested(seed: u64) -> Data {
    let drawn = data::separated(seed, 4000, 3, 4);
    let centres: Vec<Vec<f64>> = (drawn.truth.iter()).flat_map(|t| t.means.clone()).collect();
    let x = Mat::from_fn(drawn.x.nrows(), drawn.x.ncols(), |i, j| {
        let label = drawn.labels[i];
        let scale = 5f64.powi(label as i32);
        0.3 * label as f64 + scale * (drawn.x[(i, j)] - centres[label][j])
    });
    Data { x, ..drawn }
}

fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut list = String::from("name,file,components\n");
    for table in suite()? {
        let file = format!("{}.npy", table.name);
        save_npy(folder.join(&file), table.x.as_ref())?;
        writeln!(list, "{},{file},{}", table.name, table.n_components)?;
    }
    fs::write(folder.join("tables.csv"), list)?;
    save_npy(folder.join("sweep.npy"), many_rows().x.as_ref())?;
    Ok(())
}

/// Six overlapping groups, so that searches have components too many to fit.
fn many_rows() -> Data {
    data::overlapping(1, 100_000, 8, 6)
}

/// 1 to 10 components of the four basic forms, five starts each.
fn sweep() -> Result<(), Box<dyn Error>> {
    let x = many_rows().x;
    let begin = Instant::now();
    let selection = Search::over(1..=10).starts(N_STARTS).run(&x)?;
    println!("{:.6}", begin.elapsed().as_secs_f64());
    for candidate in selection.candidates() {
        let bic = selection.value(candidate).unwrap_or(f64::NAN);
        println!(
            "{},{},{bic:.4}",
            candidate.covariance, candidate.n_components
        );
    }
    Ok(())
}

fn fit() -> Result<(), Box<dyn Error>> {
    for table in suite()? {
        let begin = Instant::now();
        let starts = MultiStart::new(Em::new(table.n_components), N_STARTS).run(&table.x)?;
        let seconds = begin.elapsed().as_secs_f64();
        let fit = starts.best();
        let index = match &table.labels {
            Some(labels) => adjusted_rand_index(&fit.model().predict(&table.x)?, labels),
            None => f64::NAN,
        };
        let mean = fit.report().mean_log_likelihood();
        println!("{},{seconds:.6},{mean:.9},{index:.4}", table.name);
    }
    Ok(())
}
