//! Foxglove's live view: the channels of a recording and of a mask log, over the WebSocket of Foxglove's SDK.
//!
//! | topic | message |
//! |---|---|
//! | `/camera/left/image` | `foxglove.CompressedImage`, JPEG |
//! | `/parallax/overlay` | `foxglove.CompressedImage`, JPEG |
//! | `/parallax/mask` | `foxglove.CompressedImage`, PNG with class ids |
//! | `/parallax/frame` | JSON, a line of `frames.jsonl` |
//!
//! That the camera is lost is a status of the connection, until frames come again. Messages are made only for channels
//! that somebody subscribes to; a client that is slow loses the oldest ones.
//!
//! | file | what it does |
//! |---|---|
//! | `door` | who may connect, and what a client may cost |
//! | `frames` | how much a client may say at once |

mod door;
mod frames;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foxglove::messages::CompressedImage;
use foxglove::websocket::Status;
use foxglove::{
    ChannelBuilder, Context, Encode as _, FoxgloveError, PartialMetadata, RawChannel, Schema, WebSocketServerHandle,
};
use parallax_core::labels::Classes;

use super::views::View;
use crate::drive::FrameLine;
use crate::publish::Published;
use crate::publish::log_clock::live_time;
use crate::publish::mask_log::{FRAME_SCHEMA, FRAME_TOPIC, MASK_TOPIC, mask_message, picture_message};
use door::Origins;

/// Messages that wait for a slow client: half a second of two channels.
const BACKLOG: usize = 32;
/// The name of the status that says that the camera is lost.
const LOST: &str = "camera";

/// The server and its channels.
#[derive(Debug)]
pub(super) struct Foxglove {
    server: WebSocketServerHandle,
    /// Channels end with it.
    _context: Arc<Context>,
    address: SocketAddr,
    live: bool,
    lost: AtomicBool,
    camera: Arc<RawChannel>,
    overlay: Arc<RawChannel>,
    mask: Arc<RawChannel>,
    frame: Arc<RawChannel>,
}

/// Pictures of a frame that were encoded for somebody.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) camera: Option<Vec<u8>>,
    pub(super) overlay: Option<Vec<u8>>,
}

impl Foxglove {
    /// Starts the server in the runtime that this runs in. Pages of `origins` may connect beside Foxglove's own.
    pub(super) async fn start(address: SocketAddr, origins: &[String], live: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let context = Context::new();
        let pictures = |topic: &str| {
            let channel = ChannelBuilder::new(topic).context(&context).schema(CompressedImage::get_schema());
            channel.message_encoding(CompressedImage::get_message_encoding()).build_raw().map_err(failed)
        };
        let schema = Schema::new("parallax.Frame", "jsonschema", FRAME_SCHEMA.as_bytes());
        let frame = ChannelBuilder::new(FRAME_TOPIC).context(&context).schema(schema).message_encoding("json");
        let (camera, overlay) = (pictures("/camera/left/image")?, pictures("/parallax/overlay")?);
        let (mask, frame) = (pictures(MASK_TOPIC)?, frame.build_raw().map_err(failed)?);
        let server = context.websocket_server().name(concat!("parallax-edge ", env!("CARGO_PKG_VERSION")));
        let hidden = door::hidden_address();
        let server = server.message_backlog_size(BACKLOG).bind(hidden.to_string(), 0);
        let server = server.start().await.map_err(failed)?;
        let (behind, origins) = (SocketAddr::new(hidden.into(), server.port()), Origins::new(origins));
        tokio::spawn(async move {
            if let Err(error) = door::serve(listener, behind, origins).await {
                tracing::error!("Foxglove's live view has ended: {error}");
            }
        });
        Ok(Self {
            server,
            _context: context,
            address,
            live,
            lost: AtomicBool::new(false),
            camera,
            overlay,
            mask,
            frame,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn channel(&self, view: View) -> &RawChannel {
        match view {
            View::Camera => &self.camera,
            View::Overlay => &self.overlay,
            View::Mask => &self.mask,
        }
    }

    /// Whether somebody has subscribed to a view.
    pub(super) fn wants(&self, view: View) -> bool {
        self.channel(view).has_sinks()
    }

    /// Whether somebody needs the camera's pictures.
    pub(super) fn wants_pictures(&self) -> bool {
        self.wants(View::Camera) || self.wants(View::Overlay)
    }

    /// Sends a frame to those who have subscribed.
    pub(super) fn show(&self, frame: &Published, scene: &Scene, classes: &Classes) {
        if self.lost.swap(false, Ordering::Relaxed) {
            self.server.remove_status(vec![LOST.to_owned()]);
        }
        let time = live_time(frame.line.timestamp_ns, self.live);
        for (view, jpeg) in [(View::Camera, &scene.camera), (View::Overlay, &scene.overlay)] {
            if let Some(jpeg) = jpeg.as_ref().filter(|_| self.wants(view)) {
                send(self.channel(view), picture_message(jpeg.clone(), "jpeg", time), time);
            }
        }
        if self.wants(View::Mask) {
            send(&self.mask, mask_message(&frame.mask, classes, time), time);
        }
        self.send_line(&frame.line, time);
    }

    /// Tells of a loss.
    pub(super) fn lose(&self, line: &FrameLine) {
        let why = line.error.as_deref().unwrap_or("no frame");
        self.server.publish_status(Status::error(format!("no masks: {why}")).with_id(LOST));
        self.lost.store(true, Ordering::Relaxed);
        self.send_line(line, live_time(line.timestamp_ns, self.live));
    }

    fn send_line(&self, line: &FrameLine, time: u64) {
        if self.frame.has_sinks() {
            send(&self.frame, serde_json::to_vec(line).map_err(std::io::Error::from), time);
        }
    }
}

/// What the system said, where it said something.
fn failed(error: FoxgloveError) -> std::io::Error {
    match error {
        FoxgloveError::IoError(error) | FoxgloveError::Bind(error) => error,
        other => std::io::Error::other(other),
    }
}

fn send(channel: &RawChannel, message: std::io::Result<Vec<u8>>, time: u64) {
    match message {
        Ok(bytes) => channel.log_with_meta(&bytes, PartialMetadata { log_time: Some(time) }),
        Err(error) => tracing::debug!("a message for Foxglove cannot be made: {error}"),
    }
}
