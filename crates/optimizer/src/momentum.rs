/// Momentum at one step, with or without Nesterov's look ahead.
#[derive(Debug)]
pub(crate) struct Momentum {
    rate: f32,
    momentum: f32,
    nesterov: bool,
    decay: f32,
}

impl Momentum {
    pub fn new(rate: f64, momentum: f64, nesterov: bool, decay: f64) -> Self {
        Self { rate: rate as f32, momentum: momentum as f32, nesterov, decay: decay as f32 }
    }

    #[inline(always)]
    pub fn run(&self, p: &mut [f32], g: &[f32], v: &mut [f32]) {
        for ((p, g), v) in p.iter_mut().zip(g).zip(v) {
            let g = g + self.decay * *p;
            *v = self.momentum * *v + g;
            let along = if self.nesterov { g + self.momentum * *v } else { *v };
            *p -= self.rate * along;
        }
    }
}
