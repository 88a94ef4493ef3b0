//! The newest picture of a view, for as many visitors as there are: a slow one misses pictures and holds nobody up.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;

/// Visitors of one view at most. With three views there are places left for who asks how things are.
const VISITORS: usize = 16;
/// What stands between two pictures of a stream.
const BOUNDARY: &str = "parallax-frame";

/// An encoded picture; none before the first one.
pub type Jpeg = Option<Arc<Vec<u8>>>;

/// The newest picture.
#[derive(Debug)]
pub struct Newest(watch::Sender<Jpeg>);

impl Default for Newest {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Newest {
    /// The pictures from now on, the newest first.
    pub fn look(&self) -> watch::Receiver<Jpeg> {
        self.0.subscribe()
    }

    /// Whether somebody looks: else nothing needs to be encoded.
    pub fn is_looked_at(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Shows a picture, a whole JPEG, to who looks now and to who comes later.
    pub fn show(&self, jpeg: Vec<u8>) {
        self.0.send_replace(Some(Arc::new(jpeg)));
    }

    /// Motion-JPEG, unless too many look already. The boundary follows each picture at once: browsers show a picture when they see the next boundary.
    pub fn stream(&self) -> Response {
        if self.0.receiver_count() >= VISITORS {
            return (StatusCode::SERVICE_UNAVAILABLE, "too many look at this view\n").into_response();
        }
        let pictures = WatchStream::new(self.look()).filter_map(|jpeg| jpeg);
        let parts = pictures.map(|jpeg| {
            let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
            let part = [head.as_bytes(), &jpeg, format!("\r\n--{BOUNDARY}\r\n").as_bytes()].concat();
            Ok::<_, std::convert::Infallible>(Bytes::from(part))
        });
        let opening = tokio_stream::once(Ok(Bytes::from(format!("--{BOUNDARY}\r\n"))));
        let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
        ([(CONTENT_TYPE, kind)], Body::from_stream(opening.chain(parts))).into_response()
    }
}
