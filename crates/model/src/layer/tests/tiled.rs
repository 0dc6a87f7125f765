//! Convolutions that are computed tile by tile, against float64 and one record at a time.

use super::{Back, Case, ONE, bits, config};
use crate::kernel::Isa;
use proptest::prelude::*;
use tfcoord_types::job::{Init, Layer, Padding, Pair};

/// A sum of products, and that of their magnitudes.
type Sum = (f64, f64);

/// Output, and gradients by the input and the kernel, as sums of products.
struct Exact {
    output: Vec<Sum>,
    input: Vec<Sum>,
    kernel: Vec<Sum>,
}

fn exact(case: &Case, groups: usize, same: bool, bias: bool) -> Exact {
    let [channels, height, width] = [0, 1, 2].map(|d| case.shape.input[d] as usize);
    let [filters, rows, columns] = [0, 1, 2].map(|d| case.shape.output[d] as usize);
    let (of_group, filters_of_group, before) = (channels / groups, filters / groups, usize::from(same));
    let kernel = case.parameters.values(0);
    let zeros = |len: usize| vec![(0.0, 0.0); len];
    let (mut output, mut input, mut gradient) = (zeros(case.gradient.len()), zeros(case.input.len()), zeros(kernel.len()));
    let add = |sum: &mut Sum, a: f32, b: f32| {
        let product = f64::from(a) * f64::from(b);
        *sum = (sum.0 + product, sum.1 + product.abs());
    };
    for (at, output) in output.iter_mut().enumerate() {
        let (record, filter) = (at / (filters * rows * columns), at / (rows * columns) % filters);
        let (row, column) = (at / columns % rows, at % columns);
        if bias {
            add(output, case.parameters.values(1)[filter], 1.0);
        }
        for (c, y, x) in (0..of_group).flat_map(|c| (0..9).map(move |tap| (c, tap / 3, tap % 3))) {
            let inside = |at: usize, end: usize| at.checked_sub(before).filter(|at| *at < end);
            let (Some(i), Some(j)) = (inside(row + y, height), inside(column + x, width)) else { continue };
            let from = ((record * channels + filter / filters_of_group * of_group + c) * height + i) * width + j;
            let tap = (filter * of_group + c) * 9 + y * 3 + x;
            add(output, case.input[from], kernel[tap]);
            add(&mut input[from], case.gradient[at], kernel[tap]);
            add(&mut gradient[tap], case.input[from], case.gradient[at]);
        }
    }
    Exact { output, input, kernel: gradient }
}

// Within a few roundings of the largest sum's magnitude; where all places have many products, of each one's own.
fn near(what: &str, values: &[f32], exact: &[Sum], many: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(values.len(), exact.len());
    let largest = exact.iter().fold(0.0, |largest: f64, sum| largest.max(sum.1));
    for (at, (value, (exact, magnitude))) in values.iter().zip(exact).enumerate() {
        let error = (f64::from(*value) - exact).abs();
        let bound = if many { (1e-6 * largest).min(1e-5 * magnitude) } else { 1e-6 * largest };
        prop_assert!(error <= bound, "{} [{}] is {}, not {}: {} of {}", what, at, value, exact, error / magnitude, magnitude);
    }
    Ok(())
}

fn same(a: &Back, b: &Back) -> bool {
    let all =
        |back: &Back| back.emitted.values().chain([&back.output, &back.input_gradient]).map(|values| bits(values)).collect::<Vec<_>>();
    all(a) == all(b)
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn sums_are_near_and_belong_to_their_record(
        channels in 1u32..20, filters in 1u32..40, groups in prop_oneof![3 => Just(1u32), 1 => 2u32..4], sides in (1u32..15, 1u32..15),
        padded: bool, bias: bool, records in 1usize..5, seed: u64,
    ) {
        let (padding, filters) = (if padded { Padding::Same } else { Padding::Valid }, filters.div_ceil(groups) * groups);
        let layer = Layer::Conv2d {
            filters, kernel: Pair::Both(3), stride: Pair::Both(1), padding, groups, activation: None, bias, init: Init::Glorot,
        };
        let input = [channels.div_ceil(groups) * groups, sides.0, sides.1];
        let Some(case) = Case::new(&layer, &input, records, seed) else {
            return Err(TestCaseError::reject("does not take such records"));
        };
        let (back, exact) = (case.run(&ONE), exact(&case, groups as usize, padded, bias));
        near("output", &back.output, &exact.output, input[0] / groups >= 8)?;
        near("gradient by the input", &back.input_gradient, &exact.input, filters / groups >= 8)?;
        near("gradient by the kernel", &back.emitted[&0], &exact.kernel, case.gradient.len() as u32 / filters >= 32)?;
        case.same_with_more_threads(&back)?;
        for isa in Isa::all() {
            prop_assert!(same(&back, &case.run_with(&ONE, isa)), "{}", isa.name());
        }
        for record in 0..records {
            let mut alone = Case::new(&layer, &input, 1, seed).unwrap();
            let part = |values: &[f32]| values[values.len() / records * record..][..values.len() / records].to_vec();
            (alone.input, alone.gradient) = (part(&case.input), part(&case.gradient));
            let alone = alone.run(&ONE);
            prop_assert_eq!(bits(&alone.output), bits(&part(&back.output)));
            prop_assert_eq!(bits(&alone.input_gradient), bits(&part(&back.input_gradient)));
        }
    }

    // Against slopes, with functions after it.
    #[test]
    fn gradients_are_slopes(
        channels in 1u32..3, filters in 1u32..3, sides in (2u32..8, 3u32..8), padded: bool, activation in super::activations(),
        records in 1usize..3, seed: u64,
    ) {
        let padding = if padded { Padding::Same } else { Padding::Valid };
        let layer = Layer::Conv2d {
            filters, kernel: Pair::Both(3), stride: Pair::Both(1), padding, groups: 1, activation, bias: true, init: Init::Glorot,
        };
        super::check(&layer, &[channels, sides.0, sides.1], records, seed)?;
    }
}
