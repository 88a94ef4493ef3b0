//! With the feature `ndarray`: burn's older CPU backend gives what flex gives, in every operator that training uses and in
//! a tiny training run.
//!
//! ```text
//! cargo test --release -p parallax-train --no-default-features --features ndarray --test promises ndarray_agrees_with_flex
//! ```

use parallax_train::device::comparison::{compare_operator, compare_tiny_training};
use parallax_train::device::operators::operators;
use parallax_train::device::{DeviceChoice, DeviceKind, Finding, Inspector, choose};

#[test]
fn every_operator_and_a_tiny_training_agree() {
    let chosen = choose(DeviceChoice::Ndarray, &Inspector::of_program("not asked")).unwrap();
    assert_eq!((chosen.kind, chosen.name.as_str()), (DeviceKind::Cpu, "cpu (ndarray)"));
    let mut findings: Vec<_> = operators().iter().map(|operator| compare_operator(operator, &chosen.device)).collect();
    findings.extend(compare_tiny_training(&chosen.device));
    let wrong: Vec<String> = findings.iter().filter(|finding| !finding.is_right()).map(Finding::describe).collect();
    assert_eq!(wrong, Vec::<String>::new());
}
