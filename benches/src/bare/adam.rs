//! Adam on candle's tensors: Kingma and Ba 2015, algorithm 1, written as one writes it there.

use anyhow::{Context, bail};
use candle_core::{Tensor, Var};
use tfcoord_types::job::Optimizer;

/// Adam and its state.
pub struct Adam {
    rate: f64,
    beta: [f64; 2],
    epsilon: f64,
    step: i32,
    // Of each variable: mean and mean square of its gradients.
    moments: Vec<[Var; 2]>,
}

impl Adam {
    /// For `variables`, as the job file has it.
    ///
    /// # Errors
    /// If the job has another optimizer.
    pub fn new(optimizer: &Optimizer, variables: &[Var]) -> anyhow::Result<Self> {
        let Optimizer::Adam { learning_rate: rate, beta_1, beta_2, epsilon, weight_decay: 0.0 } = *optimizer else {
            bail!("the bare loop has Adam without weight decay only, not {}", optimizer.kind());
        };
        let moments =
            variables.iter().map(|variable| Ok([Var::from_tensor(&variable.zeros_like()?)?, Var::from_tensor(&variable.zeros_like()?)?]));
        let moments = moments.collect::<candle_core::Result<_>>()?;
        Ok(Self { rate, beta: [beta_1, beta_2], epsilon, step: 0, moments })
    }

    /// Moves `variables` by the mean gradients `gradients`.
    ///
    /// # Errors
    /// If shapes differ.
    pub fn update(&mut self, variables: &[Var], gradients: &[Tensor]) -> anyhow::Result<()> {
        self.step += 1;
        let [beta_1, beta_2] = self.beta;
        let unbiased = self.beta.map(|beta| 1.0 / (1.0 - beta.powi(self.step)));
        for (at, (variable, gradient)) in variables.iter().zip(gradients).enumerate() {
            let [mean, square] = self.moments.get(at).context("moments for every variable")?;
            mean.set(&((mean.as_tensor() * beta_1)? + (gradient * (1.0 - beta_1))?)?)?;
            square.set(&((square.as_tensor() * beta_2)? + (gradient.sqr()? * (1.0 - beta_2))?)?)?;
            let below = ((square.as_tensor() * unbiased[1])?.sqrt()? + self.epsilon)?;
            let way = ((mean.as_tensor() * (unbiased[0] * self.rate))? / below)?;
            variable.set(&(variable.as_tensor() - way)?)?;
        }
        Ok(())
    }
}
