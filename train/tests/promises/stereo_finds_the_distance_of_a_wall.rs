//! Stereo pre-training finds depth in metres: a wall whose pairs are shifted by two pixels.
//!
//! Focal length 50 pixels, baseline 0.2 m, parallax 2 pixels: the wall stands 50 · 0.2 / 2 = 5 m away. A fresh network says
//! 8 m everywhere.

use burn::module::Module as _;
use burn::tensor::Device;
use parallax_core::model_input::ModelInput;
use parallax_core::recording::{Eye, Recording};
use parallax_train::data::Supervision;
use parallax_train::pretraining::prediction::{Views, predict};
use parallax_train::pretraining::pretrain;

use crate::few_shot::cpu;

const STEPS: u64 = 120;

#[test]
fn a_wall_five_metres_away() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::footage::stereo_drive(folder.path(), 12);
    let config = crate::footage::config(&[Supervision::Stereo], std::slice::from_ref(&data), STEPS);
    let trained = pretrain(config, &folder.path().join("run"), &cpu()).unwrap();

    let frame = Recording::open(&data).unwrap().frame(6, Eye::Left).unwrap().to_rgb().unwrap();
    let input = ModelInput::imagenet(64, 32);
    let mut values = vec![0.0; input.len()];
    input.prepare(&frame, &mut values);
    let metres_per_unit = 0.2 / 0.1;
    let depth = predict(&trained.trained.model.valid(), &values, [1, 3, 32, 64], Views::Picture, &Device::flex());
    let errors: Vec<f32> = depth.metres.iter().map(|depth| (depth * metres_per_unit - 5.0).abs() / 5.0).collect();
    let abs_rel = errors.iter().sum::<f32>() / errors.len() as f32;
    assert!(abs_rel < 0.1, "the wall is missed by {:.0} %", 100.0 * abs_rel);
}
