//! Which calibration something was made with: a hash that travels with recordings, checkpoints and bundles.
//!
//! SHA-256 over width and height (unsigned 32 bit), the lens model's ROS name (UTF-8), K, the lens's coefficients, R and P
//! (64-bit floats, matrices row by row), all little-endian, in this order. The camera's name is not part of it: two files
//! with the same numbers are the same calibration. Nor is a lens without distortion another one than a `plumb_bob` lens with
//! five zeros, which is what camera files make of it.

use super::{Camera, CameraNumbers};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The hash of a calibration, 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CameraIdentity(String);

impl CameraIdentity {
    /// The identity of a camera.
    pub fn of(camera: &Camera) -> Self {
        let CameraNumbers { width, height, model, k, d, r, p, .. } = CameraNumbers::of(camera);
        let mut bytes = Vec::new();
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend(model.bytes());
        // Adding zero makes one number of the two zeros, which are equal but not of the same bits.
        [k, d, r, p].iter().flatten().for_each(|number| bytes.extend((number + 0.0).to_le_bytes()));
        Self(crate::files::sha256_of_bytes(&bytes))
    }

    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Twelve digits, enough for people to tell cameras apart.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }

    /// Passes when `found` is one of the cameras that a model `learned` from, or when none of them is known.
    ///
    /// # Errors
    /// [`Error::OtherCamera`] with both identities and `place`, where `found` comes from.
    pub fn expect_one_of(learned: &[Self], found: &Camera, place: &Path) -> Result<()> {
        let identity = Self::of(found);
        if learned.is_empty() || learned.contains(&identity) {
            return Ok(());
        }
        Err(Error::OtherCamera {
            expected: learned.iter().map(Self::short).collect::<Vec<_>>().join(" or "),
            found: identity.short().to_owned(),
            path: place.to_path_buf(),
        })
    }
}

impl std::fmt::Display for CameraIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Distortion, Intrinsics};
    use super::*;

    fn camera() -> Camera {
        Camera::pinhole("left", 640, 480, Intrinsics { fx: 500.0, fy: 501.0, cx: 320.0, cy: 240.0 })
    }

    #[test]
    fn the_identity_is_the_documented_hash() {
        // Python: sha256(pack('<II', 640, 480) + b'plumb_bob' + pack('<35d', *K, *[0]*5, *R, *P)).hexdigest()
        assert_eq!(
            CameraIdentity::of(&camera()).as_str(),
            "14ee438de841a48445aaf06edd617e32ad3758ee57d9b9ba208550b7bdd1d47c"
        );
    }

    #[test]
    fn the_name_does_not_matter_and_every_number_does() {
        let same = [
            Camera { name: "other".into(), ..camera() },
            Camera { distortion: Distortion::PlumbBob([0.0; 5]), ..camera() },
            Camera { distortion: Distortion::PlumbBob([-0.0; 5]), ..camera() },
        ];
        for same in same {
            assert_eq!(CameraIdentity::of(&same), CameraIdentity::of(&camera()));
        }
        let mut others = [
            camera().with_baseline(0.1),
            camera().resized(320, 240),
            Camera { distortion: Distortion::PlumbBob([0.0, 0.0, 0.0, 0.0, 1e-9]), ..camera() },
            Camera { distortion: Distortion::Equidistant([0.0; 4]), ..camera() },
            camera(),
        ];
        others[4].intrinsics.cy += 1e-9;
        for other in others {
            assert_ne!(CameraIdentity::of(&other), CameraIdentity::of(&camera()));
        }
    }

    #[test]
    fn a_known_camera_that_is_another_one_is_refused_and_an_unknown_one_is_not() {
        let (mine, place) = (camera(), Path::new("drive.mcap"));
        assert!(CameraIdentity::expect_one_of(&[], &mine, place).is_ok());
        assert!(CameraIdentity::expect_one_of(&[CameraIdentity::of(&mine)], &mine, place).is_ok());
        let other = CameraIdentity::of(&camera().resized(320, 240));
        let error = CameraIdentity::expect_one_of(std::slice::from_ref(&other), &mine, place).unwrap_err();
        assert!(error.to_string().contains(other.short()) && error.to_string().contains("drive.mcap"), "{error}");
        assert!(error.hint().is_some());
    }
}
