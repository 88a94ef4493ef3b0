//! Live views, where this program was built with them.

use parallax_core::bundle::Bundle;
use parallax_edge::drive::FrameLine;
use parallax_edge::publish::Outlet;
use parallax_edge::publish::handover::Full;
use parallax_edge::publish::mask_log::MaskLog;
use parallax_edge::settings::Run;

/// Preview page, metrics and Foxglove view, as far as they were asked for.
pub(super) struct Views {
    #[cfg(feature = "live")]
    live: Option<parallax_edge::publish::live::Live>,
}

#[cfg(feature = "live")]
impl Views {
    pub(super) fn start(run: &Run, bundle: &Bundle, full: Full, log: Option<&MaskLog>) -> anyhow::Result<Self> {
        use parallax_edge::publish::live::{Live, LiveConfig};

        if run.http.is_none() && run.foxglove.is_none() {
            return Ok(Self { live: None });
        }
        let config = LiveConfig {
            http: run.http.clone(),
            foxglove: run.foxglove,
            origins: run.origins.clone(),
            classes: bundle.manifest().classes.clone(),
            bundle: bundle.manifest().name.clone(),
            live: full == Full::DropOldest,
            log: log.map(|log| std::sync::Arc::clone(&log.outlet().handover)),
        };
        let live = Live::start(config)?;
        for address in live.addresses() {
            tracing::info!("serving {address}");
        }
        Ok(Self { live: Some(live) })
    }

    pub(super) fn outlet(&self) -> Option<Outlet> {
        self.live.as_ref().map(|live| live.outlet().clone())
    }

    pub(super) fn observe(&self, line: &FrameLine) {
        if let Some(live) = &self.live {
            live.observe(line);
        }
    }

    pub(super) fn finish(self) {
        if let Some(live) = self.live {
            live.finish();
        }
    }
}

#[cfg(not(feature = "live"))]
#[expect(clippy::unused_self, reason = "the same form as with live views")]
impl Views {
    pub(super) fn start(run: &Run, _bundle: &Bundle, _full: Full, _log: Option<&MaskLog>) -> anyhow::Result<Self> {
        if run.http.is_none() && run.foxglove.is_none() {
            return Ok(Self {});
        }
        Err(parallax_edge::EdgeError::Settings {
            what: "this program was built without live views: no page, no metrics, no Foxglove".to_owned(),
            path: None,
            hint: "build it with its default features (`cargo build --release -p parallax-edge`), or use --out and --log",
        }
        .into())
    }

    pub(super) fn outlet(&self) -> Option<Outlet> {
        None
    }

    pub(super) fn observe(&self, _line: &FrameLine) {}

    pub(super) fn finish(self) {}
}
