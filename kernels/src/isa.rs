//! Which instructions a kernel may use.
//!
//! | name | where | convolution's inner step |
//! |---|---|---|
//! | `portable` | everywhere | 1 product × 16 channels, left to the compiler |
//! | `avx2` | x86-64 | `vpmaddwd`: 2 products × 8 channels, operands widened to 16 bits |
//! | `avx-vnni` | x86-64 | `vpdpbusd` on 256 bits: 4 products × 8 channels |
//! | `avx512vl-vnni` | x86-64 | the same in the encoding of AVX-512, for processors that slow down for 512 bits |
//! | `avx512-vnni` | x86-64 | `vpdpbusd` on 512 bits: 4 products × 16 channels |
//! | `neon` | aarch64 | `smull`, `smlal`, `sadalp`: 4 products × 4 channels |
//! | `neon-dotprod` | aarch64 from ARMv8.2 on, mostly | `sdot`: 4 products × 4 channels |
//! | `neon-i8mm` | aarch64 from ARMv8.6 on, mostly | `usmmla`: 8 products × 2 channels × 2 pixels |
//!
//! `vpmaddubsw`, the obvious instruction for AVX2, adds two products u8·s8 in 16 bits and saturates: 2 · 255 · 127 does
//! not fit. Widening first costs half of the speed and is exact for every weight.

/// A set of instructions that this processor has. Values other than [`Isa::PORTABLE`] come from detection only, which is
/// what makes calling the variants sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(pub(crate) Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx512VlVnni,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    NeonDotprod,
    #[cfg(target_arch = "aarch64")]
    NeonI8mm,
}

impl Isa {
    /// Plain Rust: runs everywhere, and is what all other variants must equal.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// The variants that this processor runs, slowest first.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(
            not(any(target_arch = "x86_64", target_arch = "aarch64")),
            expect(unused_mut, reason = "other processors have one variant")
        )]
        let mut available = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            // Every processor with AVX2 has fused multiply-adds but for one that was never common. Everything else here
            // has both, so that the list is an order.
            if has("avx2") && has("fma") {
                available.push(Self(Kind::Avx2));
                if has("avxvnni") {
                    available.push(Self(Kind::AvxVnni));
                }
                // The 128-bit stores need VL, the byte masks BW.
                if ["avx512f", "avx512bw", "avx512vl", "avx512vnni"].into_iter().all(has) {
                    available.extend([Self(Kind::Avx512VlVnni), Self(Kind::Avx512Vnni)]);
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            // Rust's aarch64 has NEON always.
            available.push(Self(Kind::Neon));
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                available.push(Self(Kind::NeonDotprod));
            }
            if std::arch::is_aarch64_feature_detected!("i8mm") {
                available.push(Self(Kind::NeonI8mm));
            }
        }
        available
    }

    /// The fastest variant that this processor runs.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::PORTABLE)
    }

    /// The available variant with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// Its name, as in the table above.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512VlVnni => "avx512vl-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Kind::NeonDotprod => "neon-dotprod",
            #[cfg(target_arch = "aarch64")]
            Kind::NeonI8mm => "neon-i8mm",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has(feature: &str) -> bool {
    match feature {
        "avx2" => std::arch::is_x86_feature_detected!("avx2"),
        "fma" => std::arch::is_x86_feature_detected!("fma"),
        "avxvnni" => std::arch::is_x86_feature_detected!("avxvnni"),
        "avx512f" => std::arch::is_x86_feature_detected!("avx512f"),
        "avx512bw" => std::arch::is_x86_feature_detected!("avx512bw"),
        "avx512vl" => std::arch::is_x86_feature_detected!("avx512vl"),
        "avx512vnni" => std::arch::is_x86_feature_detected!("avx512vnni"),
        _ => false,
    }
}

/// Calls a function compiled once per instruction set: the same Rust, so the same bits, but with the registers that the
/// processor has. The function must be `#[inline(always)]`, else it is compiled for the smallest set.
macro_rules! compiled_for {
    ($isa:expr, $function:ident($($argument:ident: $type:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn with_avx2($($argument: $type),*) {
            $function($($argument),*);
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
        fn with_avx512($($argument: $type),*) {
            $function($($argument),*);
        }
        match $isa.0 {
            $crate::isa::Kind::Portable => $function($($argument),*),
            // SAFETY: an `Isa` of these kinds comes from detection only, and every one of them has AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Kind::Avx2 | $crate::isa::Kind::AvxVnni | $crate::isa::Kind::Avx512VlVnni => unsafe {
                with_avx2($($argument),*);
            },
            // SAFETY: an `Isa` of this kind comes from detection only.
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Kind::Avx512Vnni => unsafe { with_avx512($($argument),*) },
            // Plain Rust is compiled for NEON already.
            #[cfg(target_arch = "aarch64")]
            $crate::isa::Kind::Neon | $crate::isa::Kind::NeonDotprod | $crate::isa::Kind::NeonI8mm => {
                $function($($argument),*);
            }
        }
    }};
}
pub(crate) use compiled_for;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_variant_is_always_there_and_first() {
        assert_eq!(Isa::available()[0], Isa::PORTABLE);
        assert_eq!(Isa::named("portable"), Some(Isa::PORTABLE));
        assert_eq!(Isa::named("mmx"), None);
        assert_eq!(Isa::best(), *Isa::available().last().unwrap());
    }
}
