/// Plain gradient descent at one step.
#[derive(Debug)]
pub(crate) struct Sgd {
    rate: f32,
    decay: f32,
}

impl Sgd {
    pub fn new(rate: f64, decay: f64) -> Self {
        Self { rate: rate as f32, decay: decay as f32 }
    }

    #[inline(always)]
    pub fn run(&self, p: &mut [f32], g: &[f32]) {
        for (p, g) in p.iter_mut().zip(g) {
            let g = g + self.decay * *p;
            *p -= self.rate * g;
        }
    }
}
