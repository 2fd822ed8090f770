//! The inputs that are kept between runs, fuzz/seeds/TARGET.bin: few of them, which reach all that the corpus reached.

#[path = "../../../fuzz/seeds.rs"]
mod file;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Sanitizer, listed};
use crate::{Outcome, shell};

/// Lays the kept inputs into a corpus.
pub(super) fn lay_out(fuzz: &Path, target: &str, corpus: &Path) -> Outcome {
    let path = path(fuzz, target);
    let Ok(bytes) = fs::read(&path) else {
        return Ok(());
    };
    for (number, input) in file::unpack(&bytes).iter().enumerate() {
        let seed = corpus.join(format!("seed-{number:04}"));
        fs::write(&seed, input)
            .map_err(|error| format!("cannot write {}: {error}", seed.display()))?;
    }
    Ok(())
}

/// Keeps as few inputs of a corpus as reach all that it reaches.
pub(super) fn keep(fuzz: &Path, target: &str, corpus: &Path) -> Outcome {
    let chosen = fuzz.join("target/seeds").join(target);
    let _ = fs::remove_dir_all(&chosen);
    fs::create_dir_all(&chosen)
        .map_err(|error| format!("cannot create {}: {error}", chosen.display()))?;
    let mut command = Sanitizer::None.cargo_fuzz("run");
    command
        .arg(target)
        .args([chosen.as_os_str(), corpus.as_os_str()]);
    command.args(["--", "-set_cover_merge=1"]);
    shell::run(&mut command)?;
    let inputs = listed(&chosen)?;
    let bytes = pack(&inputs)?;
    let path = path(fuzz, target);
    fs::create_dir_all(fuzz.join("seeds"))
        .and_then(|()| fs::write(&path, &bytes))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!(
        "{target}: {} inputs of {} bytes are kept",
        inputs.len(),
        bytes.len()
    );
    Ok(())
}

fn path(fuzz: &Path, target: &str) -> PathBuf {
    fuzz.join("seeds")
        .join(target)
        .with_extension(OsStr::new("bin"))
}

/// What [`file::unpack`] reads.
fn pack(inputs: &[PathBuf]) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    for path in inputs {
        let input =
            fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let length = u32::try_from(input.len())
            .map_err(|_| format!("{} has more than 4 GiB", path.display()))?;
        bytes.extend(length.to_le_bytes());
        bytes.extend(input);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let folder = std::env::temp_dir().join(format!("gmm-seeds-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let inputs: [&[u8]; 3] = [b"one", b"", &[0, 255, 7]];
        let paths: Vec<PathBuf> = (inputs.iter().enumerate())
            .map(|(number, input)| {
                let path = folder.join(number.to_string());
                fs::write(&path, input).unwrap();
                path
            })
            .collect();
        let bytes = pack(&paths).unwrap();
        assert_eq!(bytes.len(), 3 * 4 + 6);
        assert_eq!(file::unpack(&bytes), inputs);
        // What was cut off is left out.
        assert_eq!(file::unpack(&bytes[..bytes.len() - 1]), inputs[..2]);
        assert_eq!(file::unpack(&bytes[..2]), Vec::<Vec<u8>>::new());
        fs::remove_dir_all(&folder).unwrap();
    }
}
