//! The door of a page: who comes in and for how long, who gets an answer, and what a page from here may do.
//!
//! | | at most |
//! |---|---|
//! | connections | 64; who comes then waits until one ends |
//! | the head of a request, and the pause before the next one | 10 s, 16 KiB |
//! | a visitor that does not read | 30 s |
//! | tries of a token | 2 a second on each connection |

use super::Visitors;
use super::access::{Access, COOKIE_NAME, Verdict};
use super::listener::{Listener, Visit};
use super::patient::Patient;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// How long an answer to a wrong token takes, so that nobody tries out many.
const WRONG_TOKEN: Duration = Duration::from_millis(500);

/// What visitors may cost.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections at once: fewer than half of the descriptors that a program has by default, whatever else is served.
    connections: usize,
    /// For the head of a request, from the connection or the last answer on. A page here asks twice a second, a scraper
    /// that comes less often connects again.
    head: Duration,
    /// Bytes of that head, and of what is read or written at once.
    head_bytes: usize,
    /// For a visitor that does not read.
    reader: Duration,
}

const LIMITS: Limits =
    Limits { connections: 64, head: Duration::from_secs(10), head_bytes: 16 * 1024, reader: Duration::from_secs(30) };

/// A listener, and who may see what it serves.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
    limits: Limits,
}

impl Door {
    /// Takes the address.
    ///
    /// # Errors
    /// It is taken or not this machine's.
    pub fn open(visitors: &Visitors) -> io::Result<Self> {
        let listener = TcpListener::bind(visitors.address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, access: Access::new(visitors.token.as_deref()), limits: LIMITS })
    }

    /// The address with the port that it really has.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves; ends only with an error, or when it is dropped.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(self, router: Router) -> io::Result<()> {
        let Limits { connections, head, head_bytes, reader } = self.limits;
        let listener = Listener::new(self.listener, connections)?;
        let service = TowerToHyperService::new(router.layer(from_fn_with_state(self.access, judge)));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(head_bytes);
        loop {
            let Visit { stream, place } = listener.next().await?;
            let connection = http.serve_connection(TokioIo::new(Patient::new(stream, reader)), service.clone());
            tokio::spawn(async move {
                // Visitors go as they please, and who is sent away for one of the limits knows it.
                let _ended = connection.await;
                drop(place);
            });
        }
    }
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
        verdict @ (Verdict::Refused | Verdict::WrongToken) => {
            if verdict == Verdict::WrongToken {
                tokio::time::sleep(WRONG_TOKEN).await;
            }
            let close = [(CONNECTION, "close")];
            (StatusCode::UNAUTHORIZED, close, "this needs its token: ?token=TOKEN\n").into_response()
        }
    };
    if access.is_open() {
        // Nor may a page from elsewhere show what any page in a browser here could ask for.
        let policy = HeaderName::from_static("cross-origin-resource-policy");
        response.headers_mut().insert(policy, HeaderValue::from_static("same-origin"));
    }
    let headers: [(HeaderName, &'static str); 4] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A part of a page, of this type.
pub fn text(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// JSON, or why there is none.
pub fn json<E: std::fmt::Display>(text: Result<Vec<u8>, E>) -> Response {
    match text {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
