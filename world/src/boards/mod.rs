//! Pictures of calibration boards by cameras that are known exactly.
//!
//! ```text
//! OUT/left/0000.png        what the (left) camera saw; right/ for a pair
//! OUT/camera.yaml          the true camera; camera_right.yaml
//! OUT/truth.json           the board, where it was in every view, and the true pixel of every corner in the picture
//! OUT/boards.toml          every setting these came from
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `lens`, `config` | what can be chosen |
//! | `scene`, `views` | the cameras and the board before them; where the board is held |
//! | `print` | what is printed where, looked up fast |
//! | `picture` | what a pixel sees: print, paper, light, blur, noise |
//! | `write` | the folder |

mod config;
mod lens;
mod picture;
mod print;
mod scene;
mod views;
mod write;

pub use config::BoardsConfig;
pub use lens::Lens;
pub use picture::PictureConfig;
pub use scene::{BoardScene, BoardView};
pub use views::scene;
pub use write::{WrittenBoards, write};
