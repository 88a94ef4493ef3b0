//! What is said of a file that is not understood.

use parallax_core::Error;
use std::path::Path;

/// What is read, for those whose file is not.
pub(crate) const FORMS: &str = "these are read: ROS camera_info YAML, `ros2 topic echo` and ost.txt; Kalibr's and OpenVINS's camchain; OpenCV's \
                     FileStorage (YAML, XML, JSON) and named matrices; Foxglove's CameraCalibration (JSON); EuRoC's sensor.yaml; \
                     mrcal's .cameramodel; KITTI's calib.txt and calib_cam_to_cam.txt; a 3x3 matrix as text or .npy; a line \
                     `fx fy cx cy [baseline_m]`; recordings (docs/formats.md tells more)";

/// A key that is neither understood nor harmless.
pub(super) fn unknown_key(key: &str, path: &Path) -> Error {
    Error::Malformed {
        what: format!("the key {key} is not understood"),
        path: path.to_path_buf(),
        hint: "it may be the lens or the place of the camera: rename it as docs/formats.md says or, where it says nothing about how \
               the camera sees, pass over it with `parallax-calib convert --ignore KEY`",
    }
}
