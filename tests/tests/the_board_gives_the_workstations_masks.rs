//! The same frames on the board and on the workstation: the same masks.
//!
//! `scripts/test_board` runs the program for the board in a virtual machine and then this test on what came out of it:
//! `PARALLAX_BOARD` names a folder with `int8.bundle`, `float.bundle`, recordings `NAME.mcap`, and the board's
//! `NAME_int8/masks` and `NAME_float/masks`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use parallax_tests::programs::{argument, run_to_end};
use std::path::{Path, PathBuf};

/// In float the order of sums differs with the processor: logits that are nearly tied may change places.
const AGREEMENT_IN_FLOAT: f64 = 0.999;

fn masks(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("masks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files
}

/// Shares of the pixels that are the same: `(of all masks, of the worst one)`, and how many classes were seen.
fn agreement(board: &Path, workstation: &Path) -> (f64, f64, usize) {
    let (board, workstation) = (masks(board), masks(workstation));
    let names =
        |files: &[PathBuf]| -> Vec<_> { files.iter().map(|file| file.file_name().unwrap().to_owned()).collect() };
    assert_eq!(names(&board), names(&workstation));
    assert!(!board.is_empty());
    let mut seen = std::collections::BTreeSet::new();
    let shares: Vec<f64> = board
        .iter()
        .zip(&workstation)
        .map(|(board, workstation)| {
            let [board, workstation] = [board, workstation].map(|path| image::open(path).unwrap().to_luma8());
            assert_eq!(board.dimensions(), workstation.dimensions());
            seen.extend(workstation.iter().copied());
            let same = board.iter().zip(workstation.iter()).filter(|(a, b)| a == b).count();
            same as f64 / board.len() as f64
        })
        .collect();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    (mean, shares.into_iter().fold(1.0, f64::min), seen.len())
}

#[test]
fn int8_masks_are_the_same_bit_for_bit_and_float_ones_nearly() {
    let Some(results) = std::env::var_os("PARALLAX_BOARD").map(PathBuf::from) else {
        eprintln!("SKIPPED: no results of a board here: scripts/test_board runs this test");
        return;
    };
    let mut recordings: Vec<PathBuf> =
        std::fs::read_dir(&results).unwrap().map(|entry| entry.unwrap().path()).collect();
    recordings.retain(|path| path.extension().is_some_and(|extension| extension == "mcap"));
    assert!(!recordings.is_empty());
    for recording in recordings {
        let name = recording.file_stem().unwrap().to_str().unwrap();
        for arithmetic in ["int8", "float"] {
            let bundle = argument(&results.join(format!("{arithmetic}.bundle")));
            let here = results.join(format!("{name}_{arithmetic}_here"));
            let from = argument(&recording);
            let out = argument(&here);
            run_to_end("parallax-edge", &["run", "--from", &from, "--bundle", &bundle, "--out", &out, "--no-overlays"])
                .unwrap();
            let (mean, worst, classes) = agreement(&results.join(format!("{name}_{arithmetic}")), &here);
            eprintln!(
                "{name} in {arithmetic}: {classes} classes, {mean:.6} of the pixels agree, {worst:.6} in the worst mask"
            );
            match arithmetic {
                "int8" => assert_eq!(worst, 1.0, "{name}: integers give the same bits everywhere"),
                _ => assert!(mean >= AGREEMENT_IN_FLOAT, "{name}: {mean} of the pixels agree"),
            }
        }
    }
}
