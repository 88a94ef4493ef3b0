//! What the programs do alike at their start and end: logging, Ctrl-C, and an error told with its causes and its remedy.

use std::error::Error as StdError;
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends the log of a program to stderr. `RUST_LOG` (`debug`, or `info,parallax_camera=trace`) goes before `directives`, which
/// have the same form; `NO_COLOR` switches colours off, and so does a stderr that is no terminal.
///
/// # Panics
/// `directives` are not in that form, or the log of this program has been started before.
pub fn start_logging(directives: &str) {
    // Regular expressions over fields of spans, which `EnvFilter` has besides, are 0.35 MB of the board's program (decision 0022).
    let filter = |directives: &str| directives.parse::<Targets>();
    let wished = std::env::var("RUST_LOG").ok().map(|wish| filter(&wish).map_err(|error| (wish, error)));
    let (filter, unusable) = match wished {
        Some(Ok(wished)) => (wished, None),
        other => (filter(directives).expect("a program's own directives"), other.and_then(Result::err)),
    };
    // https://no-color.org: present and not empty.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(std::io::stderr)
        .with_ansi(!no_color && std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .finish()
        .with(filter)
        .init();
    if let Some((wish, error)) = unusable {
        // An error: some programs show no less of this crate.
        tracing::error!(
            "RUST_LOG={wish} is not understood ({error}); expected a level, or TARGET=LEVEL separated by commas"
        );
    }
}

/// The flag that Ctrl-C and SIGTERM raise: work in hand is finished and saved, then the program ends. A second one ends
/// the program at once. The first call installs the handler.
pub fn stop_on_signal() -> &'static AtomicBool {
    static STOP: AtomicBool = AtomicBool::new(false);
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let installed = ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::SeqCst) {
                // 130 = 128 + SIGINT, what a shell reports for a program ended by Ctrl-C.
                std::process::exit(130);
            }
        });
        if let Err(error) = installed {
            tracing::warn!("Ctrl-C will end the program at once and save nothing: {error}");
        }
    });
    &STOP
}

/// Tells on stderr what went wrong, why, and what to do about it.
///
/// `hint` knows the remedies of the program's own errors; those of this crate are known here.
#[expect(clippy::print_stderr, reason = "the one place where a program reports its end")]
pub fn report(error: &(dyn StdError + 'static), hint: impl Fn(&(dyn StdError + 'static)) -> Option<String>) {
    eprintln!("error: {}", in_one_line(error));
    if let Some(hint) = hint_of(error, hint) {
        eprintln!("hint: {hint}");
    }
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The error and its causes; a cause that is already part of the text is not said twice.
fn in_one_line(error: &(dyn StdError + 'static)) -> String {
    let causes = chain(error).skip(1).map(ToString::to_string);
    causes.fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

fn hint_of(
    error: &(dyn StdError + 'static),
    hint: impl Fn(&(dyn StdError + 'static)) -> Option<String>,
) -> Option<String> {
    let ours = |cause: &(dyn StdError + 'static)| cause.downcast_ref::<crate::Error>()?.hint().map(str::to_owned);
    chain(error).find_map(|cause| hint(cause).or_else(|| ours(cause)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start: {source}")]
    struct SaysItsCause {
        source: crate::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct LeavesItToTheChain {
        source: crate::Error,
    }

    fn full_disk() -> crate::Error {
        crate::Error::io("write", "a.png")(std::io::ErrorKind::StorageFull.into())
    }

    #[test]
    fn a_cause_is_said_once() {
        let once = format!("cannot start: {}", full_disk());
        assert_eq!(in_one_line(&SaysItsCause { source: full_disk() }), once);
        assert_eq!(in_one_line(&LeavesItToTheChain { source: full_disk() }), once);
    }

    #[test]
    fn the_remedy_is_found_anywhere_in_the_chain_and_the_programs_own_goes_first() {
        let error = LeavesItToTheChain { source: full_disk() };
        assert!(hint_of(&error, |_| None).unwrap().contains("disk is full"));
        let own = |cause: &(dyn StdError + 'static)| {
            cause.downcast_ref::<LeavesItToTheChain>().map(|_| "plug it in".to_owned())
        };
        assert_eq!(hint_of(&error, own).unwrap(), "plug it in");
    }
}
