//! Files of Gaussian mixtures: models, binary or JSON, and tables of data, CSV or NumPy's `.npy`.
//!
//! # Is this crate for me?
//! Yes, if a fitted mixture is to outlive the program, or if your data are in a file. Models are read by any later
//! version, are refused when a single bit has changed, and replace an older file only once they are safe on the disk;
//! tables are read strictly, with errors that name line, column and remedy. To fit a mixture take `gmm-em`, to use one
//! `gmm-core`.
//!
//! # Guide
//! ```
//! use gmm_core::{Covariances, GaussianMixture, faer::Mat};
//! use gmm_io::table::{CsvOptions, TextColumns, read_csv};
//! use gmm_io::{ModelFile, Training};
//!
//! // A table: header, separator and decimal sign are found out, and what was decided can be shown.
//! let text = "length,width,species\n1.4,0.2,setosa\n4.5,1.5,versicolor\n5.1,1.9,virginica\n";
//! let options = CsvOptions::default().text_columns(TextColumns::Leave);
//! let table = read_csv(text.as_bytes(), &options)?; // a file: read_table(path, &options)
//! assert_eq!(table.values.shape(), (3, 2));
//! assert_eq!(table.decisions.to_string(), "header, separator: comma, text left out: species");
//!
//! // A model, here by its closed form for one component; usually the outcome of a fit.
//! let mean = |j: usize| table.values.col(j).iter().sum::<f64>() / 3.0;
//! let covariances = Covariances::spherical(&[1.5], 2)?;
//! let model = GaussianMixture::new(vec![1.0], Mat::from_fn(1, 2, |_, j| mean(j)), covariances)?;
//!
//! // The file holds the model, the names of its features and what is needed later to tell anomalies.
//! let training = Training::from_log_densities(&model.log_density(&table.values)?, None)?;
//! let file = ModelFile::from(&model).with_feature_names(table.names)?.with_training(training);
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("iris.gmm"); // as JSON: iris.json
//! gmm_io::save(&path, &file)?;
//!
//! let file = gmm_io::load(&path)?;
//! assert_eq!(file.model(), &model);
//! let least_likely = file.training().and_then(|training| training.log_density_quantile(0.0));
//! let strange = file.model().log_density(&Mat::from_fn(1, 2, |_, _| 9.0))?;
//! assert!(strange[0] < least_likely.unwrap());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What can be relied on
//! * **Every bit.** Both formats give back the numbers bit for bit.
//! * **No harm from files.** No bytes lead to a panic, to code being run, to another file being opened, or to more
//!   memory than a small multiple of the bytes that are there. What is read becomes a model only through
//!   [`GaussianMixture::new`](gmm_core::GaussianMixture::new).
//! * **Old or new, never half.** [`save`] and [`table::save_npy`] write beside the file and then take its place.
//! * **Old files stay readable.** The bytes are specified in this crate's `FORMAT.md`, and files of each version are
//!   kept in its tests. A file of a newer version is refused as such.
//! * **Nothing is guessed in silence.** Whatever was found out about a table is in [`table::Table::decisions`].

mod atomic;
mod model;
pub mod table;

pub use atomic::{can_replace_file, replace_file};
pub use model::{ModelError, ModelFile, Training, decode, encode, from_json, load, save, to_json};
