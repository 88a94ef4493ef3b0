//! HTTP: the page, its streams, its numbers.
//!
//! | address | what |
//! |---|---|
//! | `/` | the page |
//! | `/stream/overlay`, `/stream/mask`, `/stream/camera` | Motion-JPEG, for any viewer |
//! | `/status.json`, `/about.json` | how the run goes; what runs |
//! | `/metrics` | Prometheus (OpenMetrics text) |
//! | `/healthz` | 200 while young masks are made, 503 otherwise |

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parallax_camera::preview::{Door, json, text};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::Shared;
use super::status::State as CameraState;
use super::views::View;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// Serves until `stopped`; open streams end then.
pub(super) fn serve(runtime: &Runtime, door: Option<Door>, shared: &Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let shared = Arc::clone(shared);
    runtime.block_on(async move {
        if let Some(door) = door {
            tokio::spawn(async move {
                if let Err(error) = door.serve(router(shared)).await {
                    tracing::error!("the preview page has ended: {error}");
                }
            });
        }
        // Ends with an error when nobody can say stop any more.
        let _stop = stopped.wait_for(|stop| *stop).await;
    });
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(|| async { text("text/html; charset=utf-8", PAGE) }))
        .route("/page.js", get(|| async { text("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/stream/{view}", get(stream))
        .route("/status.json", get(status))
        .route("/about.json", get(about))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .with_state(shared)
}

async fn stream(State(shared): State<Arc<Shared>>, Path(view): Path<String>) -> Response {
    match View::named(&view) {
        Some(view) => shared.views.of(view).stream(),
        None => (StatusCode::NOT_FOUND, "there are overlay, mask and camera\n").into_response(),
    }
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    json(shared.board.read().1)
}

async fn about(State(shared): State<Arc<Shared>>) -> Response {
    json(serde_json::to_vec(shared.board.about()))
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
        CameraState::NotFinite => {
            (StatusCode::SERVICE_UNAVAILABLE, "not finite: the network gives no numbers\n").into_response()
        }
        CameraState::Stale => (StatusCode::SERVICE_UNAVAILABLE, "stale\n").into_response(),
        CameraState::Lost => (StatusCode::SERVICE_UNAVAILABLE, "lost\n").into_response(),
    }
}
