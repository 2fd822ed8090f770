//! `gmm sample`: random rows from a model.

use std::io::{self, Write};

use gmm_core::{GaussianMixture, Sample};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::Outcome;
use crate::args::SampleArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::model;
use crate::number::{exact, fixed};
use crate::output::{self, Csv};

/// Rows that are drawn at once. They are written as they are drawn, so that memory does not grow with their number.
const PIECE: usize = 1 << 12;

pub(crate) fn run(args: &SampleArgs, console: &Console) -> Result<Outcome, Failure> {
    output::check(args.out.as_deref(), output::Kind::Table, &[&args.model])?;
    let file = model::load(&args.model)?;
    let names = model::names_of(&file);
    let groups = (file.model().without_noise())
        .map_err(|error| Failure::Refused(format!("{}: {error}", args.model.display())))?;
    if let Some(noise) = file.model().noise() {
        console.note(&format!(
            "rows are drawn from the groups alone: the place of the noise ({} of the weight) is not known",
            fixed(noise.weight(), 3)
        ));
    }
    let rows = Rows {
        model: if file.model().noise().is_some() {
            &groups
        } else {
            file.model()
        },
        n_rows: args.rows,
        seed: args.seed,
    };
    output::to(args.out.as_deref(), |writer| {
        if console.is_json() {
            write_json(writer, &rows, &names, args)
        } else {
            write_csv(writer, &rows, &names, args.labels)
        }
    })?;
    Ok(Outcome::Done)
}

/// What is to be drawn.
struct Rows<'a> {
    model: &'a GaussianMixture,
    n_rows: usize,
    seed: u64,
}

impl Rows<'_> {
    /// Draws all rows, piece by piece: the same rows as in one piece, since each is drawn in turn.
    fn draw(&self, mut each: impl FnMut(&Sample) -> io::Result<()>) -> io::Result<()> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut n_left = self.n_rows;
        while n_left > 0 {
            let n = n_left.min(PIECE);
            let sample = self.model.sample(n, &mut rng).map_err(io::Error::other)?;
            each(&sample)?;
            n_left -= n;
        }
        Ok(())
    }
}

fn write_csv(
    writer: &mut dyn Write,
    rows: &Rows<'_>,
    names: &[String],
    labels: bool,
) -> io::Result<()> {
    let mut csv = Csv::new(writer);
    let label = labels.then_some("group");
    csv.line(label.into_iter().chain(names.iter().map(String::as_str)))?;
    rows.draw(|sample| {
        for (i, group) in sample.labels.iter().enumerate() {
            if labels {
                csv.cell((group + 1).to_string())?;
            }
            for value in sample.x.row(i).iter() {
                csv.cell(exact(*value))?;
            }
            csv.end_line()?;
        }
        Ok(())
    })?;
    csv.finish()
}

/// One object, written by hand: its rows are never in memory all at once.
fn write_json(
    writer: &mut dyn Write,
    rows: &Rows<'_>,
    names: &[String],
    args: &SampleArgs,
) -> io::Result<()> {
    writer.write_all(b"{\"command\":\"sample\",\"model\":")?;
    serde_json::to_writer(&mut *writer, &args.model.display().to_string())?;
    write!(writer, ",\"seed\":{},\"features\":", rows.seed)?;
    serde_json::to_writer(&mut *writer, names)?;
    writer.write_all(b",\"rows\":[")?;
    let mut is_first = true;
    rows.draw(|sample| {
        for i in 0..sample.x.nrows() {
            if !std::mem::take(&mut is_first) {
                writer.write_all(b",")?;
            }
            let row: Vec<f64> = sample.x.row(i).iter().copied().collect();
            serde_json::to_writer(&mut *writer, &row)?;
        }
        Ok(())
    })?;
    writer.write_all(b"]")?;
    if args.labels {
        writer.write_all(b",\"groups\":[")?;
        let mut is_first = true;
        // The same rows once more: that is cheaper than keeping the groups of a billion of them.
        rows.draw(|sample| {
            for group in &sample.labels {
                let comma = if std::mem::take(&mut is_first) {
                    ""
                } else {
                    ","
                };
                write!(writer, "{comma}{}", group + 1)?;
            }
            Ok(())
        })?;
        writer.write_all(b"]")?;
    }
    writer.write_all(b"}\n")
}
