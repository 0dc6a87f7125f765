/// Adagrad at one step.
#[derive(Debug)]
pub(crate) struct Adagrad {
    rate: f32,
    epsilon: f32,
    decay: f32,
}

impl Adagrad {
    pub fn new(rate: f64, epsilon: f64, decay: f64) -> Self {
        Self { rate: rate as f32, epsilon: epsilon as f32, decay: decay as f32 }
    }

    #[inline(always)]
    pub fn run(&self, p: &mut [f32], g: &[f32], a: &mut [f32]) {
        for ((p, g), a) in p.iter_mut().zip(g).zip(a) {
            let g = g + self.decay * *p;
            *a += g * g;
            *p -= self.rate * g / (a.sqrt() + self.epsilon);
        }
    }
}
