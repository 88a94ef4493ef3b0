//! The self-check of the GPU, run on a software GPU that is known to be wrong in known places.
//!
//! SwiftShader comes from `scripts/install_swiftshader` (a download of 32 MB, kept in a cache). Where it cannot be had,
//! the test says so and passes.

use std::path::{Path, PathBuf};
use std::process::Command;

use parallax_train::device::choice::proven_gpu;
use parallax_train::device::operators::operators;
use parallax_train::device::{AdapterKind, Inspection, Inspector, Verdict};

/// The operators that SwiftShader may get wrong, silently, under burn 0.22.1 with autotune and without fusion.
///
/// All are the matrix product: a convolution of 1×1 lowers to one (burn-cubecl 0.22.1, `kernel/conv/im2col.rs`), if autotune
/// finds that the fastest. Autotune chooses between kernels by the time they take: `gemm` is right, the unit-tile
/// kernels give zeros or garbage, so which of these is wrong in a given run is chance (decision 0008).
/// Everything else, other convolutions and the tiny network included, takes other kernels and must be right.
const MAY_BE_WRONG: &[&str] = &["matmul", "matmul of small matrices", "conv2d 1x1", "conv2d bias"];

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_parallax-train"))
}

fn swiftshader() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/install_swiftshader");
    let output = Command::new(script).arg("--folder").output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    (output.status.success() && folder.is_dir()).then_some(folder)
}

fn inspect(folder: &Path) -> Inspection {
    let driver = folder.join("icd.json");
    let verdict = Inspector::of_program(program())
        .with_variable("VK_DRIVER_FILES", driver.to_str().unwrap())
        .with_variable("VK_ICD_FILENAMES", driver.to_str().unwrap())
        .with_variable("LD_LIBRARY_PATH", folder.to_str().unwrap())
        .inspect()
        .unwrap();
    match verdict {
        Verdict::Inspected(inspection) => inspection,
        Verdict::NoGpu(reason) => {
            panic!("SwiftShader is installed in {} but does not open: {reason}", folder.display())
        }
    }
}

#[test]
fn swiftshader_is_wrong_only_where_it_is_known_to_be() {
    let Some(folder) = swiftshader() else {
        eprintln!(
            "SKIPPED: no software GPU: scripts/install_swiftshader failed (it needs Debian's apt and the network)"
        );
        return;
    };
    let version = std::fs::read_to_string(folder.join("version")).unwrap_or_default();
    let inspection = inspect(&folder);
    assert_eq!(inspection.adapter.kind, AdapterKind::Software, "{:?}", inspection.adapter);
    for finding in &inspection.findings {
        eprintln!("{}", finding.describe());
    }

    let checked: Vec<&str> = inspection.findings.iter().map(|finding| finding.operator.as_str()).collect();
    let all: Vec<&str> = operators().iter().map(|operator| operator.name).collect();
    assert_eq!(checked[..all.len()], all, "every operator is checked, in order, though some of them are wrong");

    let wrong: Vec<String> = inspection.wrong().iter().map(|finding| finding.operator.clone()).collect();
    let unknown: Vec<&String> = wrong.iter().filter(|operator| !MAY_BE_WRONG.contains(&operator.as_str())).collect();
    assert!(unknown.is_empty(), "SwiftShader {version}: {unknown:?} wrong: record what has changed, and why");

    let verdict = proven_gpu(Verdict::Inspected(inspection));
    assert_eq!(verdict.is_err(), !wrong.is_empty(), "a device with a wrong operator, and only such a one, is refused");
    if let Err(error) = verdict {
        for operator in wrong {
            assert!(error.to_string().contains(&operator), "{error} names {operator}");
        }
    }
}

#[test]
fn a_machine_without_a_vulkan_driver_has_no_gpu_and_a_reason() {
    let verdict = Inspector::of_program(program())
        .with_variable("VK_DRIVER_FILES", "/nonexistent/driver.json")
        .with_variable("VK_ICD_FILENAMES", "/nonexistent/driver.json")
        .inspect()
        .unwrap();
    let Verdict::NoGpu(reason) = verdict else { panic!("{verdict:?}") };
    assert!(!reason.is_empty());
}
