/// What is done with changes that workers trained alone: a share of each is added, and with momentum a part of the ones
/// before once more.
#[derive(Debug)]
pub(crate) struct Outer {
    share: f32,
    momentum: f32,
}

impl Outer {
    pub fn new(share: f64, momentum: f64) -> Self {
        Self { share: share as f32, momentum: momentum as f32 }
    }

    #[inline(always)]
    pub fn run(&self, p: &mut [f32], g: &[f32], v: &mut [f32]) {
        if self.momentum == 0.0 {
            p.iter_mut().zip(g).for_each(|(p, g)| *p += self.share * g);
            return;
        }
        for ((p, g), v) in p.iter_mut().zip(g).zip(v) {
            *v = self.momentum * *v + self.share * g;
            *p += *v;
        }
    }
}
