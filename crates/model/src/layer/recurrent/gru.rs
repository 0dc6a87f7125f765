//! Gated recurrent units: Cho et al. 2014, with the reset after the product, as in cuDNN and torch.

use super::lanes::{read, write};
use super::{Cell, Step};
use crate::kernel::{Isa, LINE, vectorized};
use crate::math::{sigmoid, tanh};

/// Gates r, z, n: h becomes (1 - z) n + z h. The recurrent part of n is apart.
pub struct Gru;

impl Cell for Gru {
    const GATES: usize = 3;
    const APART: usize = 1;
    const C: bool = false;

    fn forward(isa: Isa, recurrent_bias: &[f32], step: Step<'_>) {
        forward(isa, recurrent_bias, step);
    }

    fn backward(isa: Isa, step: Step<'_>, h_gradient: &mut [f32], _: &mut [f32]) {
        backward(isa, step, h_gradient);
    }
}

// The gates of a record.
#[inline(always)]
fn split(gates: &mut [f32], units: usize) -> [&mut [f32]; 3] {
    let (r, rest) = gates.split_at_mut(units);
    let (z, n) = rest.split_at_mut(units);
    [r, z, n]
}

vectorized! {
    fn forward(recurrent_bias: &[f32], step: Step<'_>) {
        let Step { units, gates, h: (before, after), more, .. } = step;
        let (r_bias, z_bias) = recurrent_bias[..2 * units].split_at(units);
        let states = before.chunks_exact(units).zip(after.chunks_exact_mut(units));
        for ((gates, (before, after)), parts) in gates.chunks_exact_mut(3 * units).zip(states).zip(more.chunks_exact(units)) {
            let [rs, zs, ns] = split(gates, units);
            for at in (0..units).step_by(LINE) {
                let (mut r, mut z, mut n, mut h) = (read(rs, at), read(zs, at), read(ns, at), read(before, at));
                let (r_bias, z_bias, part) = (read(r_bias, at), read(z_bias, at), read(parts, at));
                for lane in 0..LINE {
                    r[lane] = sigmoid(r[lane] + r_bias[lane]);
                    z[lane] = sigmoid(z[lane] + z_bias[lane]);
                    n[lane] = tanh(n[lane] + r[lane] * part[lane]);
                    h[lane] = (1.0 - z[lane]) * n[lane] + z[lane] * h[lane];
                }
                write(rs, at, &r);
                write(zs, at, &z);
                write(ns, at, &n);
                write(after, at, &h);
            }
        }
    }

    fn backward(step: Step<'_>, h_gradient: &mut [f32]) {
        let Step { units, gates, h: (before, _), more, .. } = step;
        let states = before.chunks_exact(units).zip(h_gradient.chunks_exact_mut(units));
        for ((gates, (before, of_h)), parts) in gates.chunks_exact_mut(3 * units).zip(states).zip(more.chunks_exact_mut(units)) {
            let [rs, zs, ns] = split(gates, units);
            for at in (0..units).step_by(LINE) {
                let (mut r, mut z, mut n) = (read(rs, at), read(zs, at), read(ns, at));
                let (h, mut by_h, mut part) = (read(before, at), read(of_h, at), read(parts, at));
                for lane in 0..LINE {
                    let after = by_h[lane];
                    by_h[lane] = after * z[lane];
                    let by_n = after * (1.0 - z[lane]) * (1.0 - n[lane] * n[lane]);
                    z[lane] = after * (h[lane] - n[lane]) * z[lane] * (1.0 - z[lane]);
                    n[lane] = by_n;
                    let by_r = by_n * part[lane];
                    part[lane] = by_n * r[lane];
                    r[lane] = by_r * r[lane] * (1.0 - r[lane]);
                }
                write(rs, at, &r);
                write(zs, at, &z);
                write(ns, at, &n);
                write(of_h, at, &by_h);
                write(parts, at, &part);
            }
        }
    }
}
