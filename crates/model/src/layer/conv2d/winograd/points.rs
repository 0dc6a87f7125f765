//! One side of a tile, as a polynomial known by its values at six points.
//!
//! Four places of the output under a window of three meet six of the input. Both are turned into values at 0, ±3/4, ±3/2 and
//! infinity, where their convolution is a product point by point: 6 multiplications and not 12, of a tile's two sides 36 and
//! not 144 (Toom and Cook; Winograd 1980; Lavin and Gray 2016). Four places of the gradient and six of the input give the
//! gradient by three values of a window at the same points.
//!
//! The points are not the usual 0, ±1, ±2: these two pairs, whose product is near 1, lose a third as many bits, and their
//! powers are exact in f32.
#![allow(clippy::inline_always)] // vector code of the caller's processor

use pulp::Simd;

/// Values of a side of the input under a tile, and points.
pub(super) const POINTS: usize = 6;

const NEAR: f32 = 0.75;
const FAR: f32 = 1.5;
const NEAR_2: f32 = NEAR * NEAR;
const FAR_2: f32 = FAR * FAR;

/// What the values at each point are divided by, once: the slopes there of the polynomial whose zeros are the points.
const SLOPES: [f32; POINTS] = {
    let (near, far) = (2.0 * NEAR_2 * (NEAR_2 - FAR_2), 2.0 * FAR_2 * (FAR_2 - NEAR_2));
    [NEAR_2 * FAR_2, near, near, far, far, 1.0]
};

/// What a product at a point is multiplied by where neither side was divided.
pub(super) const SHARES: [f32; POINTS] = {
    let mut shares = [0.0; POINTS];
    let mut at = 0;
    while at < POINTS {
        shares[at] = 1.0 / SLOPES[at];
        at += 1;
    }
    shares
};

// `factor` x + y.
#[inline(always)]
fn add<S: Simd>(simd: S, factor: f32, x: S::f32s, y: S::f32s) -> S::f32s {
    simd.mul_add_f32s(simd.splat_f32s(factor), x, y)
}

#[inline(always)]
fn times<S: Simd>(simd: S, factor: f32, x: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(factor), x)
}

// `even` + `point` `odd`, and that of the point on the other side.
#[inline(always)]
fn pair<S: Simd>(simd: S, point: f32, odd: S::f32s, even: S::f32s) -> [S::f32s; 2] {
    [add(simd, point, odd, even), add(simd, -point, odd, even)]
}

/// The input.
#[inline(always)]
pub(super) fn input<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
    let [near, near_below] = pair(simd, NEAR, add(simd, -FAR_2, d[1], d[3]), add(simd, -FAR_2, d[2], d[4]));
    let [far, far_below] = pair(simd, FAR, add(simd, -NEAR_2, d[1], d[3]), add(simd, -NEAR_2, d[2], d[4]));
    let zero = add(simd, NEAR_2 * FAR_2, d[0], add(simd, -(NEAR_2 + FAR_2), d[2], d[4]));
    let infinity = add(simd, NEAR_2 * FAR_2, d[1], add(simd, -(NEAR_2 + FAR_2), d[3], d[5]));
    [zero, near, near_below, far, far_below, infinity]
}

/// The window, divided by the slopes.
#[inline(always)]
pub(super) fn kernel<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; 6] {
    let even = times(simd, SHARES[1], add(simd, NEAR_2, g[2], g[0]));
    let [near, near_below] = pair(simd, SHARES[1] * NEAR, g[1], even);
    let even = times(simd, SHARES[3], add(simd, FAR_2, g[2], g[0]));
    let [far, far_below] = pair(simd, SHARES[3] * FAR, g[1], even);
    [times(simd, SHARES[0], g[0]), near, near_below, far, far_below, g[2]]
}

/// The gradient by the output, not divided.
#[inline(always)]
pub(super) fn gradient<S: Simd>(simd: S, g: [S::f32s; 4]) -> [S::f32s; 6] {
    let [near, near_below] = pair(simd, NEAR, add(simd, NEAR_2, g[3], g[1]), add(simd, NEAR_2, g[2], g[0]));
    let [far, far_below] = pair(simd, FAR, add(simd, FAR_2, g[3], g[1]), add(simd, FAR_2, g[2], g[0]));
    [g[0], near, near_below, far, far_below, g[3]]
}

// The sums over the points of values times powers of the points, but infinity's.
#[inline(always)]
fn powers<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let (near, near_odd) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (far, far_odd) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(simd.add_f32s(near, far), m[0]),
        add(simd, NEAR, near_odd, times(simd, FAR, far_odd)),
        add(simd, NEAR_2, near, times(simd, FAR_2, far)),
        add(simd, NEAR_2 * NEAR, near_odd, times(simd, FAR_2 * FAR, far_odd)),
    ]
}

/// The output from the products.
#[inline(always)]
pub(super) fn output<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let [a, b, c, d] = powers(simd, m);
    [a, b, c, simd.add_f32s(d, m[5])]
}

/// The gradient by the window from the products, which were multiplied by their shares.
#[inline(always)]
pub(super) fn kernel_gradient<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 3] {
    let [a, b, c, _] = powers(simd, m);
    [a, b, simd.add_f32s(c, m[5])]
}
