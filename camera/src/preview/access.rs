//! Who may see the live views: everybody on this machine, others with the token.
//!
//! The token comes as `Authorization: Bearer TOKEN`, as `?token=TOKEN`, or in the cookie that a visit with `?token=` sets.
//! It is compared by its hash in constant time, so that neither its length nor its first characters can be found out by
//! measuring. Without a token the `Host` must be a name of this machine: otherwise any page in a browser here could read
//! the views under a name that it has resolve to 127.0.0.1 (DNS rebinding).

use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use axum::http::{HeaderMap, Uri};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Name of the cookie.
pub(super) const COOKIE_NAME: &str = "parallax_token";

/// What a visitor needs.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// To be on this machine, which the listener's address sees to.
    ThisMachine,
    /// The token with this SHA-256.
    Token([u8; 32]),
}

/// What a visitor gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What was asked for.
    Welcome,
    /// The same without the token in the address, and the cookie.
    WelcomeWithCookie(String),
    /// Nothing.
    Refused,
    /// Nothing, and not at once.
    WrongToken,
}

impl Access {
    pub(super) fn new(token: Option<&str>) -> Self {
        token.map_or(Self::ThisMachine, |token| Self::Token(Sha256::digest(token).into()))
    }

    /// Whether everybody on this machine comes in.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::ThisMachine)
    }

    /// Judges a request.
    pub(super) fn judge(&self, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let Self::Token(expected) = self else {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            return if is_this_machine(host) { Verdict::Welcome } else { Verdict::Refused };
        };
        let is_token = |given: &str| bool::from(Sha256::digest(given).as_slice().ct_eq(expected));
        let header = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let bearer = header(AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
        let cookies = header(COOKIE).flat_map(|value| value.split("; ")).filter_map(|pair| pair.split_once('='));
        let cookies = cookies.filter_map(|(name, value)| (name == COOKIE_NAME).then_some(value));
        let mut is_tried = false;
        if bearer.chain(cookies).inspect(|_| is_tried = true).any(is_token) {
            return Verdict::Welcome;
        }
        let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let asked = pairs.filter_map(|(name, value)| (name == "token").then_some(value));
        match asked.inspect(|_| is_tried = true).find(|token| is_token(token)) {
            Some(token) => Verdict::WelcomeWithCookie(token.to_owned()),
            None if is_tried => Verdict::WrongToken,
            None => Verdict::Refused,
        }
    }
}

/// Whether a `Host` names this machine: a loopback address or `localhost`, with any port.
pub fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdefghij";

    fn judge(access: &Access, uri: &str, headers: &[(&str, &str)]) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        access.judge(&uri.parse().unwrap(), &map)
    }

    #[test]
    fn only_the_whole_token_opens() {
        let access = Access::new(Some(TOKEN));
        let bearer = format!("Bearer {TOKEN}");
        assert_eq!(judge(&access, "/metrics", &[("authorization", &bearer)]), Verdict::Welcome);
        let cookie = format!("other=1; {COOKIE_NAME}={TOKEN}");
        assert_eq!(judge(&access, "/", &[("cookie", &cookie)]), Verdict::Welcome);
        let asked = format!("/?view=mask&token={TOKEN}");
        assert_eq!(judge(&access, &asked, &[]), Verdict::WelcomeWithCookie(TOKEN.into()));
        for (uri, headers) in [
            ("/?token=", vec![]),
            ("/?token=0123456789abcdefghi", vec![]),
            ("/?token=0123456789abcdefghij0", vec![]),
            ("/?token=0123456789ABCDEFGHIJ", vec![]),
            ("/", vec![("authorization", "Bearer "), ("host", "localhost")]),
            ("/", vec![("cookie", "parallax_token=0123456789abcdefghi")]),
        ] {
            assert_eq!(judge(&access, uri, &headers), Verdict::WrongToken, "{uri} {headers:?}");
        }
        for (uri, headers) in
            [("/", vec![]), ("/?tokens=0123456789abcdefghij", vec![]), ("/", vec![("authorization", TOKEN)])]
        {
            assert_eq!(judge(&access, uri, &headers), Verdict::Refused, "no token: {uri} {headers:?}");
        }
    }

    #[test]
    fn without_a_token_only_names_of_this_machine_open() {
        let access = Access::new(None);
        for host in ["localhost:8080", "LOCALHOST", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080"] {
            assert_eq!(judge(&access, "/", &[("host", host)]), Verdict::Welcome, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1:8080", "127.0.0.1.evil.example", ""] {
            assert_eq!(judge(&access, "/", &[("host", host)]), Verdict::Refused, "{host}");
        }
        assert_eq!(judge(&access, "/", &[]), Verdict::Refused);
    }
}
