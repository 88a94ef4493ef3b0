//! Which address may be served: one of this machine, or any with a token.

use crate::{Error, Result};
use parallax_core::files::read_text;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The shortest token: 16 characters of 6 bits cannot be tried out over a network.
const LEAST: usize = 16;
const RECIPE: &str = "make one with `head -c 24 /dev/urandom | base64 | tr +/ -_ > token` and give --token-file token, or bind to 127.0.0.1";

/// An address to serve, and the token that visitors need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitors {
    /// Where.
    pub address: SocketAddr,
    /// None where only this machine comes.
    pub token: Option<String>,
}

/// Reads the token; an address that others reach needs one. None without an address.
///
/// # Errors
/// [`Error::Preview`] for an address that others reach without a token, a token without an address, and a token that is
/// too short or cannot stand in an address; or the file cannot be read.
pub fn visitors(address: Option<SocketAddr>, token_file: Option<&Path>) -> Result<Option<Visitors>> {
    let refuse = |what: String, hint| Err(Error::Preview { what, hint });
    let Some(address) = address else {
        return match token_file {
            None => Ok(None),
            Some(_) => refuse("a token without --http protects nothing".to_owned(), "add --http ADDRESS:PORT"),
        };
    };
    let token = token_file.map(read_token).transpose()?;
    if token.is_none() && !address.ip().is_loopback() {
        return refuse(format!("others can reach {address}: expected a token file"), RECIPE);
    }
    Ok(Some(Visitors { address, token }))
}

fn read_token(path: &Path) -> Result<String> {
    let token = read_text(path).map_err(Error::Open)?.trim().to_owned();
    // As they are in an address.
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if token.len() < LEAST || !token.bytes().all(is_good) {
        let path: PathBuf = path.to_path_buf();
        let what =
            format!("expected a token of {LEAST} or more letters, digits, `-`, `.`, `_`, `~`: {}", path.display());
        return Err(Error::Preview { what, hint: RECIPE });
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_need_a_token_that_is_long_and_clean() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let asked = |address: &str, token: Option<&str>| {
            if let Some(token) = token {
                std::fs::write(&file, token).unwrap();
            }
            visitors(Some(address.parse().unwrap()), token.map(|_| file.as_path()))
        };
        let token = "0123456789-_.~abX";
        let found = asked("0.0.0.0:80", Some(&format!("{token}\n"))).unwrap().unwrap();
        assert_eq!(found.token.as_deref(), Some(token));
        assert_eq!(asked("127.0.0.1:80", None).unwrap().unwrap().token, None);
        assert_eq!(asked("[::1]:80", None).unwrap().unwrap().token, None);
        for (address, token) in
            [("0.0.0.0:80", None), ("10.0.0.1:80", None), ("0.0.0.0:80", Some("short")), ("127.0.0.1:80", Some(""))]
        {
            assert!(asked(address, token).unwrap_err().hint().unwrap().contains("urandom"), "{address} {token:?}");
        }
        assert!(asked("127.0.0.1:80", Some("with a blank in its middle")).is_err());
        assert_eq!(visitors(None, None).unwrap(), None);
        assert!(visitors(None, Some(&file)).unwrap_err().to_string().contains("protects nothing"));
    }
}
