//! The listener of a page, and what holds for every answer: who gets one, and what a page from here may do.

use super::Visitors;
use super::access::{Access, COOKIE_NAME, Verdict};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// A listener, and who may see what it serves.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
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
        Ok(Self { listener, address, access: Access::new(visitors.token.as_deref()) })
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
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        axum::serve(listener, router.layer(from_fn_with_state(self.access, judge))).await
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
