//! What a pixel can be of.

use serde::{Deserialize, Serialize};

/// A class of things; the number is both the value in a label picture and the dense index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Class {
    /// What the robot drives on: asphalt, slabs, setts, gravel or trodden earth.
    Path = 0,
    /// What cars drive on.
    Road = 1,
    /// Lawn, meadow and the bare patches in it.
    Grass = 2,
    /// Trees, bushes and hedges.
    Vegetation = 3,
    /// Houses, sheds and garden walls.
    Building = 4,
    /// Fences of boards, pickets and rails.
    Fence = 5,
    /// Lamp posts, signs, bollards, masts.
    Pole = 6,
    /// Cars and vans, parked or moving.
    Vehicle = 7,
    /// People, standing or walking.
    Person = 8,
    /// Everything above the horizon that is none of the others.
    Sky = 9,
}

impl Class {
    /// Every class, in the order of its index.
    pub const ALL: [Self; 10] = [
        Self::Path,
        Self::Road,
        Self::Grass,
        Self::Vegetation,
        Self::Building,
        Self::Fence,
        Self::Pole,
        Self::Vehicle,
        Self::Person,
        Self::Sky,
    ];

    /// The class's index.
    pub const fn index(self) -> u8 {
        self as u8
    }

    /// Lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Road => "road",
            Self::Grass => "grass",
            Self::Vegetation => "vegetation",
            Self::Building => "building",
            Self::Fence => "fence",
            Self::Pole => "pole",
            Self::Vehicle => "vehicle",
            Self::Person => "person",
            Self::Sky => "sky",
        }
    }

    /// Colour in which masks show the class.
    pub const fn color(self) -> [u8; 3] {
        match self {
            Self::Path => [230, 150, 90],
            Self::Road => [128, 64, 128],
            Self::Grass => [152, 220, 120],
            Self::Vegetation => [50, 120, 40],
            Self::Building => [110, 110, 120],
            Self::Fence => [190, 120, 150],
            Self::Pole => [250, 220, 30],
            Self::Vehicle => [20, 40, 170],
            Self::Person => [220, 20, 60],
            Self::Sky => [120, 180, 230],
        }
    }
}
