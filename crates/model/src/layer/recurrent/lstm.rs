//! Long short-term memory: Hochreiter and Schmidhuber 1997, with forget gates (Gers, Schmidhuber, Cummins 2000).

use super::lanes::{read, write};
use super::{Cell, Step};
use crate::kernel::{Isa, LINE, vectorized};
use crate::math::{sigmoid, tanh};

/// Gates i, f, g, o: c becomes f c + i g, and h becomes o tanh(c), which is kept.
pub struct Lstm;

impl Cell for Lstm {
    const GATES: usize = 4;
    const APART: usize = 0;
    const C: bool = true;

    fn forward(isa: Isa, _: &[f32], step: Step<'_>) {
        forward(isa, step);
    }

    fn backward(isa: Isa, step: Step<'_>, h_gradient: &mut [f32], c_gradient: &mut [f32]) {
        backward(isa, step, h_gradient, c_gradient);
        h_gradient.fill(0.0);
    }
}

// The gates of a record.
#[inline(always)]
fn split(gates: &mut [f32], units: usize) -> [&mut [f32]; 4] {
    let (i, rest) = gates.split_at_mut(units);
    let (f, rest) = rest.split_at_mut(units);
    let (g, o) = rest.split_at_mut(units);
    [i, f, g, o]
}

vectorized! {
    fn forward(step: Step<'_>) {
        let Step { units, gates, h: (_, h), c: (before, after), more } = step;
        let states = before.chunks_exact(units).zip(after.chunks_exact_mut(units));
        let outputs = more.chunks_exact_mut(units).zip(h.chunks_exact_mut(units));
        for ((gates, (before, after)), (tanhs, outputs)) in gates.chunks_exact_mut(4 * units).zip(states).zip(outputs) {
            let [is, fs, gs, os] = split(gates, units);
            for at in (0..units).step_by(LINE) {
                let (mut i, mut f, mut g, mut o, mut c) = (read(is, at), read(fs, at), read(gs, at), read(os, at), read(before, at));
                for lane in 0..LINE {
                    i[lane] = sigmoid(i[lane]);
                    f[lane] = sigmoid(f[lane]);
                    g[lane] = tanh(g[lane]);
                    o[lane] = sigmoid(o[lane]);
                    c[lane] = f[lane] * c[lane] + i[lane] * g[lane];
                }
                write(is, at, &i);
                write(fs, at, &f);
                write(gs, at, &g);
                write(os, at, &o);
                write(after, at, &c);
            }
            // A loop of its own: nothing waits for the long chain from the gates to h.
            for at in (0..units).step_by(LINE) {
                let (mut t, mut h) = (read(after, at), read(os, at));
                for lane in 0..LINE {
                    t[lane] = tanh(t[lane]);
                    h[lane] *= t[lane];
                }
                write(tanhs, at, &t);
                write(outputs, at, &h);
            }
        }
    }

    fn backward(step: Step<'_>, h_gradient: &[f32], c_gradient: &mut [f32]) {
        let Step { units, gates, c: (before, _), more, .. } = step;
        let states = before.chunks_exact(units).zip(more.chunks_exact(units));
        let gradients = h_gradient.chunks_exact(units).zip(c_gradient.chunks_exact_mut(units));
        for ((gates, (before, tanhs)), (of_h, of_c)) in gates.chunks_exact_mut(4 * units).zip(states).zip(gradients) {
            let [is, fs, gs, os] = split(gates, units);
            for at in (0..units).step_by(LINE) {
                let (mut i, mut f, mut g, mut o) = (read(is, at), read(fs, at), read(gs, at), read(os, at));
                let (c, t, by_h, mut by_c) = (read(before, at), read(tanhs, at), read(of_h, at), read(of_c, at));
                for lane in 0..LINE {
                    let (by_h, t) = (by_h[lane], t[lane]);
                    let after = by_c[lane] + by_h * o[lane] * (1.0 - t * t);
                    by_c[lane] = after * f[lane];
                    let (by_i, by_f, by_g) = (after * g[lane], after * c[lane], after * i[lane]);
                    i[lane] = by_i * i[lane] * (1.0 - i[lane]);
                    f[lane] = by_f * f[lane] * (1.0 - f[lane]);
                    g[lane] = by_g * (1.0 - g[lane] * g[lane]);
                    o[lane] = by_h * t * o[lane] * (1.0 - o[lane]);
                }
                write(is, at, &i);
                write(fs, at, &f);
                write(gs, at, &g);
                write(os, at, &o);
                write(of_c, at, &by_c);
            }
        }
    }
}
