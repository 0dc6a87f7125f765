//! `model.safetensors`, written piece by piece: no copy of the parameters is made, however many there are.

use super::{Error, content, exported, hex, io, shape};
use crate::parameters::Parameters;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use tfcoord_types::variable::Variable;

/// Values that are written at once.
const PIECE: usize = 4096;
/// The header ends at a multiple of so many bytes, filled up with spaces.
const HEADER_ALIGNMENT: usize = 8;

/// Writes the parameters to `path`, over what may be there, and syncs them. Gives the file's SHA-256 in hexadecimal.
pub(super) fn write(path: &Path, variables: &[Variable], parameters: &Parameters) -> Result<String, Error> {
    if parameters.lengths().len() != variables.len() {
        return Err(content(path, "the parameters are of another model"));
    }
    let mut order: Vec<(usize, &Variable)> = exported(variables).collect();
    order.sort_by_key(|(_, variable)| &variable.name);
    let header = header(&order, parameters).map_err(|problem| content(path, problem))?;
    let written = || {
        let mut out = Hashed { file: File::create(path)?, hash: Sha256::new() };
        out.write(&(header.len() as u64).to_le_bytes())?;
        out.write(&header)?;
        let mut bytes = Vec::with_capacity(PIECE * 4);
        for piece in order.iter().flat_map(|(place, _)| parameters.values(*place).chunks(PIECE)) {
            bytes.clear();
            bytes.extend(piece.iter().flat_map(|value| value.to_le_bytes()));
            out.write(&bytes)?;
        }
        out.file.sync_all()?;
        Ok(hex(&out.hash.finalize()))
    };
    written().map_err(io(path))
}

// Names, shapes and places of all tensors, in this order: as the safetensors library writes it.
fn header(order: &[(usize, &Variable)], parameters: &Parameters) -> Result<Vec<u8>, String> {
    let mut end = 0;
    let tensors = order.iter().map(|(place, variable)| {
        let begin = end;
        end += parameters.values(*place).len() * 4;
        (variable.name.clone(), TensorInfo { dtype: Dtype::F32, shape: shape(variable), data_offsets: (begin, end) })
    });
    let metadata = Metadata::new(None, tensors.collect()).map_err(|cause| cause.to_string())?;
    let mut bytes = serde_json::to_vec(&metadata).map_err(|cause| cause.to_string())?;
    bytes.resize(bytes.len().next_multiple_of(HEADER_ALIGNMENT), b' ');
    Ok(bytes)
}

struct Hashed {
    file: File,
    hash: Sha256,
}

impl Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;
    use tfcoord_types::variable::{Group, Initializer};

    #[test]
    fn the_bytes_are_those_of_the_library() {
        let variable = |name: &str, shape: &[u32]| Variable {
            name: name.into(),
            shape: shape.to_vec(),
            initializer: Initializer::Zeros,
            group: Group::Train,
            sync: None,
        };
        let variables = [variable("b/kernel", &[3, 5000]), variable("curve", &[3]), variable("a/bias", &[7])];
        let mut parameters = Parameters::new(&variables).unwrap();
        (0..3).for_each(|at| parameters.values_mut(at).iter_mut().zip(0u16..).for_each(|(value, n)| *value = f32::from(n) / 3.0));
        let bytes = |at: usize| parameters.values(at).iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let (kernel, bias) = (bytes(0), bytes(2));
        let views = [
            ("b/kernel", TensorView::new(Dtype::F32, vec![3, 5000], &kernel).unwrap()),
            ("a/bias", TensorView::new(Dtype::F32, vec![7], &bias).unwrap()),
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tensors");
        let digest = write(&path, &variables, &parameters).unwrap();
        let written = std::fs::read(&path).unwrap();
        assert!(written == safetensors::serialize(views, None).unwrap());
        assert_eq!(digest, hex(&Sha256::digest(&written)));
    }
}
