//! A model's parameters: one buffer a variable, overwritten in place.

use crate::error::Error;
use crate::kernel::Buffer;
use tfcoord_types::variable::Variable;

/// The values of all variables, in the order of [`crate::Model::variables`].
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    values: Vec<Buffer>,
}

impl Parameters {
    /// All zero, with the shapes of `variables`.
    ///
    /// # Errors
    /// If a variable has more elements than memory can hold.
    pub fn new(variables: &[Variable]) -> Result<Self, Error> {
        let zeros = |variable: &Variable| {
            let len = variable.elements().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= isize::MAX.cast_unsigned() / 4);
            let len = len.ok_or_else(|| Error::Parameters { problem: format!("{} is larger than memory", variable.name) })?;
            let full = |_| Error::Parameters { problem: format!("there is not enough memory for {}", variable.name) };
            Buffer::new(len).map_err(full)
        };
        Ok(Self { values: variables.iter().map(zeros).collect::<Result<_, Error>>()? })
    }

    /// The values of a variable, outermost dimension first.
    ///
    /// # Panics
    /// If there is no such variable.
    pub fn values(&self, variable: usize) -> &[f32] {
        &self.values[variable]
    }

    /// As [`Self::values`], to be written.
    ///
    /// # Panics
    /// If there is no such variable.
    pub fn values_mut(&mut self, variable: usize) -> &mut [f32] {
        &mut self.values[variable]
    }

    /// How many values each variable has.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.values.iter().map(|values| values.len())
    }

    /// Overwrites a part of a variable, from its element `offset`, with little-endian f32 as they come from the
    /// exchange.
    ///
    /// # Errors
    /// If there is no such variable, the bytes are no whole number of values, or they do not fit in. Then
    /// nothing is written.
    pub fn write(&mut self, variable: usize, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let (values, rest) = bytes.as_chunks::<4>();
        let refused = |what: &str| Error::Parameters {
            problem: format!("{} bytes for variable {variable} from element {offset}: {what}", bytes.len()),
        };
        if !rest.is_empty() {
            return Err(refused("not a multiple of 4"));
        }
        let all = self.values.get_mut(variable).ok_or_else(|| refused("there is no such variable"))?;
        let from = usize::try_from(offset).ok();
        let part = from.and_then(|from| all.get_mut(from..from.checked_add(values.len())?));
        for (old, new) in part.ok_or_else(|| refused("beyond its end"))?.iter_mut().zip(values) {
            *old = f32::from_le_bytes(*new);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_types::variable::{Group, Initializer};

    #[test]
    fn chunks_go_where_they_belong() {
        let variable = |name: &str, shape: &[u32]| Variable {
            name: name.into(),
            shape: shape.to_vec(),
            initializer: Initializer::Zeros,
            group: Group::Train,
            sync: None,
        };
        let mut parameters = Parameters::new(&[variable("a", &[2, 3]), variable("b", &[])]).unwrap();
        let place = parameters.values(0).as_ptr();
        let bytes: Vec<u8> = [7.0f32, 8.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        parameters.write(0, 3, &bytes).unwrap();
        parameters.write(1, 0, &bytes[4..]).unwrap();
        assert_eq!(parameters.values(0), [0.0, 0.0, 0.0, 7.0, 8.0, 0.0]);
        assert_eq!((parameters.values(1), parameters.values(0).as_ptr()), (&[8.0][..], place));
        let before = parameters.clone();
        for (variable, offset, bytes) in [(0, 5, &bytes[..]), (0, u64::MAX, &bytes), (2, 0, &bytes), (0, 0, &bytes[..3])] {
            let error = parameters.write(variable, offset, bytes).unwrap_err();
            assert!(error.to_string().contains("for variable"), "{error}");
        }
        assert_eq!(parameters, before);
        assert!(Parameters::new(&[variable("huge", &[u32::MAX; 2])]).is_err());
    }
}
