//! From channel by channel to place by place, and back.

use super::{Backward, Emit, Forward, Layer, Needs, Pass, together};
use crate::kernel::transpose;

/// How the values of a picture lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Channel by channel: as features come, and as they are counted where they become one dimension.
    Channels,
    /// Place by place, the channels side by side: as pictures are computed.
    Places,
}

/// Turns pictures of `channels` x `places` values.
pub(crate) struct Turn {
    channels: usize,
    places: usize,
    to: Order,
}

impl Turn {
    /// Into the order `to`; nothing if that changes nothing for pictures of `shape`.
    pub fn new(shape: &[u32], to: Order) -> Option<Self> {
        let [channels, height, width] = *shape else { return None };
        let (channels, places) = (super::len(channels), super::len(height) * super::len(width));
        (channels > 1 && places > 1).then_some(Self { channels, places, to })
    }

    fn turn(&self, pass: &Pass<'_>, to: Order, from: &[f32], values: &mut [f32]) {
        let (rows, columns) = if to == Order::Places { (self.channels, self.places) } else { (self.places, self.channels) };
        let (picture, part) = (rows * columns, together(rows * columns) * rows * columns);
        pass.threads.each(values.chunks_mut(part).zip(from.chunks(part)), |(values, from)| {
            let pictures = from.chunks_exact(picture).zip(values.chunks_exact_mut(picture));
            pictures.for_each(|(from, values)| transpose(pass.isa, from, (rows, columns), columns, values, rows));
        });
    }
}

impl Layer for Turn {
    fn needs(&self, _: usize) -> Needs {
        Needs::default()
    }

    fn forward(&self, pass: &Pass<'_>, buffers: Forward<'_>) {
        self.turn(pass, self.to, buffers.input, buffers.output);
    }

    fn backward(&self, pass: &Pass<'_>, buffers: Backward<'_>, _: &mut Emit<'_>) {
        let back = if self.to == Order::Places { Order::Channels } else { Order::Places };
        if let Some(input_gradient) = buffers.input_gradient {
            self.turn(pass, back, buffers.output_gradient, input_gradient);
        }
    }
}
