//! exp, tanh, erf and what is made of them: ours, so that the bits do not depend on the host's C library, and
//! without branches, so that loops over slices become vector code. No fused operations: Rust never contracts,
//! the baseline processor and a newer one give the same bits.
//!
//! Errors against `libm` are in the tests. NaN goes through everywhere.

const LOG2_E: f32 = std::f32::consts::LOG2_E;
// ln 2 in two parts; the product of the first one with a whole number up to 2^8 is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
// 1.5 * 2^23: adding it rounds to a whole number, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// e^x; results below the smallest normal number are 0. Range reduction and polynomial: Cephes `expf`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let within = if x > 89.0 { 89.0 } else { x };
    let within = if within < -88.0 { -88.0 } else { within };
    let rounded = within * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (within - n * LN2_HIGH) - n * LN2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = (p * (r * r) + r) + 1.0;
    // 2^n in two factors: n may be 128.
    let n = rounded.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed();
    let half = n >> 1;
    let y = p * power_of_two(half) * power_of_two(n.wrapping_sub(half));
    if x < -87.336_54 { 0.0 } else { y }
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) << 23).cast_unsigned())
}

/// The hyperbolic tangent. Polynomial for small arguments: Cephes `tanhf`.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let z = x * x;
    let p = -5.704_988_7e-3;
    let p = p * z + 2.063_909e-2;
    let p = p * z - 5.373_971_6e-2;
    let p = p * z + 1.333_144_2e-1;
    let p = p * z - 3.333_328e-1;
    let small = p * z * x + x;
    let large = (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x);
    if x.abs() < 0.625 { small } else { large }
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The error function. Polynomials: N. Juffa, "my_erff" (maximum error 1 ulp with fused operations).
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let (t, s) = (x.abs(), x * x);
    let r = -1.728_534_7e-5 * t + 3.831_972e-4;
    let u = -3.883_964_4e-3 * t + 2.425_462_2e-2;
    let r = r * s + u;
    let r = r * t - 1.067_778_8e-1;
    let r = r * t - 6.348_467e-1;
    let r = r * t - 1.287_175_1e-1;
    let r = r * t - t;
    let large = (1.0 - exp(r)).copysign(x);
    let q = -5.967_617e-4;
    let q = q * s + 4.991_194_2e-3;
    let q = q * s - 2.676_813_5e-2;
    let q = q * s + 1.128_199_25e-1;
    let q = q * s - 3.761_253_4e-1;
    let q = q * s + 1.283_791_7e-1;
    let small = q * x + x;
    if t > 0.927_734_4 { large } else { small }
}

/// x Φ(x), Φ the normal distribution's integral, exact with [`erf`].
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The slope of [`gelu`]: Φ(x) + x φ(x).
#[inline(always)]
pub fn gelu_slope(x: f32) -> f32 {
    const FRAC_1_SQRT_2_PI: f32 = 0.398_942_3;
    0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)) + x * (exp(-0.5 * x * x) * FRAC_1_SQRT_2_PI)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Units in the last place of `exact`.
    fn ulps(value: f32, exact: f64) -> f64 {
        let near = exact as f32;
        let ulp = f64::from(f32::from_bits(near.abs().to_bits() + 1)) - f64::from(near.abs());
        (f64::from(value) - exact).abs() / ulp
    }

    // Every 97th float of both signs with magnitude up to `limit`.
    fn worst(limit: f32, function: fn(f32) -> f32, exact: fn(f64) -> f64) -> (f64, f32) {
        let mut worst = (0.0, 0.0);
        for bits in (0x2000_0000..=limit.to_bits()).step_by(97) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                let error = ulps(function(x), exact(f64::from(x)));
                if error > worst.0 {
                    worst = (error, x);
                }
            }
        }
        worst
    }

    fn check(name: &str, limit: f32, most: f64, function: fn(f32) -> f32, exact: fn(f64) -> f64) {
        let (error, x) = worst(limit, function, exact);
        println!("{name}: {error:.3} ulp at {x}");
        assert!(error <= most, "{name}({x}) is off by {error} ulp");
    }

    #[test]
    fn errors_in_units_of_the_last_place() {
        check("exp", 87.3, 1.0, exp, libm::exp);
        check("tanh", 20.0, 2.0, tanh, libm::tanh);
        check("erf", 6.0, 2.0, erf, libm::erf);
        check("sigmoid", 80.0, 3.0, sigmoid, |x| 1.0 / (1.0 + libm::exp(-x)));
    }

    #[test]
    fn gelu_is_near_everywhere() {
        for n in -2000i16..=2000 {
            let x = f32::from(n) / 200.0;
            let wide = f64::from(x);
            let phi = 0.5 * (1.0 + libm::erf(wide / std::f64::consts::SQRT_2));
            assert!((f64::from(gelu(x)) - wide * phi).abs() < 5e-7, "{x}");
            let slope = phi + wide * libm::exp(-0.5 * wide * wide) / (2.0 * std::f64::consts::PI).sqrt();
            assert!((f64::from(gelu_slope(x)) - slope).abs() < 5e-7, "{x}");
        }
    }

    #[test]
    fn the_ends() {
        assert_eq!((exp(0.0), exp(200.0), exp(f32::INFINITY)), (1.0, f32::INFINITY, f32::INFINITY));
        assert_eq!((exp(-88.0), exp(-1e30), exp(f32::NEG_INFINITY)), (0.0, 0.0, 0.0));
        assert!(exp(88.72).is_finite());
        for end in [f32::MAX, f32::INFINITY] {
            assert_eq!((tanh(end), tanh(-end), erf(end), erf(-end)), (1.0, -1.0, 1.0, -1.0));
            assert_eq!((sigmoid(end), sigmoid(-end)), (1.0, 0.0));
        }
        assert_eq!((tanh(0.0), erf(0.0), gelu(0.0), sigmoid(0.0)), (0.0, 0.0, 0.0, 0.5));
        for function in [exp, tanh, sigmoid, erf, gelu, gelu_slope] {
            assert!(function(f32::NAN).is_nan());
        }
    }
}
