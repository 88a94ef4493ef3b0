//! The lens models under the names that tools give them, with as many coefficients as tools write.
//!
//! | names | coefficients | lens |
//! |---|---|---|
//! | `plumb_bob`, `radtan`, `radial-tangential`, `brown_conrady`, `opencv` | 4, 5 (and 8: as below) | [`Distortion::PlumbBob`] |
//! | `rational_polynomial` | 8 (4 and 5: as above) | [`Distortion::RationalPolynomial`] |
//! | `equidistant`, `equi`, `fisheye`, `kannala_brandt` | 4 | [`Distortion::Equidistant`] |
//! | none, where the number tells: 5, 8 | | as OpenCV counts them |
//!
//! More numbers than a lens has are read when they are zero (drivers fill up to 8, 12 or 14) and refused when not: they
//! are thin prisms and tilted sensors, or of another model. Four numbers without a name may be either lens.

use super::Distortion;

/// Whether a lens model is a fisheye's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LensFamily {
    /// Radial and tangential polynomials of a pinhole's ray.
    Polynomial,
    /// Polynomials of the angle.
    Fisheye,
    /// No distortion.
    Plain,
    /// A model that is a pinhole's where its coefficients are zero, and not understood where they are not.
    PlainIfZero,
}

/// The kind of a lens model by its name, whatever case and separators it has; none for names that are not known.
pub fn lens_family(name: &str) -> Option<LensFamily> {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    Some(match name.as_str() {
        "plumbbob" | "rationalpolynomial" | "radtan" | "radialtangential" | "radialtangential8" | "brown"
        | "brownconrady" | "opencv" | "rational" => LensFamily::Polynomial,
        "equidistant" | "equi" | "fisheye" | "kannalabrandt" | "kannalabrandt4" | "kannalabrandt8" | "kb4"
        | "opencvfisheye" => LensFamily::Fisheye,
        "none" | "pinhole" | "perspective" => LensFamily::Plain,
        "inversebrownconrady" | "modifiedbrownconrady" => LensFamily::PlainIfZero,
        _ => return None,
    })
}

/// The lens of a model's name and its coefficients.
///
/// # Errors
/// The name is not known, four numbers have no name, or there are more or fewer numbers than the lens has.
pub fn lens_of(model: &str, d: &[f64]) -> Result<Distortion, String> {
    let are_zero = d.iter().all(|&value| value == 0.0);
    let family = if model.is_empty() { None } else { Some(lens_family(model).ok_or_else(|| unknown(model))?) };
    match family {
        Some(LensFamily::Fisheye) => lens_numbers::<4>("equidistant", d).map(Distortion::Equidistant),
        _ if are_zero => Ok(Distortion::None),
        Some(LensFamily::Polynomial) => polynomial(model, d),
        Some(LensFamily::Plain | LensFamily::PlainIfZero) => Err(unknown(model)),
        None if d.len() == 4 => {
            Err("four distortion_coefficients without a distortion_model: they are plumb_bob's k1 k2 p1 p2 or \
                                     a fisheye's k1 k2 k3 k4 (equidistant)"
                .into())
        }
        None if d.len() < 5 => Err(format!("distortion_coefficients must be 5 or 8 numbers, got {}", d.len())),
        None if d[5..].iter().all(|&value| value == 0.0) => polynomial("plumb_bob", d),
        None => polynomial("rational_polynomial", d),
    }
}

fn polynomial(model: &str, d: &[f64]) -> Result<Distortion, String> {
    // Some writers leave out k3; `rational_polynomial` with five numbers is OpenCV's with k4 to k6 at zero.
    if let &[k1, k2, p1, p2] = d {
        return Ok(Distortion::PlumbBob([k1, k2, p1, p2, 0.0]));
    }
    // Other names than plumb_bob stand for all of OpenCV's lenses.
    let is_rational = model.to_ascii_lowercase().starts_with("rational");
    let has_denominator = d.iter().skip(5).any(|&value| value != 0.0) && !model.eq_ignore_ascii_case("plumb_bob");
    if is_rational && d.len() > 5 || has_denominator {
        return lens_numbers::<8>("rational_polynomial", d).map(Distortion::RationalPolynomial);
    }
    lens_numbers::<5>("plumb_bob", d).map(Distortion::PlumbBob)
}

/// The first numbers, where those beyond are zero.
fn lens_numbers<const N: usize>(model: &str, d: &[f64]) -> Result<[f64; N], String> {
    let (first, beyond) = d.split_at_checked(N).ok_or_else(|| count(model, N, d.len()))?;
    if beyond.iter().any(|&value| value != 0.0) {
        let count = count(model, N, d.len());
        return Err(if d.len() > 8 {
            format!("{count}: lenses with {} coefficients (thin prisms, tilted sensors) are not supported", d.len())
        } else {
            format!("{count}: those beyond are not zero")
        });
    }
    first.try_into().map_err(|_| count(model, N, d.len()))
}

fn count(model: &str, expected: usize, found: usize) -> String {
    format!("distortion_coefficients of {model} must have {expected} numbers, got {found}")
}

fn unknown(model: &str) -> String {
    format!("distortion_model must be plumb_bob, rational_polynomial or equidistant, got {model:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIVE: [f64; 5] = [-0.21, 0.08, 0.0011, -0.0007, -0.012];

    fn filled(first: &[f64], count: usize) -> Vec<f64> {
        let mut all = first.to_vec();
        all.resize(count, 0.0);
        all
    }

    #[test]
    fn zeros_beyond_a_lens_change_nothing_and_other_numbers_are_refused() {
        for count in [5, 8, 12, 14] {
            assert_eq!(lens_of("plumb_bob", &filled(&FIVE, count)), Ok(Distortion::PlumbBob(FIVE)));
        }
        let eight = [4.655, 1.3477, 0.00013, -0.00021, 0.0519, 4.7, 1.6, 0.1];
        for count in [8, 12, 14] {
            assert_eq!(
                lens_of("rational_polynomial", &filled(&eight, count)),
                Ok(Distortion::RationalPolynomial(eight))
            );
        }
        let mut wrong = filled(&FIVE, 8);
        wrong[5] = 0.2;
        assert!(lens_of("plumb_bob", &wrong).unwrap_err().contains("must have 5 numbers, got 8"));
        let mut tilted = filled(&eight, 14);
        tilted[12] = 0.002;
        assert!(lens_of("rational_polynomial", &tilted).unwrap_err().contains("tilted"));
        assert!(lens_of("equidistant", &[0.1, 0.2, 0.3, 0.4, 0.5]).unwrap_err().contains("must have 4 numbers, got 5"));
    }

    #[test]
    fn a_name_that_is_not_understood_is_never_a_lens_without_distortion() {
        for model in ["fov", "omni", "division", "thin_prism_fisheye"] {
            for d in [&[][..], &[0.0; 4], &FIVE] {
                assert!(lens_of(model, d).unwrap_err().contains(model));
            }
        }
        assert!(lens_of("equidistant", &[]).is_err());
        assert!(lens_of("none", &FIVE).is_err());
        assert!(lens_of("Inverse Brown Conrady", &FIVE).is_err());
        assert_eq!(lens_of("Inverse Brown Conrady", &[0.0; 5]), Ok(Distortion::None));
        assert_eq!(lens_of("", &[]), Ok(Distortion::None));
    }

    #[test]
    fn four_numbers_without_a_name_may_be_either_lens() {
        let four = [0.1, 0.2, 0.3, 0.4];
        assert!(lens_of("", &four).unwrap_err().contains("fisheye"));
        assert_eq!(lens_of("fisheye", &four), Ok(Distortion::Equidistant(four)));
        assert_eq!(lens_of("radial-tangential", &four), Ok(Distortion::PlumbBob([0.1, 0.2, 0.3, 0.4, 0.0])));
        assert_eq!(lens_of("equidistant", &[0.0; 4]), Ok(Distortion::Equidistant([0.0; 4])));
    }

    proptest! {
        #[test]
        fn no_number_of_a_lens_gets_lost(
            model in prop::sample::select(vec!["", "plumb_bob", "rational_polynomial", "radtan", "equidistant", "opencv"]),
            d in prop::collection::vec(-1.0f64..1.0, 0..15),
        ) {
            if let Ok(lens) = lens_of(model, &d) {
                let kept = lens.coefficients().iter().filter(|number| **number != 0.0).count();
                prop_assert_eq!(kept, d.iter().filter(|number| **number != 0.0).count(), "{} {:?}", model, d);
            }
        }
    }
}
