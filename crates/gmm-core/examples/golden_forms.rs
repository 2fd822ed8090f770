//! Writes `docs/forms.svg`: three components of each covariance form, as ellipses.
//!
//! Each component has its volume, its shape and its orientation from a list of three where the form lets it have its own, and from one
//! value where all share it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use gmm_core::CovarianceType;
use gmm_core::covariance::Variation;

const COLUMNS: usize = 7;
const CELL: f64 = 150.0;
const HEADER: f64 = 24.0;
const COLOURS: [&str; 3] = ["#4477aa", "#cc6677", "#228833"];
const CENTRES: [[f64; 2]; 3] = [[45.0, 45.0], [105.0, 60.0], [60.0, 105.0]];
/// Length of the half axes of a circle of volume 1.
const UNIT: f64 = 20.0;

fn of(variation: Variation, own: [f64; 3], shared: f64, identity: f64) -> [f64; 3] {
    match variation {
        Variation::Variable => own,
        Variation::Equal => [shared; 3],
        Variation::Identity => [identity; 3],
    }
}

/// Half axes and angle (degrees) of each component: volume is the product of the half axes, shape their ratio.
fn ellipses(form: CovarianceType) -> [[f64; 3]; 3] {
    let volumes = of(form.volume(), [1.6, 0.9, 0.5], 1.0, 1.0);
    let ratios = of(form.shape(), [1.3, 2.2, 3.6], 2.4, 1.0);
    // Axes along the coordinates may be long in either of them: the shape says which.
    let angles = match form.orientation() {
        Variation::Identity if form.shape() == Variation::Variable => [0.0, 90.0, 0.0],
        orientation => of(orientation, [20.0, 75.0, 140.0], 35.0, 0.0),
    };
    std::array::from_fn(|k| {
        let (area, ratio): (f64, f64) = (volumes[k], ratios[k]);
        [
            UNIT * (area * ratio).sqrt(),
            UNIT * (area / ratio).sqrt(),
            angles[k],
        ]
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let forms = CovarianceType::ALL;
    let n_rows = forms.len().div_ceil(COLUMNS);
    let (width, height) = (COLUMNS as f64 * CELL, n_rows as f64 * (CELL + HEADER));
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\">"
    )?;
    writeln!(
        svg,
        "<title>Three components of each covariance form</title>"
    )?;
    writeln!(
        svg,
        "<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>"
    )?;
    for (at, form) in forms.into_iter().enumerate() {
        let x = (at % COLUMNS) as f64 * CELL;
        let y = (at / COLUMNS) as f64 * (CELL + HEADER);
        let name = match form.name() {
            name if name == form.mclust_name() => name.to_owned(),
            name => format!("{} ({name})", form.mclust_name()),
        };
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" font-size=\"14\" text-anchor=\"middle\">{name}</text>",
            x + CELL / 2.0,
            y + 17.0
        )?;
        writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#bbbbbb\"/>",
            x + 4.0,
            y + HEADER,
            CELL - 8.0,
            CELL - 8.0
        )?;
        for (([long, short, angle], centre), colour) in
            ellipses(form).iter().zip(CENTRES).zip(COLOURS)
        {
            let (cx, cy) = (x + centre[0], y + HEADER + centre[1] - 4.0);
            // Mathematical angles turn against the clock, those of SVG with it.
            writeln!(
                svg,
                "<ellipse cx=\"{cx}\" cy=\"{cy}\" rx=\"{long:.2}\" ry=\"{short:.2}\" transform=\"rotate({} {cx} {cy})\" fill=\"{colour}\" fill-opacity=\"0.35\" stroke=\"{colour}\"/>",
                -angle
            )?;
        }
    }
    writeln!(svg, "</svg>")?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/forms.svg");
    std::fs::write(path, svg)?;
    Ok(())
}
