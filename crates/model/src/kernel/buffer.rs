//! Values that begin where a line of the cache does: a vector that lies across two lines is loaded twice.

use std::collections::TryReserveError;
use std::ops::{Deref, DerefMut};

/// f32 values in a line of the cache, and in the widest vector.
pub const LINE: usize = 16;

/// f32 values, the first one at the beginning of a line.
#[derive(Debug, Default)]
pub struct Buffer {
    // A line longer than needed: where it begins is found when it is used.
    values: Vec<f32>,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn new(len: usize) -> Result<Self, TryReserveError> {
        let mut buffer = Self::default();
        buffer.grow(len)?;
        Ok(buffer)
    }

    /// Becomes at least `len` values long; what it held is lost if it grows.
    ///
    /// # Errors
    /// If there is not enough memory; then nothing has changed.
    pub fn grow(&mut self, len: usize) -> Result<(), TryReserveError> {
        if len > self.len {
            // Not a byte more than that is asked for: it may be a large part of memory.
            let mut values = Vec::new();
            let needed = Self::values_for(len);
            values.try_reserve_exact(needed)?;
            values.resize(needed, 0.0);
            *self = Self { values, len };
        }
        Ok(())
    }

    /// How many values one of `len` takes in memory.
    pub(crate) fn values_for(len: usize) -> usize {
        if len == 0 { 0 } else { len.saturating_add(LINE - 1) }
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.values.capacity()
    }

    fn first(&self) -> usize {
        let first = self.values.as_ptr().align_offset(LINE * size_of::<f32>());
        // Where it cannot be told, any place will do.
        if first < LINE { first } else { 0 }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        if self.len == 0 { &[] } else { &self.values[self.first()..][..self.len] }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        let first = self.first();
        if self.len == 0 { &mut [] } else { &mut self.values[first..][..self.len] }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        // A copy of the whole vector may begin elsewhere in its line.
        let mut copy = Self { values: vec![0.0; self.values.len()], len: self.len };
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_begin_a_line() {
        assert!(Buffer::new(0).unwrap().is_empty());
        assert!(Buffer::new(usize::MAX).is_err());
        let mut buffers: Vec<Buffer> = (1..40).map(|len| Buffer::new(len).unwrap()).collect();
        for (at, buffer) in buffers.iter_mut().enumerate() {
            assert_eq!((buffer.len(), buffer.as_ptr().addr() % 64), (at + 1, 0));
            buffer.iter_mut().zip(0u8..).for_each(|(value, n)| *value = f32::from(n));
        }
        let copies = buffers.clone();
        assert_eq!(copies, buffers);
        assert!(copies.iter().all(|copy| copy.as_ptr().addr() % 64 == 0));
        buffers[3].grow(2).unwrap();
        assert_eq!(buffers[3], copies[3]);
        buffers[3].grow(1000).unwrap();
        assert_eq!((buffers[3].len(), buffers[3].as_ptr().addr() % 64), (1000, 0));
    }
}
