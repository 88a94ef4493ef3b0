//! Who may look at the live views: this machine, or whoever has the token.

use std::net::SocketAddr;
use std::path::Path;

use parallax_core::files::read_text;

use super::{Http, refuse};
use crate::{EdgeError, Result};

/// The shortest token: 16 characters of 6 bits cannot be tried out over a network.
const TOKEN_LEN: usize = 16;

/// The address and the token; an address that others reach needs one.
pub(super) fn checked(Http { bind, token_file }: Http) -> Result<Option<(SocketAddr, Option<String>)>> {
    let Some(bind) = bind else {
        return match token_file {
            None => Ok(None),
            Some(_) => Err(refuse("a token without --http protects nothing", "add --http ADDRESS:PORT")),
        };
    };
    let token = token_file.as_deref().map(read_token).transpose()?;
    if token.is_none() && !bind.ip().is_loopback() {
        return Err(refuse(
            format!("others can reach {bind}: expected a token file"),
            "make one with `head -c 24 /dev/urandom | base64 | tr +/ -_ > token` and give --token-file token, or bind to 127.0.0.1",
        ));
    }
    Ok(Some((bind, token)))
}

fn read_token(path: &Path) -> Result<String> {
    let token = read_text(path)?.trim().to_owned();
    // As they are in an address.
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if token.len() < TOKEN_LEN || !token.bytes().all(good) {
        return Err(EdgeError::Settings {
            what: format!("expected a token of {TOKEN_LEN} or more letters, digits, `-`, `.`, `_`, `~`"),
            path: Some(path.to_path_buf()),
            hint: "make one with `head -c 24 /dev/urandom | base64 | tr +/ -_`",
        });
    }
    Ok(token)
}
