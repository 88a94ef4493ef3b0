//! The parts of an `http:` address.

use crate::{Error, Result};

/// The parts of an `http:` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host and port, as for a connection.
    pub(super) host: String,
    /// As in the request's `Host` line.
    pub(super) authority: String,
    pub(super) path: String,
}

impl Address {
    /// Takes an address apart.
    ///
    /// # Errors
    /// It is none, or asks for a password.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let refuse = |what: &str, hint| Error::Uri { what: what.to_owned(), uri: url.to_owned(), hint };
        let form = "an address is http://HOST:PORT/PATH";
        let rest = url.strip_prefix("http://").ok_or_else(|| refuse("expected http://", form))?;
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        if authority.contains('@') {
            let hint = "let curl fetch it: \"cmd:curl -sN -u USER:PASSWORD http://…\"";
            return Err(refuse("passwords are not sent from here", hint));
        }
        if authority.is_empty() || url.contains(|c: char| c.is_ascii_control() || c == ' ') {
            return Err(refuse("expected a host and no spaces", form));
        }
        // The colons of an IPv6 address are in brackets.
        let has_port = authority.rfind(':').is_some_and(|colon| !authority[colon..].contains(']'));
        let host = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host, authority: authority.to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_apart() {
        for (url, host, path) in [
            ("http://cam", "cam:80", "/"),
            ("http://cam:8080/a?b=c", "cam:8080", "/a?b=c"),
            ("http://cam?action=stream", "cam:80", "/?action=stream"),
            ("http://[::1]/x", "[::1]:80", "/x"),
            ("http://[::1]:81/x", "[::1]:81", "/x"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.host.as_str(), address.path.as_str()), (host, path));
        }
        for url in ["http:cam", "http:///x", "http://a b/", "http://user:word@cam/"] {
            assert!(Address::parse(url).unwrap_err().hint().is_some(), "{url}");
        }
    }
}
