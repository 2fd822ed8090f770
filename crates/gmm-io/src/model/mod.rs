//! Files of models: what they hold, and how they are written and read.

mod error;
mod header;
mod json;
mod names;
mod nested;
mod parts;
mod training;
mod wire;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use gmm_core::GaussianMixture;

pub use self::error::ModelError;
pub use self::training::Training;

use self::header::Header;
use self::parts::Parts;

/// What a model file holds: a mixture and, if they are known, the names of its features and a record of its training.
///
/// ```
/// use gmm_core::{Covariances, GaussianMixture, faer::mat};
/// use gmm_io::ModelFile;
///
/// let means = mat![[2.0, 54.0], [4.3, 80.0]];
/// let covariances = Covariances::diag(mat![[0.1, 34.0], [0.2, 36.0]].as_ref())?;
/// let model = GaussianMixture::new(vec![0.4, 0.6], means, covariances)?;
/// let file = ModelFile::from(model).with_feature_names(vec!["eruptions".into(), "waiting".into()])?;
/// let bytes = gmm_io::encode(&file)?;
/// assert_eq!(gmm_io::decode(&bytes)?, file);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    model: GaussianMixture,
    feature_names: Option<Vec<String>>,
    training: Option<Training>,
}

impl ModelFile {
    /// The same with names for the features, in their order.
    ///
    /// # Errors
    /// [`ModelError::FeatureNames`] if there is not one for each feature, [`ModelError::FeatureName`] for a NUL
    /// character, which the binary format uses to tell the names apart.
    pub fn with_feature_names(mut self, names: Vec<String>) -> Result<Self, ModelError> {
        if names.len() != self.model.n_features() {
            return Err(ModelError::FeatureNames {
                found: names.len(),
                expected: self.model.n_features(),
            });
        }
        if let Some(feature) = names.iter().position(|name| name.contains('\0')) {
            return Err(ModelError::FeatureName { feature });
        }
        self.feature_names = Some(names);
        Ok(self)
    }

    /// The same with a record of the training.
    #[must_use]
    pub fn with_training(mut self, training: Training) -> Self {
        self.training = Some(training);
        self
    }

    /// The mixture.
    pub fn model(&self) -> &GaussianMixture {
        &self.model
    }

    /// The mixture alone.
    pub fn into_model(self) -> GaussianMixture {
        self.model
    }

    /// The names of the features, if they are known.
    pub fn feature_names(&self) -> Option<&[String]> {
        self.feature_names.as_deref()
    }

    /// What is known of the training.
    pub fn training(&self) -> Option<&Training> {
        self.training.as_ref()
    }

    /// Writes the binary format to any writer.
    ///
    /// # Errors
    /// [`ModelError::Stream`] if the writer fails, [`ModelError::TooLarge`].
    pub fn write_to(&self, mut writer: impl Write) -> Result<(), ModelError> {
        let bytes = encode(self)?;
        writer
            .write_all(&bytes)
            .and_then(|()| writer.flush())
            .map_err(ModelError::Stream)
    }

    /// Reads either format from any reader, up to its end.
    ///
    /// Memory grows with the bytes that are there; what is no model is refused by its first bytes.
    ///
    /// # Errors
    /// [`ModelError`] says what is wrong.
    pub fn read_from(mut reader: impl Read) -> Result<Self, ModelError> {
        let mut bytes = Vec::new();
        let mut read_on = |bytes: &mut Vec<u8>, up_to: u64| {
            let n_more = up_to.saturating_sub(bytes.len() as u64);
            let read = reader.by_ref().take(n_more).read_to_end(bytes);
            read.map(|_| ()).map_err(ModelError::Stream)
        };
        read_on(&mut bytes, header::LEN as u64)?;
        if json_text(&bytes).is_some() {
            read_on(&mut bytes, header::MAX_PAYLOAD_LEN)?;
            return from_json(&bytes);
        }
        // One byte more than there should be, so that a file that goes on is noticed.
        let file_len = Header::read(&bytes)?.file_len();
        read_on(&mut bytes, file_len + 1)?;
        decode(&bytes)
    }
}

impl From<GaussianMixture> for ModelFile {
    fn from(model: GaussianMixture) -> Self {
        Self {
            model,
            feature_names: None,
            training: None,
        }
    }
}

impl From<&GaussianMixture> for ModelFile {
    fn from(model: &GaussianMixture) -> Self {
        Self::from(model.clone())
    }
}

impl From<&ModelFile> for ModelFile {
    fn from(file: &ModelFile) -> Self {
        file.clone()
    }
}

/// Writes a model to a file: as JSON if the path ends in `.json`, in the binary format otherwise.
///
/// The file is replaced as a whole once the new one has reached the disk: whatever fails, and even if the power does,
/// the path holds the old model or the new one. An existing file's permissions are kept, and a symbolic link goes on
/// pointing to the file that it points to. Takes a [`GaussianMixture`] or a [`ModelFile`].
///
/// # Errors
/// [`ModelError::Save`] with the system's reason, [`ModelError::TooLarge`].
pub fn save(path: impl AsRef<Path>, model: impl Into<ModelFile>) -> Result<(), ModelError> {
    let path = path.as_ref();
    let file = model.into();
    let is_json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let bytes = if is_json {
        to_json(&file)?.into_bytes()
    } else {
        encode(&file)?
    };
    crate::replace_file(path, |writer| writer.write_all(&bytes)).map_err(|source| {
        ModelError::Save {
            path: path.to_owned(),
            source,
        }
    })
}

/// Reads a model from a file of either format; the content decides which it is.
///
/// # Errors
/// [`ModelError::Open`] with the system's reason, the other variants for what is wrong with the content.
pub fn load(path: impl AsRef<Path>) -> Result<ModelFile, ModelError> {
    let path = path.as_ref();
    let open = |source: io::Error| ModelError::Open {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(open)?;
    ModelFile::read_from(file).map_err(|error| match error {
        ModelError::Stream(source) => open(source),
        other => other,
    })
}

/// The binary format of a model. `FORMAT.md` specifies every byte.
///
/// # Errors
/// [`ModelError::TooLarge`].
pub fn encode(file: &ModelFile) -> Result<Vec<u8>, ModelError> {
    let parts = Parts::of(file);
    header::wrap(parts.version(), &wire::encode(parts)?)
}

/// The model in these bytes of the binary format, all of them.
///
/// # Errors
/// [`ModelError`] says what is wrong; no bytes lead to a panic or to more memory than a small multiple of their number.
pub fn decode(bytes: &[u8]) -> Result<ModelFile, ModelError> {
    let (version, payload) = header::unwrap(bytes)?;
    wire::decode(version, payload)?.assemble()
}

/// The JSON format of a model. Its numbers read back to the last bit.
///
/// # Errors
/// None for the forms of covariance that there are.
pub fn to_json(file: &ModelFile) -> Result<String, ModelError> {
    json::encode(Parts::of(file))
}

/// The model in this JSON text.
///
/// # Errors
/// [`ModelError::Json`] names the line and column, the other variants what is wrong with the model.
pub fn from_json(text: impl AsRef<[u8]>) -> Result<ModelFile, ModelError> {
    let text = json_text(text.as_ref()).ok_or(ModelError::NotAModel)?;
    json::decode(text)?.assemble()
}

/// The text without a byte-order mark, if it may be a JSON object.
fn json_text(bytes: &[u8]) -> Option<&[u8]> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    text.trim_ascii_start().starts_with(b"{").then_some(text)
}
