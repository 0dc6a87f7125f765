//! The layers in float64, written as plainly as can be.

use tfcoord_types::job::{Activation, BagMode, Layer, LayerShape, Padding, Pair};

pub struct Reference {
    pub spec: Layer,
    pub shape: LayerShape,
    pub parameters: Vec<Vec<f64>>,
    pub input: Vec<f64>,
    pub records: usize,
}

impl Reference {
    pub fn output(&self) -> Vec<f64> {
        match self.spec {
            Layer::Flatten {} | Layer::Reshape { .. } => self.input.clone(),
            Layer::Embedding { dim, vocabulary, .. } => self.rows(dim, vocabulary).concat(),
            Layer::EmbeddingBag { dim, vocabulary, mode, .. } => self.bags(dim, vocabulary, mode),
            Layer::Dense { activation, bias, .. } => activate(activation, self.dense(bias)),
            Layer::Conv2d { kernel, stride, padding, groups, activation, bias, .. } => {
                activate(activation, self.conv2d(kernel, stride, padding, groups, bias))
            }
            Layer::MaxPool2d { size, stride } => {
                self.pool(size, stride.unwrap_or(size), |values| values.iter().fold(f64::MIN, |a, b| a.max(*b)))
            }
            Layer::AveragePool2d { size, stride } => {
                self.pool(size, stride.unwrap_or(size), |values| values.iter().sum::<f64>() / values.len() as f64)
            }
            Layer::Activation(function) => activate(Some(function), self.input.clone()),
            Layer::LayerNorm { epsilon } => self.layer_norm(epsilon),
            Layer::BatchNorm { epsilon, .. } => self.batch_norm(epsilon),
            Layer::Lstm { sequences, .. } => self.recurrent(sequences, lstm),
            Layer::Gru { sequences, .. } => self.recurrent(sequences, gru),
            Layer::Dropout { .. } => unreachable!("tested by its mask"),
            Layer::Residual { .. } | Layer::Add {} | Layer::Concatenate {} => unreachable!("no single layer"),
        }
    }

    fn dense(&self, bias: bool) -> Vec<f64> {
        let (inputs, units) = (self.shape.input[0] as usize, self.shape.output[0] as usize);
        let value = |record: usize, unit: usize| {
            let sum: f64 = (0..inputs).map(|i| self.input[record * inputs + i] * self.parameters[0][i * units + unit]).sum();
            sum + if bias { self.parameters[1][unit] } else { 0.0 }
        };
        (0..self.records * units).map(|at| value(at / units, at % units)).collect()
    }

    // The row that each value names; values may be a little off.
    fn rows(&self, dim: u32, vocabulary: Option<u32>) -> Vec<Vec<f64>> {
        let (values, dim) = (self.shape.input[0] as usize, dim as usize);
        let row = |(at, value): (usize, &f64)| {
            let before: u32 = if vocabulary.is_some() { 0 } else { self.shape.categories[..at % values].iter().sum() };
            let row = before as usize + value.round() as usize;
            self.parameters[0][row * dim..][..dim].to_vec()
        };
        self.input.iter().enumerate().map(row).collect()
    }

    fn bags(&self, dim: u32, vocabulary: Option<u32>, mode: BagMode) -> Vec<f64> {
        let values = self.shape.input[0] as usize;
        let divisor = if mode == BagMode::Mean { values as f64 } else { 1.0 };
        let rows = self.rows(dim, vocabulary);
        let bag = |rows: &[Vec<f64>]| (0..dim as usize).map(|d| rows.iter().map(|row| row[d]).sum::<f64>() / divisor).collect::<Vec<_>>();
        rows.chunks(values).flat_map(bag).collect()
    }

    // `cell` turns x W + b, h U + d, h and c into the next h and c.
    fn recurrent(&self, sequences: bool, cell: impl Fn(&[f64], &[f64], &mut [f64], &mut [f64])) -> Vec<f64> {
        let (steps, features) = (self.shape.input[0] as usize, self.shape.input[1] as usize);
        let units = *self.shape.output.last().unwrap() as usize;
        let gates = self.parameters[2].len();
        let through = |values: &[f64], matrix: &[f64], bias: Option<&Vec<f64>>| -> Vec<f64> {
            let sum = |gate: usize| values.iter().enumerate().map(|(at, v)| v * matrix[at * gates + gate]).sum::<f64>();
            (0..gates).map(|gate| sum(gate) + bias.map_or(0.0, |bias| bias[gate])).collect()
        };
        let mut out = Vec::new();
        for record in self.input.chunks(steps * features) {
            let (mut h, mut c) = (vec![0.0; units], vec![0.0; units]);
            for (at, x) in record.chunks(features).enumerate() {
                let x = through(x, &self.parameters[0], self.parameters.get(2));
                let recurrent = through(&h, &self.parameters[1], self.parameters.get(3));
                cell(&x, &recurrent, &mut h, &mut c);
                if sequences || at + 1 == steps {
                    out.extend(&h);
                }
            }
        }
        out
    }

    // Value of a plane at a place that may lie beside it.
    fn at(&self, plane: usize, y: i64, x: i64) -> f64 {
        let (height, width) = (i64::from(self.shape.input[1]), i64::from(self.shape.input[2]));
        let inside = (0..height).contains(&y) && (0..width).contains(&x);
        if inside { self.input[plane * (height * width) as usize + (y * width + x) as usize] } else { 0.0 }
    }

    fn conv2d(&self, kernel: Pair, stride: Pair, padding: Padding, groups: u32, bias: bool) -> Vec<f64> {
        let [channels, height, width] = [0, 1, 2].map(|d| self.shape.input[d]);
        let [filters, rows, columns] = [0, 1, 2].map(|d| self.shape.output[d]);
        let ((kh, kw), (sh, sw)) = (kernel.get(), stride.get());
        let before = |output: u32, stride: u32, kernel: u32, input: u32| match padding {
            Padding::Same => (i64::from(output - 1) * i64::from(stride) + i64::from(kernel) - i64::from(input)).max(0) / 2,
            Padding::Valid => 0,
        };
        let (above, left) = (before(rows, sh, kh, height), before(columns, sw, kw, width));
        let mut out = Vec::new();
        for record in 0..self.records {
            for (f, oy, ox) in triples(filters, rows, columns) {
                let mut sum = if bias { self.parameters[1][f as usize] } else { 0.0 };
                let each = channels / groups;
                for (c, ky, kx) in triples(each, kh, kw) {
                    let weight = self.parameters[0][(((f * each + c) * kh + ky) * kw + kx) as usize];
                    let c = f / (filters / groups) * each + c;
                    let (y, x) = (i64::from(oy * sh + ky) - above, i64::from(ox * sw + kx) - left);
                    sum += weight * self.at(record * channels as usize + c as usize, y, x);
                }
                out.push(sum);
            }
        }
        out
    }

    fn pool(&self, size: Pair, stride: Pair, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let ((kh, kw), (sh, sw)) = (size.get(), stride.get());
        let mut out = Vec::new();
        for (plane, oy, ox) in triples(self.records as u32 * self.shape.input[0], self.shape.output[1], self.shape.output[2]) {
            let place = |ky: u32, kx: u32| self.at(plane as usize, i64::from(oy * sh + ky), i64::from(ox * sw + kx));
            out.push(of(&triples(1, kh, kw).map(|(_, ky, kx)| place(ky, kx)).collect::<Vec<_>>()));
        }
        out
    }

    fn layer_norm(&self, epsilon: f32) -> Vec<f64> {
        let features = self.input.len() / self.records;
        let normal = self.input.chunks(features).flat_map(|record| normalize(record, epsilon));
        let (scale, shift) = (&self.parameters[0], &self.parameters[1]);
        normal.enumerate().map(|(at, n)| n * scale[at % features] + shift[at % features]).collect()
    }

    fn batch_norm(&self, epsilon: f32) -> Vec<f64> {
        let channels = self.shape.input[0] as usize;
        let run = self.input.len() / self.records / channels;
        let mut out = vec![0.0; self.input.len()];
        for channel in 0..channels {
            let places: Vec<usize> = (0..self.input.len()).filter(|at| at / run % channels == channel).collect();
            let values: Vec<f64> = places.iter().map(|at| self.input[*at]).collect();
            for (at, n) in places.iter().zip(normalize(&values, epsilon)) {
                out[*at] = n * self.parameters[0][channel] + self.parameters[1][channel];
            }
        }
        out
    }
}

fn normalize(values: &[f64], epsilon: f32) -> Vec<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    values.iter().map(|v| (v - mean) / (variance + f64::from(epsilon)).sqrt()).collect()
}

fn activate(function: Option<Activation>, values: Vec<f64>) -> Vec<f64> {
    let of = |x: f64| match function {
        None => x,
        Some(Activation::Relu) => x.max(0.0),
        Some(Activation::Tanh) => x.tanh(),
        Some(Activation::Sigmoid) => 1.0 / (1.0 + (-x).exp()),
        Some(Activation::Gelu) => 0.5 * x * (1.0 + libm::erf(x / 2f64.sqrt())),
    };
    values.into_iter().map(of).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn lstm(x: &[f64], recurrent: &[f64], h: &mut [f64], c: &mut [f64]) {
    let units = h.len();
    for unit in 0..units {
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| x[gate * units + unit] + recurrent[gate * units + unit]);
        c[unit] = sigmoid(f) * c[unit] + sigmoid(i) * g.tanh();
        h[unit] = sigmoid(o) * c[unit].tanh();
    }
}

fn gru(x: &[f64], recurrent: &[f64], h: &mut [f64], _: &mut [f64]) {
    let units = h.len();
    for unit in 0..units {
        let [(xr, hr), (xz, hz), (xn, hn)] = [0, 1, 2].map(|gate| (x[gate * units + unit], recurrent[gate * units + unit]));
        let (r, z) = (sigmoid(xr + hr), sigmoid(xz + hz));
        let n = (xn + r * hn).tanh();
        h[unit] = (1.0 - z) * n + z * h[unit];
    }
}

fn triples(a: u32, b: u32, c: u32) -> impl Iterator<Item = (u32, u32, u32)> {
    (0..a * b * c).map(move |n| (n / (b * c), n / c % b, n % c))
}
