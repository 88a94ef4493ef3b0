//! The part of the picture that depth is scored on.
//!
//! Published numbers on KITTI leave the picture's rim out: lidar does not reach the sky, and the car's bonnet is in the way.
//! Two such crops are in use, named after the papers that brought them up; both are shares of the picture's size.

use serde::{Deserialize, Serialize};

/// A crop by the name it has in the literature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// The whole picture.
    #[default]
    None,
    /// Garg et al. 2016, the usual one for KITTI.
    Garg,
    /// Eigen et al. 2014, with more of the sky and less of the road.
    Eigen,
}

impl Crop {
    /// First and last share of the height, then of the width.
    ///
    /// References: Garg, Kumar, Carneiro, Reid, *Unsupervised CNN for Single View Depth Estimation*, ECCV 2016; Eigen, Puhrsch,
    /// Fergus, *Depth Map Prediction from a Single Image*, NeurIPS 2014; the shares are those that later work on KITTI uses.
    fn shares(self) -> [f64; 4] {
        match self {
            Self::None => [0.0, 1.0, 0.0, 1.0],
            Self::Garg => [0.408_108_11, 0.991_891_89, 0.035_947_71, 0.964_052_29],
            Self::Eigen => [0.332_432_4, 0.913_513_51, 0.035_947_71, 0.964_052_29],
        }
    }

    /// Rows and columns that count in a picture of a size; limits are rounded down.
    #[must_use]
    pub fn area(self, width: u32, height: u32) -> [std::ops::Range<u32>; 2] {
        let [top, bottom, left, right] = self.shares();
        let at = |share: f64, size: u32| (share * f64::from(size)) as u32;
        [at(top, height)..at(bottom, height), at(left, width)..at(right, width)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crops_of_a_kitti_picture_are_the_published_ones() {
        assert_eq!(Crop::Garg.area(1242, 375), [153..371, 44..1197]);
        assert_eq!(Crop::Eigen.area(1242, 375), [124..342, 44..1197]);
        assert_eq!(Crop::None.area(1242, 375), [0..375, 0..1242]);
    }
}
