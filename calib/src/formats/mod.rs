//! The forms in which calibrations travel between tools.
//!
//! | form | file | lenses | a pair | written |
//! |---|---|---|---|---|
//! | [`Format::Ros`] | `camera_info` YAML | all of ours | a second file, `NAME_right.yaml` | yes |
//! | [`Format::Kalibr`] | camchain YAML | `radtan` (4), `equidistant` | `cam0`, `cam1` with `T_cn_cnm1` | yes |
//! | [`Format::OpenCv`] | FileStorage, YAML or XML by the name's ending | all of ours | one file, or two to be joined | yes |
//! | [`Format::Foxglove`] | the message `CameraCalibration` as JSON | all of ours | a second file, `NAME_right.json` | yes |
//! | `ros2 topic echo` | the message `CameraInfo` as YAML | all of ours | a second file | no |
//! | `ost.txt` | sections of ROS's calibration | all of ours | two sections | no |
//! | EuRoC | `sensor.yaml` | `radial-tangential`, `equidistant` | a second file, by `T_BS` | no |
//! | mrcal | `.cameramodel` | `PINHOLE`, `OPENCV4` to `OPENCV8` | a second file, by `extrinsics` | no |
//! | KITTI | `calib.txt`, `calib_cam_to_cam.txt` | none | in the file | no |
//! | numbers | a 3×3 matrix, or `fx fy cx cy [baseline_m]` | none | by the baseline | no |
//!
//! Recordings are read too. A second file is named by [`Unsaid::right`]. Numbers are written with as many digits as it
//! takes to read the same bits back; what a form cannot hold is an error that names it, never left out silently. A key that
//! is neither understood nor known to say nothing about the camera is an error that names it.

mod bare;
mod euroc;
mod found;
mod kalibr;
mod message;
mod mrcal;
mod npy;
mod opencv;
mod ost;
mod read;
mod refusal;
mod unsaid;
mod write;

pub use read::read;
pub(crate) use refusal::FORMS;
pub use unsaid::Unsaid;
pub use write::{Format, write, write_solved};

#[cfg(test)]
mod form_tests;
#[cfg(test)]
mod tests;
