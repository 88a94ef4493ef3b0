//! How fast this processor could be: the inner step of a variant's convolution, again and again, with all operands in
//! registers.
//!
//! No convolution can be faster than that, so a share of it says how much a kernel leaves. Measured, not looked up: it
//! depends on the clock, which nobody knows for a machine that gets warm.

use std::hint::black_box;
use std::time::Instant;

use crate::Isa;
use crate::isa::Kind;
use crate::team::Team;

/// Sums that are independent of each other: enough for an instruction that takes four or five cycles and starts twice in one.
const SUMS: usize = 12;

/// How long one attempt takes: long enough for a clock, short enough to fit between two interruptions.
const ATTEMPT_SECS: f64 = 1e-3;

/// Attempts, of which the fastest counts: when other work takes the processor, some are slow.
const ATTEMPTS: usize = 40;

/// Multiply-accumulates a second of all threads of `team` together, with the instructions of `isa`.
pub fn multiply_accumulates_per_s(isa: Isa, team: &Team) -> f64 {
    let mut results = vec![0_i32; team.threads()];
    let mut attempt = |rounds: usize| {
        let start = Instant::now();
        team.for_each_part(&mut results, 1, &mut [], 0, |_index, result, _scratch| result[0] = run(isa, rounds));
        start.elapsed().as_secs_f64().max(1e-9)
    };
    let mut rounds = 1000;
    while attempt(rounds) < ATTEMPT_SECS {
        rounds *= 2;
    }
    let secs = (0..ATTEMPTS).map(|_| attempt(rounds)).fold(f64::INFINITY, f64::min);
    black_box(results);
    (rounds * SUMS * products(isa)) as f64 * team.threads() as f64 / secs
}

/// Multiply-accumulates of one step for one of the sums.
fn products(isa: Isa) -> usize {
    match isa.0 {
        Kind::Portable => 16,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => 16,
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni | Kind::Avx512VlVnni => 32,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => 64,
        #[cfg(target_arch = "aarch64")]
        Kind::Neon | Kind::NeonDotprod => 16,
        #[cfg(target_arch = "aarch64")]
        Kind::NeonI8mm => 32,
    }
}

/// `rounds` steps for each of the sums; what they come to is returned so that nothing can be left out.
fn run(isa: Isa, rounds: usize) -> i32 {
    match isa.0 {
        Kind::Portable => portable(rounds),
        // SAFETY: the processor has the instructions, because an `Isa` of any of these kinds comes from detection only.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { x86::avx2(rounds) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni => unsafe { x86::avx_vnni(rounds) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512VlVnni => unsafe { x86::avx512vl_vnni(rounds) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => unsafe { x86::avx512_vnni(rounds) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => unsafe { arm::neon(rounds) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Kind::NeonDotprod => unsafe { arm::dotprod(rounds) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Kind::NeonI8mm => unsafe { arm::i8mm(rounds) },
    }
}

/// Plain Rust has no registers to keep numbers in: they come from the first-level cache.
fn portable(rounds: usize) -> i32 {
    let (mut sums, values, weights) = ([[0_i32; 16]; SUMS], [3_u8; SUMS], [5_i8; 16]);
    for _round in 0..rounds {
        let (values, weights) = (black_box(&values), black_box(&weights));
        for (sums, value) in sums.iter_mut().zip(values) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum = sum.wrapping_add(i32::from(*value) * i32::from(*weight));
            }
        }
    }
    sums.as_flattened().iter().fold(0, |total, sum| total ^ sum)
}

/// A function that takes a step for each of the sums. The step is assembly, so that the compiler moves no part of it out of
/// the loop; it works on registers alone.
macro_rules! probe {
    ($name:ident, $features:literal, $zero:expr, $first:expr, |$sum:ident, $values:ident, $weights:ident| $step:expr) => {
        #[target_feature(enable = $features)]
        pub(super) fn $name(rounds: usize) -> i32 {
            let (mut sums, $values, $weights) = ([$zero; SUMS], $zero, $zero);
            for _round in 0..rounds {
                for $sum in &mut sums {
                    // SAFETY: registers alone change, and the processor has the instructions.
                    unsafe { $step }
                }
            }
            sums.into_iter().fold(0, |total, sum| total ^ $first(sum))
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;
    #[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
    use std::arch::x86_64::*;

    use super::SUMS;

    probe!(avx2, "avx2", _mm256_setzero_si256(), _mm256_cvtsi256_si32, |sum, values, weights| asm!(
        "vpmaddwd {product}, {values}, {weights}",
        "vpaddd {sum}, {sum}, {product}",
        sum = inout(ymm_reg) *sum,
        values = in(ymm_reg) values,
        weights = in(ymm_reg) weights,
        product = out(ymm_reg) _,
        options(nomem, nostack, preserves_flags),
    ));

    probe!(avx_vnni, "avx2,avxvnni", _mm256_setzero_si256(), _mm256_cvtsi256_si32, |sum, values, weights| asm!(
        "{{vex}} vpdpbusd {sum}, {values}, {weights}",
        sum = inout(ymm_reg) *sum,
        values = in(ymm_reg) values,
        weights = in(ymm_reg) weights,
        options(nomem, nostack, preserves_flags),
    ));

    probe!(
        avx512vl_vnni,
        "avx2,avx512vl,avx512vnni",
        _mm256_setzero_si256(),
        _mm256_cvtsi256_si32,
        |sum, values, weights| asm!(
            "vpdpbusd {sum}, {values}, {weights}",
            sum = inout(ymm_reg) *sum,
            values = in(ymm_reg) values,
            weights = in(ymm_reg) weights,
            options(nomem, nostack, preserves_flags),
        )
    );

    probe!(
        avx512_vnni,
        "avx512f,avx512vnni",
        _mm512_setzero_si512(),
        _mm512_cvtsi512_si32,
        |sum, values, weights| asm!(
            "vpdpbusd {sum}, {values}, {weights}",
            sum = inout(zmm_reg) *sum,
            values = in(zmm_reg) values,
            weights = in(zmm_reg) weights,
            options(nomem, nostack, preserves_flags),
        )
    );
}

#[cfg(target_arch = "aarch64")]
mod arm {
    #[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
    use std::arch::aarch64::*;
    use std::arch::asm;

    use super::SUMS;

    probe!(neon, "neon", vdupq_n_s32(0), vgetq_lane_s32::<0>, |sum, values, weights| asm!(
        "smull {product:v}.8h, {values:v}.8b, {weights:v}.8b",
        "smlal2 {product:v}.8h, {values:v}.16b, {weights:v}.16b",
        "sadalp {sum:v}.4s, {product:v}.8h",
        sum = inout(vreg) *sum,
        values = in(vreg) values,
        weights = in(vreg) weights,
        product = out(vreg) _,
        options(nomem, nostack, preserves_flags),
    ));

    probe!(dotprod, "neon,dotprod", vdupq_n_s32(0), vgetq_lane_s32::<0>, |sum, values, weights| asm!(
        "sdot {sum:v}.4s, {values:v}.16b, {weights:v}.16b",
        sum = inout(vreg) *sum,
        values = in(vreg) values,
        weights = in(vreg) weights,
        options(nomem, nostack, preserves_flags),
    ));

    probe!(i8mm, "neon,i8mm", vdupq_n_s32(0), vgetq_lane_s32::<0>, |sum, values, weights| asm!(
        "usmmla {sum:v}.4s, {values:v}.16b, {weights:v}.16b",
        sum = inout(vreg) *sum,
        values = in(vreg) values,
        weights = in(vreg) weights,
        options(nomem, nostack, preserves_flags),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "an interpreter has no peak")]
    fn every_variant_has_a_peak_on_one_thread_and_on_two() {
        for isa in Isa::available() {
            for threads in [1, 2] {
                let peak = multiply_accumulates_per_s(isa, &Team::new(threads).unwrap());
                // One multiplication in a thousand cycles, and 64 Ki in one, are beyond every processor.
                assert!((1e6..1e15).contains(&peak), "{}: {peak}", isa.name());
            }
        }
    }
}
