//! Networks that other programs wrote: packed, quantized and run by the programs, with the masks that onnxruntime gets from the
//! files as they were.

use super::*;
use image::RgbImage;
use parallax_core::labels::Classes;

const WIDTH: u32 = 128;
const HEIGHT: u32 = 64;

/// A folder with a picture, its bytes, footage to calibrate on and a list of classes.
struct Ground {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Ground {
    fn new(classes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let ground = Self { _folder: folder, root };
        let photo = |seed: f32| {
            RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
                let wave = |speed: f32| {
                    (127.5 + 127.5 * ((x * x + 3 * y * y / (1 + x % 7) + 40 * y) as f32 * speed + seed).sin()) as u8
                };
                image::Rgb([wave(0.011), wave(0.017), wave(0.029)])
            })
        };
        std::fs::create_dir(ground.root.join("frames")).unwrap();
        for frame in 0..8 {
            photo(frame as f32).save(ground.root.join(format!("frames/{frame}.png"))).unwrap();
        }
        std::fs::write(ground.root.join("picture.rgb"), photo(0.0).into_raw()).unwrap();
        let names: Vec<String> = (0..classes).map(|class| format!("class {class}")).collect();
        let listed: Vec<(&str, [u8; 3])> =
            names.iter().zip(0..).map(|(name, grey)| (name.as_str(), [grey * 40; 3])).collect();
        Classes::dense(&listed).write(&ground.root.join("classes.toml")).unwrap();
        ground
    }

    fn file(&self, name: &str) -> String {
        argument(&self.root.join(name))
    }

    /// Packs a model with those flags, segments the picture, and gives the mask.
    fn mask(&self, model: &str, flags: &[&str]) -> Vec<u8> {
        let (bundle, out) = (self.file(&format!("{model}.bundle")), self.file(&format!("{model}.masks")));
        let (model, classes, picture) = (self.file(model), self.file("classes.toml"), self.file("frames/0.png"));
        let pack = ["pack", &model, "--classes", &classes, "--golden", &picture, "--out", &bundle];
        run_to_end("parallax-train", &[&pack, flags].concat()).unwrap();
        run_to_end("parallax-edge", &["inspect", &bundle]).unwrap();
        run_to_end("parallax-edge", &["run", "--from", &picture, "--bundle", &bundle, "--out", &out]).unwrap();
        let mask = std::fs::read_dir(self.root.join(&out).join("masks")).unwrap().next().unwrap().unwrap().path();
        image::open(mask).unwrap().to_luma8().into_raw()
    }

    /// Quantizes a model with those flags.
    fn quantize(&self, model: &str, int8: &str, flags: &[&str]) -> Value {
        let (model, frames, int8) = (self.file(model), self.file("frames"), self.file(int8));
        let quantize = ["quantize", &model, "--data", &frames, "--out", &int8, "--json"];
        run_for_json("parallax-train", &[&quantize, flags].concat()).unwrap()
    }
}

fn agreement(found: &[u8], expected: &[u8]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).filter(|(a, b)| a == b).count() as f64 / expected.len() as f64
}

#[test]
fn a_network_of_any_form_gives_onnxruntimes_mask_in_float_and_in_int8() {
    let Some(python) = with_onnxruntime() else { return };
    for kind in ["old", "dynamic", "normalised", "quarter", "argmax", "softmax", "external", "two"] {
        let ground = Ground::new(4);
        let arguments = [kind, &ground.file("picture.rgb"), "128", "64", &argument(&ground.root)];
        let made = run_script(&python, "foreign_network.py", &arguments).unwrap();
        assert!(made["rarest"].as_f64().unwrap() > 0.1, "{kind}: the mask says something: {made}");
        let flags: Vec<&str> = made["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
        let expected = std::fs::read(ground.root.join("mask.bytes")).unwrap();
        let float = agreement(&ground.mask("model.onnx", &flags), &expected);
        assert!(float >= 0.999, "{kind} in float: {float}");

        let report = ground.quantize("model.onnx", "int8.onnx", &flags);
        assert_eq!(report["left_in_float"], serde_json::json!([]), "{kind}");
        // The flags may be said again, or left out: the file says them now.
        let int8 = ground.mask("int8.onnx", if kind == "old" { &flags } else { &[] });
        let int8 = agreement(&int8, &expected);
        // Of random weights many pixels lie near a border between two classes.
        assert!(int8 >= 0.92, "{kind} in int8: {int8}");
    }
}

/// A Python that has PyTorch as well, if there is one: `PARALLAX_TORCH_PYTHON`, else the one of the other checks.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn with_torchvision() -> Option<PathBuf> {
    let named = std::env::var_os("PARALLAX_TORCH_PYTHON").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let has = |python: &PathBuf| {
        let probe = std::process::Command::new(python).args(["-c", "import torch, torchvision"]).output();
        probe.is_ok_and(|output| output.status.success())
    };
    let found = named.into_iter().chain([usual]).find(has);
    if found.is_none() {
        eprintln!("SKIPPED: no torchvision here; PARALLAX_TORCH_PYTHON names a Python that has it");
    }
    found
}

#[test]
fn torchvisions_network_goes_the_whole_way() {
    let Some(python) = with_torchvision() else { return };
    for (network, opset, sides) in
        [("lraspp_mobilenet_v3_large", "13", "fixed"), ("deeplabv3_mobilenet_v3_large", "12", "dynamic")]
    {
        let ground = Ground::new(4);
        let arguments = [&ground.file("model.onnx"), network, "4", opset, "128x64", sides];
        run_script(&python, "export_torchvision.py", &arguments).unwrap();
        let imagenet = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--channels", "rgb"];
        let flags = [&imagenet[..], &["--size", "128x64"]].concat();
        let float = ground.mask("model.onnx", &flags);
        let report = ground.quantize("model.onnx", "int8.onnx", &flags);
        assert!(report["left_in_float"].as_array().unwrap().is_empty(), "{network}: {}", report["left_in_float"]);
        let int8 = agreement(&ground.mask("int8.onnx", &[]), &float);
        // Weights are random and so are half of the pixels' logits near each other.
        assert!(int8 >= 0.7, "{network}: {int8}");
    }
}
