//! What the networks promise, one promise per file.
//!
//! One program: each that links burn takes 150 MB of disk and half a minute.

mod onnx_models_match_burn;
mod resnet_encoders_match_torchvision;
mod transfer_keeps_what_it_should;
mod weights_survive_the_trip;
