//! What a program says: results on stdout, all else on stderr. Every word passes through here.
//!
//! Names come from files, cameras and servers, and may hold what a terminal takes for a command: to move, to colour, to
//! answer as if it were typed. Such characters are shown as `\u001b`, which in JSON means what it says.
//!
//! Who reads may go away (`| head`): what is said after that goes nowhere, and the program ends as it would have. A disk
//! that is full is an error: the result is lost, and [`super::end`] says so.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What became of stdout.
#[derive(Debug)]
enum Reader {
    /// It takes what is written.
    Listens,
    /// It has gone, which is its right.
    Gone,
    /// It could not take everything.
    Failed(io::Error),
}

static STDOUT: Mutex<Reader> = Mutex::new(Reader::Listens);

fn reader() -> MutexGuard<'static, Reader> {
    // Replaced as a whole, whatever a panicking thread was doing.
    STDOUT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// After a write that ended so.
    fn after(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => *self = Self::Gone,
            Err(error) => *self = Self::Failed(error),
        }
    }
}

/// Says a result on stdout, in a line or several. JSON stays the JSON that it is.
pub fn print(result: impl Display) {
    write(&format!("{result}\n"));
}

fn write(text: &str) {
    let mut reader = reader();
    if matches!(*reader, Reader::Listens) {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(printable(text).as_bytes()).and_then(|()| stdout.flush());
        reader.after(written);
    }
}

/// Stdout for who needs a writer: like [`print()`] without its line end, and never an error.
#[derive(Clone, Copy, Debug, Default)]
pub struct Results;

impl io::Write for Results {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether somebody takes what [`print()`] says.
pub fn is_heard() -> bool {
    matches!(*reader(), Reader::Listens)
}

/// Says something on stderr. A stderr that takes nothing cannot be told of.
pub fn tell(what: impl Display) {
    let text = format!("{what}\n");
    let _unheard = io::stderr().lock().write_all(printable(&text).as_bytes());
}

/// Why results were lost, if they were.
pub(super) fn loss() -> Option<io::Error> {
    match std::mem::replace(&mut *reader(), Reader::Gone) {
        Reader::Failed(error) => Some(error),
        Reader::Listens | Reader::Gone => None,
    }
}

/// Says what the parser of the command line answers instead of running: the help asked for, or what was wrong.
///
/// `text` may be in colours, `code` is the parser's exit code.
pub fn answer(text: impl Display, is_error: bool, code: i32) -> ExitCode {
    let is_terminal = if is_error { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let text = styled(&text.to_string(), is_terminal && !super::no_color());
    let code = u8::try_from(code).unwrap_or(1);
    if is_error {
        let _unheard = io::stderr().lock().write_all(text.as_bytes());
        return ExitCode::from(code);
    }
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    drop(stdout);
    reader().after(written);
    super::end(code)
}

/// Text as it may stand on a terminal: control characters but for line ends and tabs become `\u001b`, and so do those
/// that turn the direction of writing, which make one name look like another.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_command(character) {
            // Cannot fail: a string takes everything.
            let _written = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Whether a terminal may do something else with it than show it. All of these have four hexadecimal digits.
fn is_command(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // UAX 9: marks, embeddings, overrides and isolates of the direction of writing.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    }
}

/// [`printable`], but for colours and weights (`ESC [ … m`), which stay or go.
fn styled(text: &str, colors: bool) -> String {
    let mut parts = text.split('\u{1b}');
    let mut safe = printable(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        match end_of_style(part) {
            Some(end) if colors => {
                safe.push('\u{1b}');
                safe += &part[..end];
                safe += &printable(&part[end..]);
            }
            Some(end) => safe += &printable(&part[end..]),
            None => {
                safe += "\\u001b";
                safe += &printable(part);
            }
        }
    }
    safe
}

/// Where `[1;31m` ends, if it is that.
fn end_of_style(part: &str) -> Option<usize> {
    let numbers = part.strip_prefix('[')?;
    let length = numbers.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    (numbers.as_bytes().get(length) == Some(&b'm')).then_some(length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_reaches_a_terminal_and_everything_else_is_as_it_was() {
        for (text, expected) in [
            ("röhre 管\tok\n", "röhre 管\tok\n"),
            ("\u{1b}[2Jgone", "\\u001b[2Jgone"),
            ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007"),
            ("all good\rerror", "all good\\u000derror"),
            ("\u{9b}31m\u{7f}\u{0}", "\\u009b31m\\u007f\\u0000"),
            ("cat\u{202e}gnp.exe", "cat\\u202egnp.exe"),
        ] {
            assert_eq!(printable(text), expected);
        }
        assert!(matches!(printable("plain"), Cow::Borrowed(_)), "nothing is copied in vain");
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let value = serde_json::json!({ "name": "a\u{7f}\u{9b}31m\u{202e}\u{1b}\n" });
        let text = value.to_string();
        let safe = printable(&text);
        assert_ne!(safe, text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }

    #[test]
    fn of_a_helps_escapes_only_colours_stay() {
        let text = "\u{1b}[1;4mUsage\u{1b}[0m \u{1b}]0;x\u{7} \u{1b}[2J\u{1b}";
        assert_eq!(styled(text, false), "Usage \\u001b]0;x\\u0007 \\u001b[2J\\u001b");
        assert_eq!(styled(text, true), "\u{1b}[1;4mUsage\u{1b}[0m \\u001b]0;x\\u0007 \\u001b[2J\\u001b");
    }

    #[test]
    fn a_reader_that_goes_is_no_loss_and_a_full_disk_is_one() {
        let mut reader = Reader::Listens;
        reader.after(Ok(()));
        assert!(matches!(reader, Reader::Listens));
        reader.after(Err(ErrorKind::BrokenPipe.into()));
        assert!(matches!(reader, Reader::Gone));
        let mut reader = Reader::Listens;
        reader.after(Err(ErrorKind::StorageFull.into()));
        assert!(matches!(reader, Reader::Failed(error) if error.kind() == ErrorKind::StorageFull));
    }
}
