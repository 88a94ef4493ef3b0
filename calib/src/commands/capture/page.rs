//! The page, where this program was built with it.

use crate::cli::CaptureArgs;
use parallax_calib::Error;
use parallax_calib::capture::{Capture, Status};
use parallax_camera::Shot;
use parallax_camera::preview::{Visitors, visitors};

/// Whom to serve, checked before the camera is opened.
pub(super) fn asked_for(args: &CaptureArgs) -> Result<Option<Visitors>, Error> {
    let visitors = visitors(args.http, args.token_file.as_deref())?;
    if visitors.is_some() && !cfg!(feature = "live") {
        return Err(Error::Capture {
            what: "this program was built without the page".to_owned(),
            hint: "build it with its default features (`cargo build --release -p parallax-calib`), or leave out --http"
                .to_owned(),
        });
    }
    Ok(visitors)
}

/// The page, if it was asked for.
pub(super) struct Page {
    #[cfg(feature = "live")]
    page: Option<parallax_calib::capture::page::Page>,
}

#[cfg(feature = "live")]
impl Page {
    pub(super) fn start(visitors: Option<&Visitors>) -> Result<Self, Error> {
        let page = visitors.map(parallax_calib::capture::page::Page::open).transpose()?;
        if let Some(page) = &page {
            tracing::info!("serving http://{}/", page.address());
        }
        Ok(Self { page })
    }

    pub(super) fn show(&self, capture: &Capture, status: &Status, shot: &Shot) {
        if let Some(page) = &self.page {
            page.show(capture, status, shot);
        }
    }

    pub(super) fn lose(&self, what: &str) {
        if let Some(page) = &self.page {
            page.lose(what);
        }
    }

    pub(super) fn finish(self) {
        if let Some(page) = self.page {
            page.finish();
        }
    }
}

#[cfg(not(feature = "live"))]
#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same form as with the page")]
impl Page {
    pub(super) fn start(_visitors: Option<&Visitors>) -> Result<Self, Error> {
        Ok(Self {})
    }

    pub(super) fn show(&self, _capture: &Capture, _status: &Status, _shot: &Shot) {}

    pub(super) fn lose(&self, _what: &str) {}

    pub(super) fn finish(self) {}
}
