//! What the programs do alike: logging, printing, Ctrl-C, and an error told with its causes and its remedy.
//!
//! | exit code | |
//! |---|---|
//! | 0 | done |
//! | 1 | failed; also: done, but stdout could not take the result |
//! | 2 | bad arguments |
//! | 3 | done, but input was lost, or the purpose was missed |
//! | 128 + N | ended by signal N after saving what is saved: 130 for Ctrl-C, 143 for SIGTERM |

mod printing;
mod signals;

use std::error::Error as StdError;
use std::fmt;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use printing::{Results, answer, is_heard, print, printable, tell};
use signals::Wish;
pub use signals::stop_on_signal;

/// Begins a program: signals are watched, the log goes to stderr. `RUST_LOG` (`debug`, or `info,parallax_camera=trace`)
/// goes before `directives`, which have the same form; `NO_COLOR` switches colours off, and so does a stderr that is no
/// terminal. Comes before any thread is started.
///
/// # Panics
/// `directives` are not in that form, or the log of this program has been started before.
pub fn start(directives: &str) {
    // Regular expressions over fields of spans, which `EnvFilter` has besides, are 0.35 MB of the board's program (decision 0022).
    let filter = |directives: &str| directives.parse::<Targets>();
    let wished = std::env::var("RUST_LOG").ok().map(|wish| filter(&wish).map_err(|error| (wish, error)));
    let (filter, unusable) = match wished {
        Some(Ok(wished)) => (wished, None),
        other => (filter(directives).expect("a program's own directives"), other.and_then(Result::err)),
    };
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(std::io::stderr)
        .with_ansi(!no_color() && std::io::stderr().is_terminal())
        // It would be told on stderr, which is what failed, by a panic.
        .log_internal_errors(false)
        .event_format(Line)
        .finish()
        .with(filter)
        .init();
    if let Some((wish, error)) = unusable {
        // An error: some programs show no less of this crate.
        tracing::error!(
            "RUST_LOG={wish} is not understood ({error}); expected a level, or TARGET=LEVEL separated by commas"
        );
    }
    signals::watch();
}

/// <https://no-color.org>: present and not empty.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// An event of the log as a line: its level and what it says, [`printable`].
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = String::new();
        context.format_fields(Writer::new(&mut said), event)?;
        let level = *event.metadata().level();
        let (on, off) = if writer.has_ansi_escapes() { (color_of(level), "\x1b[0m") } else { ("", "") };
        writeln!(writer, "{on}{level:>5}{off} {}", printable(&said))
    }
}

/// Red, yellow, green, blue, magenta.
const fn color_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// How a program ends whose command has ended with `code`: a signal that asked for it goes first, and a result that stdout
/// could not take is an error.
pub fn end(code: u8) -> ExitCode {
    ExitCode::from(match signals::wish() {
        Some(Wish::Interrupted(signal)) => signals::code_of(signal),
        Some(Wish::Terminated) => signals::code_of(nix::sys::signal::Signal::SIGTERM as i32 as u8),
        None => with_printing(code),
    })
}

/// The same for a command that goes on until its manager ends it: SIGTERM is how it ends well.
pub fn end_of_service(code: u8) -> ExitCode {
    match signals::wish() {
        Some(Wish::Terminated) => ExitCode::from(with_printing(code)),
        _ => end(code),
    }
}

fn with_printing(code: u8) -> u8 {
    match printing::loss() {
        Some(error) => {
            tell(format_args!("error: cannot write the result on stdout: {error}"));
            tell(
                "hint: what was to be written to files is there; give stdout a place with room, or read it to its end",
            );
            if code == 0 || code == 3 { 1 } else { code }
        }
        None => code,
    }
}

/// Tells on stderr what went wrong, why, and what to do about it.
///
/// `hint` knows the remedies of the program's own errors; those of this crate are known here.
pub fn report(error: &(dyn StdError + 'static), hint: impl Fn(&(dyn StdError + 'static)) -> Option<String>) {
    tell(format_args!("error: {}", in_one_line(error)));
    if let Some(hint) = hint_of(error, hint) {
        tell(format_args!("hint: {hint}"));
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
