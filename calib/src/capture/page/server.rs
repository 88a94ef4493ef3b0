//! The thread that serves the page, and what it shows.

use super::drawing;
use crate::capture::gate::Decision;
use crate::capture::{Capture, Status};
use crate::{Error, Result};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use parallax_camera::Shot;
use parallax_camera::preview::{Door, Newest, Visitors, json, text};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
/// For the eye; half the bytes of 90.
const QUALITY: u8 = 75;

/// What visitors see.
#[derive(Debug, Default)]
struct Shared {
    picture: Newest,
    status: Mutex<Value>,
}

/// A page that is served.
#[derive(Debug)]
pub struct Page {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Page {
    /// Takes the address and starts the thread.
    ///
    /// # Errors
    /// [`Error::Capture`] for an address that is taken or not this machine's.
    pub fn open(visitors: &Visitors) -> Result<Self> {
        let refuse = |error: std::io::Error| {
            Error::capture(
                format!("cannot serve a page at {}: {error}", visitors.address),
                "another program may have that port: choose one with --http ADDRESS:PORT",
            )
        };
        let door = Door::open(visitors).map_err(refuse)?;
        let address = door.address();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refuse)?;
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let serve = move || {
            runtime.block_on(async move {
                tokio::spawn(async move {
                    if let Err(error) = door.serve(router(served)).await {
                        tracing::error!("the page has ended: {error}");
                    }
                });
                // Ends with an error when nobody can say stop any more.
                let _stop = stopped.await;
            });
        };
        let thread = std::thread::Builder::new().name("page".into()).spawn(serve).map_err(refuse)?;
        Ok(Self { shared, address, stop, thread })
    }

    /// Where it is, with the port that it really has.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows what was decided about a shot.
    pub fn show(&self, capture: &Capture, status: &Status, shot: &Shot) {
        self.tell(serde_json::to_value(status).unwrap_or_default());
        if let Some(decision) = capture.last.as_ref().filter(|_| self.shared.picture.is_looked_at()) {
            self.picture(status, decision, shot);
        }
    }

    fn picture(&self, status: &Status, decision: &Decision, shot: &Shot) {
        let Ok(left) = shot.left.to_rgb() else { return };
        let right = shot.right.as_ref().and_then(|right| right.to_rgb().ok());
        self.encode(&drawing::scene(left, right, status, decision));
    }

    /// Says that the camera is lost, in place of what was seen before.
    pub fn lose(&self, what: &str) {
        let mut status = self.status().clone();
        status["lost"] = Value::from(what);
        self.tell(status);
        if self.shared.picture.is_looked_at() {
            self.encode(&drawing::lost(what));
        }
    }

    fn encode(&self, picture: &RgbImage) {
        let mut jpeg = Vec::new();
        match JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(picture) {
            Ok(()) => self.shared.picture.show(jpeg),
            Err(error) => tracing::debug!("a picture of the page cannot be encoded: {error}"),
        }
    }

    fn tell(&self, status: Value) {
        // Replaced as a whole, whatever a panicking thread was doing.
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    fn status(&self) -> Value {
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends; visitors see the connection close.
    pub fn finish(self) {
        // Both fail only when the thread has ended already; a panic of it was told on stderr by its own hook.
        let _ended = self.stop.send(());
        let _ended = self.thread.join();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(|| async { text("text/html; charset=utf-8", PAGE) }))
        .route("/page.js", get(|| async { text("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/stream", get(stream))
        .route("/status.json", get(status))
        .with_state(shared)
}

async fn stream(State(shared): State<Arc<Shared>>) -> Response {
    shared.picture.stream()
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    json(serde_json::to_vec(&*shared.status.lock().unwrap_or_else(PoisonError::into_inner)))
}
