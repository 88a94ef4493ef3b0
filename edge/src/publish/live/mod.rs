//! Live views: a preview page with MJPEG streams, Prometheus metrics, and Foxglove.
//!
//! ```text
//! loop ─▶ handover (1 place) ─▶ [views]: JPEGs of what somebody looks at ─▶ watch ─▶ [server]: page, streams
//!                                └──────────────────────────────────────▶ [foxglove]
//! loop's lines ─▶ [metrics], [status] ─▶ [server]: /metrics, /status.json
//! ```
//! | module | what it does |
//! |---|---|
//! | `views` | pictures for people, encoded in a thread of their own, only while somebody looks |
//! | `status` | how the run goes, as JSON for the page |
//! | `metrics` | the same as numbers for Prometheus |
//! | `server` | HTTP |
//! | `foxglove` | Foxglove's WebSocket |
//!
//! Two threads, whatever the number of visitors: one encodes, one serves.

mod foxglove;
mod metrics;
mod server;
mod status;
mod views;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use parallax_camera::preview::{Door, Visitors};
use parallax_core::labels::Classes;
use tokio::sync::watch;

use super::handover::{Full, Handover};
use super::{News, Outlet};
use crate::drive::FrameLine;
use crate::{EdgeError, Result};
use foxglove::Foxglove;
use metrics::Metrics;
use status::Board;
use views::Views;

/// What is served, and where.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// Address of the page, and the token that visitors need.
    pub http: Option<Visitors>,
    /// Address for Foxglove.
    pub foxglove: Option<SocketAddr>,
    /// Whose pages may connect there, beside Foxglove's own.
    pub origins: Vec<String>,
    /// The classes of the masks.
    pub classes: Classes,
    /// The name of the bundle.
    pub bundle: String,
    /// Whether the source is live: its stamps are on the clock of drivers.
    pub live: bool,
    /// The mask log's side of the loop, whose misses are counted.
    pub log: Option<Arc<Handover<News>>>,
}

/// What all parts share.
#[derive(Debug)]
struct Shared {
    metrics: Metrics,
    board: Board,
    views: Views,
}

/// The live views with their threads.
#[derive(Debug)]
pub struct Live {
    outlet: Outlet,
    shared: Arc<Shared>,
    addresses: Vec<String>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Live {
    /// Takes the addresses and starts the threads.
    ///
    /// # Errors
    /// [`EdgeError::Serve`] for an address that is taken or not this machine's.
    pub fn start(config: LiveConfig) -> Result<Self> {
        let handover = Arc::new(Handover::new(1));
        let outlet = Outlet {
            handover: Arc::clone(&handover),
            full: Full::DropOldest,
            wants_pictures: Arc::new(AtomicBool::new(false)),
        };
        let metrics = Metrics::new(Arc::clone(&handover), config.log.clone());
        let board = Board::new(&config.bundle, &config.classes);
        let shared = Arc::new(Shared { metrics, board, views: Views::default() });
        let door = config.http.as_ref().map(|visitors| {
            Door::open(visitors).map_err(serve_error("the preview page", &visitors.address.to_string()))
        });
        let door = door.transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(serve_error("live views", "this machine"))?;
        let foxglove = config.foxglove.map(|address| {
            let started = runtime.block_on(Foxglove::start(address, &config.origins, config.live));
            started.map_err(serve_error("Foxglove", &address.to_string()))
        });
        let foxglove = foxglove.transpose()?;
        let mut addresses: Vec<String> =
            foxglove.iter().map(|foxglove| format!("ws://{}", foxglove.address())).collect();
        addresses.extend(door.iter().map(|door| format!("http://{}/", door.address())));

        let (stop, stopped) = watch::channel(false);
        let (serving, encoding) = (Arc::clone(&shared), Arc::clone(&shared));
        let wants = Arc::clone(&outlet.wants_pictures);
        let classes = config.classes;
        let threads = vec![
            spawn("live views", move || {
                views::encode(&handover, &wants, &encoding.views, foxglove.as_ref(), &classes);
            })?,
            spawn("http", move || server::serve(&runtime, door, &serving, stopped))?,
        ];
        Ok(Self { outlet, shared, addresses, stop, threads })
    }

    /// Its side of the loop.
    pub fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Where it can be seen.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Counts a line of the loop; takes no memory for a frame that went well.
    pub fn observe(&self, line: &FrameLine) {
        self.shared.metrics.observe(line);
        self.shared.board.observe(line);
    }

    /// Ends; visitors see the connection close.
    pub fn finish(self) {
        self.outlet.handover.close();
        // Fails only when the thread has ended already.
        let _ended = self.stop.send(true);
        for thread in self.threads {
            // A panic of a thread was told on stderr by its own hook.
            let _ended = thread.join();
        }
    }
}

fn serve_error(what: &'static str, address: &str) -> impl FnOnce(std::io::Error) -> EdgeError {
    let address = address.to_owned();
    move |source| EdgeError::Serve { what, source, address }
}

fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(serve_error("live views", "this machine"))
}
