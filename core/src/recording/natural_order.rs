//! The order in which people number files: `frame2` before `frame10`.

use std::cmp::Ordering;

/// Compares two names; runs of digits count as numbers, everything else byte by byte.
///
/// Names that differ only in leading zeros keep their plain order, so that the order is total.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    while let (Some(&first_a), Some(&first_b)) = (a.first(), b.first()) {
        let order = if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            let (number_a, number_b) = (take_digits(&mut a), take_digits(&mut b));
            number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            first_a.cmp(&first_b)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len()).then_with(|| left.cmp(right))
}

/// Cuts the leading run of digits off `text` and returns it without its leading zeros.
fn take_digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    *text = rest;
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_inside_names_count_as_numbers() {
        let mut names = ["f10.png", "f9.png", "f010b.png", "f1.png", "e99.png", "f.png"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["e99.png", "f.png", "f1.png", "f9.png", "f10.png", "f010b.png"]);
    }

    proptest! {
        #[test]
        fn the_order_is_antisymmetric_and_only_equal_names_are_equal(a in "[a0-2]{0,6}", b in "[a0-2]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
        }

        #[test]
        fn the_order_is_transitive(mut names in proptest::collection::vec("[a0-1]{0,4}", 3)) {
            names.sort_by(|a, b| compare(a, b));
            prop_assert_ne!(compare(&names[0], &names[2]), Ordering::Greater);
        }
    }
}
