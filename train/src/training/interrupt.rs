//! Ctrl-C and SIGTERM: the first asks the loop to save and stop, the second ends the program at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED_TO_STOP: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<()> = OnceLock::new();

/// Installs the handler; further calls do nothing.
pub fn install() {
    INSTALLED.get_or_init(|| {
        let installed = ctrlc::set_handler(|| {
            if ASKED_TO_STOP.swap(true, Ordering::SeqCst) {
                // 130 = 128 + SIGINT, what a shell reports for a program ended by Ctrl-C.
                std::process::exit(130);
            }
        });
        if let Err(error) = installed {
            tracing::warn!("Ctrl-C will not save the run: {error}");
        }
    });
}

/// Whether the user has asked to stop.
#[must_use]
pub fn asked_to_stop() -> bool {
    ASKED_TO_STOP.load(Ordering::SeqCst)
}
