//! The page, where this program was built with it.

use crate::cli::CaptureArgs;
use parallax_calib::capture::{Capture, Status};
use parallax_camera::Shot;

/// The page, if it was asked for.
pub(super) struct Page {}

#[expect(clippy::unused_self, reason = "the same form as with the page")]
impl Page {
    /// Checks what was asked for, before the camera is opened.
    pub(super) fn prepare(args: &CaptureArgs) -> anyhow::Result<Self> {
        if args.http.is_none() && args.token_file.is_none() {
            return Ok(Self {});
        }
        Err(parallax_calib::Error::Capture {
            what: "this program was built without the page".to_owned(),
            hint: "build it with `cargo build --release -p parallax-calib --features live`, or leave out --http"
                .to_owned(),
        }
        .into())
    }

    pub(super) fn start(self) -> anyhow::Result<Self> {
        Ok(self)
    }

    pub(super) fn show(&self, _capture: &Capture, _status: &Status, _shot: &Shot) {}

    pub(super) fn lose(&self, _what: &str) {}

    pub(super) fn finish(self) {}
}
