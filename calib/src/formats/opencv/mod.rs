//! OpenCV's FileStorage, as its samples and most programs around it write calibrations, and YAML or JSON of named matrices.
//!
//! | what | names, for instance |
//! |---|---|
//! | K | `camera_matrix`, `Camera_Matrix`, `CameraMat`, `K`, `mtx`; of a pair `M1` and `M2`, `K_left`, `cameraMatrixR` |
//! | the lens | `distortion_coefficients`, `dist_coeff`, `DistCoeff`, `dist`, `D`; of a pair `D1` and `D2`, … |
//! | `R`, `T` | `x_right = R x_left + T`, in the unit of the board's squares |
//! | `R1`, `R2`, `P1`, `P2` | rectification; computed from R and T where missing; `rectification_matrix` and `projection_matrix` as ROS |
//! | the size | `image_width` and `image_height`, `image_size`, `ImageSize`; not in the `stereo_calib` sample: `--size` says it |
//! | the lens model | `fisheye_model` (1: `equidistant`), `distortion_model`, `camera_model` |
//! | `fx`, `fy`, `cx`, `cy`, `k1`, `k2`, `p1`, `p2`, … | numbers one by one, as settings of visual odometry have them |
//!
//! Coefficients are k1 k2 p1 p2 \[k3 \[k4 k5 k6\]\]; those of thin prisms and tilted sensors are refused unless zero, and four
//! of them without a lens model are. [`names`] tells what a name means; one that is not understood is refused, and so are two
//! candidates for the same thing.
//!
//! Reference: OpenCV documentation, *File Input and Output using XML and YAML files*; *Camera Calibration and 3D Reconstruction*.

mod gathered;
mod names;
mod read;
mod relation;
mod tree;
mod write;

pub(super) use read::{Extrinsics, extrinsics, has_names, parse};
pub(super) use write::to_text;
