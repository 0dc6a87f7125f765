/// Adam at one step, with either kind of decay: both fractions of the update are reduced by √(1 - β₂ᵗ), as the
/// paper proposes at the end of its section 2.
#[derive(Debug)]
pub(crate) struct Adam {
    rate: f64,
    // rate √(1 - β₂ᵗ) / (1 - β₁ᵗ)
    corrected_rate: f32,
    // epsilon √(1 - β₂ᵗ)
    corrected_epsilon: f32,
    beta: [f32; 2],
    rest: [f32; 2],
    l2: f32,
    // rate weight_decay
    decoupled: f32,
}

impl Adam {
    pub fn new(rate: f64, beta: [f64; 2], epsilon: f64, step: u64) -> Self {
        let t = step as f64 + 1.0;
        let unbiased = beta.map(|beta| 1.0 - libm::pow(beta, t));
        Self {
            rate,
            corrected_rate: (rate * unbiased[1].sqrt() / unbiased[0]) as f32,
            corrected_epsilon: (epsilon * unbiased[1].sqrt()) as f32,
            beta: beta.map(|beta| beta as f32),
            rest: beta.map(|beta| (1.0 - beta) as f32),
            l2: 0.0,
            decoupled: 0.0,
        }
    }

    pub fn l2(self, decay: f64) -> Self {
        Self { l2: decay as f32, ..self }
    }

    pub fn decoupled(self, decay: f64) -> Self {
        Self { decoupled: (self.rate * decay) as f32, ..self }
    }

    #[inline(always)]
    pub fn run(&self, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            let g = g + self.l2 * *p;
            *m = self.beta[0] * *m + self.rest[0] * g;
            *v = self.beta[1] * *v + self.rest[1] * (g * g);
            let kept = *p - self.decoupled * *p;
            *p = kept - self.corrected_rate * *m / (v.sqrt() + self.corrected_epsilon);
        }
    }
}
