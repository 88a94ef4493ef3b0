//! HTTP: the page, its streams, its numbers.
//!
//! | address | what |
//! |---|---|
//! | `/` | the page |
//! | `/stream/overlay`, `/stream/mask`, `/stream/camera` | Motion-JPEG, for any viewer |
//! | `/status.json`, `/about.json` | how the run goes; what runs |
//! | `/metrics` | Prometheus (OpenMetrics text) |
//! | `/healthz` | 200 while masks are made, 503 otherwise |

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;

use super::access::{Access, COOKIE_NAME, Verdict};
use super::status::State as CameraState;
use super::views::View;
use super::{Listening, Shared};

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
/// What stands between two pictures of a stream.
const BOUNDARY: &str = "parallax-frame";

/// Serves until `stopped`; open streams end then.
pub(super) fn serve(
    runtime: &Runtime,
    http: Option<Listening>,
    shared: &Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let shared = Arc::clone(shared);
    runtime.block_on(async move {
        if let Some((listener, access, _)) = http {
            let serving = async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router(shared, access)).await
            };
            tokio::spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!("the preview page has ended: {error}");
                }
            });
        }
        // Ends with an error when nobody can say stop any more.
        let _stop = stopped.wait_for(|stop| *stop).await;
    });
}

fn router(shared: Arc<Shared>, access: Access) -> Router {
    Router::new()
        .route("/", get(|| async { text("text/html; charset=utf-8", PAGE) }))
        .route("/page.js", get(|| async { text("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/stream/{view}", get(stream))
        .route("/status.json", get(status))
        .route("/about.json", get(about))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .with_state(shared)
        .layer(from_fn_with_state(access, judge))
}

/// Lets in who may see this, and says to browsers what a page from here may do.
async fn judge(State(access): State<Access>, request: Request, next: Next) -> Response {
    let mut response = match access.judge(request.uri(), request.headers()) {
        Verdict::Welcome => next.run(request).await,
        Verdict::WelcomeWithCookie(token) => {
            let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict");
            let is_page = request.uri().path() == "/";
            let mut response = if is_page {
                // Without the token in the address, which browsers remember.
                (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()
            } else {
                next.run(request).await
            };
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
            response
        }
        Verdict::Refused => (StatusCode::UNAUTHORIZED, "this needs its token: ?token=TOKEN\n").into_response(),
    };
    let headers: [(HeaderName, &'static str); 3] = [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// Motion-JPEG. The boundary follows each picture at once: browsers show a picture when they see the next boundary.
async fn stream(State(shared): State<Arc<Shared>>, Path(view): Path<String>) -> Response {
    let Some(view) = View::named(&view) else {
        return (StatusCode::NOT_FOUND, "there are overlay, mask and camera\n").into_response();
    };
    let pictures = WatchStream::new(shared.views.look(view)).filter_map(|jpeg| jpeg);
    let parts = pictures.map(|jpeg| {
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        let part = [head.as_bytes(), &jpeg, format!("\r\n--{BOUNDARY}\r\n").as_bytes()].concat();
        Ok::<_, std::convert::Infallible>(Bytes::from(part))
    });
    let opening = tokio_stream::once(Ok(Bytes::from(format!("--{BOUNDARY}\r\n"))));
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    ([(CONTENT_TYPE, kind)], Body::from_stream(opening.chain(parts))).into_response()
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    json(shared.board.read().1)
}

async fn about(State(shared): State<Arc<Shared>>) -> Response {
    json(serde_json::to_vec(shared.board.about()))
}

fn json(text: serde_json::Result<Vec<u8>>) -> Response {
    match text {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    match shared.metrics.text() {
        Ok(text) => {
            ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    match shared.board.read().0 {
        CameraState::Streaming => (StatusCode::OK, "streaming\n").into_response(),
        CameraState::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response(),
        CameraState::Lost => (StatusCode::SERVICE_UNAVAILABLE, "lost\n").into_response(),
    }
}
