//! candle tensors as slices and back, without copies.

use crate::error::Error;
use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Storage, StorageRef, Tensor};
use std::cell::RefCell;
use std::ops::{Deref, Range};

/// The values of a contiguous f32 tensor on the CPU, borrowed.
pub struct Values<'a> {
    storage: StorageRef<'a>,
    range: Range<usize>,
}

impl Deref for Values<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.range.clone()],
            _ => unreachable!("`values` looked at the storage"),
        }
    }
}

/// Borrows the values of `tensor`, in order.
///
/// # Errors
/// If the tensor is not contiguous, not f32 or not on the CPU.
pub fn values(tensor: &Tensor) -> Result<Values<'_>, Error> {
    let (storage, layout) = tensor.storage_and_layout();
    let (start, end) = layout.contiguous_offsets().ok_or_else(|| candle_core::Error::RequiresContiguous { op: "values" }.bt())?;
    match &*storage {
        Storage::Cpu(CpuStorage::F32(_)) => Ok(Values { storage, range: start..end }),
        _ => Err(candle_core::Error::Msg(format!("expected f32 on the cpu, not {:?} on {:?}", tensor.dtype(), tensor.device())).into()),
    }
}

/// A tensor that owns `values`.
///
/// # Errors
/// If `values` has not as many elements as `shape`.
pub fn tensor(values: Vec<f32>, shape: &[usize]) -> Result<Tensor, Error> {
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// Takes the buffer out of a tensor made by [`tensor`]. No other tensor may use the same storage any more: it
/// would find it empty.
///
/// # Errors
/// If the tensor is not f32 on the CPU.
pub fn into_vec(tensor: Tensor) -> Result<Vec<f32>, Error> {
    let take = Take(RefCell::default());
    tensor.inplace_op1(&take)?;
    Ok(take.0.into_inner())
}

// candle gives a storage's buffer back to nobody, but lets an in-place operation work on it.
struct Take(RefCell<Vec<f32>>);

impl InplaceOp1 for Take {
    fn name(&self) -> &'static str {
        "take"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(values) = storage else {
            return Err(candle_core::Error::Msg("expected f32".into()));
        };
        std::mem::swap(values, &mut self.0.borrow_mut());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_goes_in_and_out_without_a_copy() {
        let buffer = vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let place = buffer.as_ptr();
        let tensor = tensor(buffer, &[2, 3]).unwrap();
        assert_eq!(values(&tensor).unwrap().as_ptr(), place);
        assert_eq!(&*values(&tensor.narrow(0, 1, 1).unwrap()).unwrap(), [4.0, 5.0, 6.0]);
        assert!(values(&tensor.t().unwrap()).is_err());
        let buffer = into_vec(tensor).unwrap();
        assert_eq!((buffer.as_ptr(), buffer.len()), (place, 6));
    }
}
