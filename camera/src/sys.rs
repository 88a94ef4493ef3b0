//! The system calls that the standard library does not have: the only `unsafe` of this room.
//!
//! | function | system call | why it is sound to call |
//! |---|---|---|
//! | [`ioctl`] | `ioctl` | the request's number carries the size of its argument, and the argument holds no pointer |
//! | [`buffer_ioctl`] | `ioctl` | the two pointers that a buffer may hold are set here |
//! | [`Mapping`] | `mmap` | memory shared with the driver is copied from, never borrowed |
//! | [`wait_readable`] | `poll` | |
//! | [`monotonic_nanos`] | `clock_gettime` | |
//! | [`end_group`] | `kill` | |
//! | [`end_with_parent`] | `prctl`, `sigprocmask` | between fork and exec, where it allocates nothing |

#![expect(unsafe_code, reason = "drivers are spoken to by system calls; each block says why it is sound")]

use crate::v4l2::request::Request;
use crate::v4l2::uapi::{self, Buffer, Plane};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

/// What the kernel may fill with any bytes, and what holds nothing that it would follow.
///
/// # Safety
/// Every bit pattern is a value, and no field is an address, whatever the values of the others.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: integers and arrays of integers only. Those of them that are unions in the kernel's header (format,
// parameters) hold addresses only for overlays, whose type no constructor of theirs sets.
unsafe impl Plain for uapi::Capability {}
// SAFETY: as above.
unsafe impl Plain for uapi::FormatDescription {}
// SAFETY: as above.
unsafe impl Plain for uapi::FrameSize {}
// SAFETY: as above.
unsafe impl Plain for uapi::FrameInterval {}
// SAFETY: as above.
unsafe impl Plain for uapi::Format {}
// SAFETY: as above.
unsafe impl Plain for uapi::Parameters {}
// SAFETY: as above.
unsafe impl Plain for uapi::RequestBuffers {}
// SAFETY: as above.
unsafe impl Plain for uapi::QueryControl {}
// SAFETY: as above.
unsafe impl Plain for uapi::QueryMenu {}
// SAFETY: as above.
unsafe impl Plain for uapi::Control {}
// SAFETY: as above.
unsafe impl Plain for u32 {}

/// Asks a driver for something.
pub(crate) fn ioctl<T: Plain>(fd: BorrowedFd<'_>, request: &Request<T>, argument: &mut T) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed; the kernel reads and writes as many bytes as the request's
    // number says, which is the size of `T` (`Request::new`), at an address that is valid and exclusively ours; `T`
    // holds no address to follow and takes any bytes (`Plain`).
    unsafe { repeat_ioctl(fd, request.number(), (&raw mut *argument).cast()) }
}

/// Asks a driver for something about a buffer in mapped memory; of a multiplanar one also about its planes.
pub(crate) fn buffer_ioctl(
    fd: BorrowedFd<'_>,
    request: &Request<Buffer>,
    buffer: &mut Buffer,
    planes: &mut [Plane; uapi::MAX_PLANES],
) -> io::Result<()> {
    buffer.memory = uapi::MEMORY_MMAP;
    if buffer.kind == uapi::CAPTURE_MULTIPLANAR {
        buffer.location = planes.as_mut_ptr() as u64;
        buffer.length = uapi::MAX_PLANES as u32;
    }
    // SAFETY: as in `ioctl`. With mapped memory the only address in a buffer is that of the planes of a multiplanar
    // one; it is that of an array of as many planes as `length` says, exclusively ours during the call. A plane in
    // mapped memory holds an offset, no address.
    unsafe { repeat_ioctl(fd, request.number(), (&raw mut *buffer).cast()) }
}

/// # Safety
/// `argument` is valid for what the request of this number reads and writes.
unsafe fn repeat_ioctl(fd: BorrowedFd<'_>, number: libc::c_ulong, argument: *mut libc::c_void) -> io::Result<()> {
    loop {
        // SAFETY: the caller's promise. The cast is for musl, whose request is a signed int.
        if unsafe { libc::ioctl(fd.as_raw_fd(), number as _, argument) } >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// A driver's buffer in this program's memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<libc::c_void>,
    length: usize,
}

// SAFETY: the memory belongs to this value alone and is unmapped once; it may be used from any one thread.
unsafe impl Send for Mapping {}

impl Mapping {
    pub(crate) fn new(fd: BorrowedFd<'_>, length: usize, offset: u32) -> io::Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses touches nothing of ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                libc::off_t::from(offset),
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start).map(|start| Self { start, length }).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Copies `to.len()` bytes from `offset` on; false when the mapping does not hold them.
    ///
    /// The driver may write at any time: a copy may be torn, a borrow would be undefined behaviour.
    pub(crate) fn copy(&self, offset: usize, to: &mut [u8]) -> bool {
        if offset.checked_add(to.len()).is_none_or(|end| end > self.length) {
            return false;
        }
        // SAFETY: `offset + to.len()` bytes from the start on are mapped and readable as long as `self` lives; `to`
        // is ours and cannot overlap memory that only this type has.
        unsafe {
            std::ptr::copy_nonoverlapping(self.start.as_ptr().cast::<u8>().add(offset), to.as_mut_ptr(), to.len());
        }
        true
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this mapping was made by `new`, nothing borrows from it, and it is unmapped only here. What the
        // kernel could answer does not matter any more: the memory is not used again.
        unsafe { libc::munmap(self.start.as_ptr(), self.length) };
    }
}

/// What can be said of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// There is something to read, or the end of it.
    Readable,
    /// Something went wrong; asking says what.
    Failed,
    /// Nothing within the patience.
    Nothing,
}

/// Waits until there is something to read.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, patience: Duration) -> io::Result<Readiness> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let millis = left.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i32;
        let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, ours, for the length of the call.
        let found = unsafe { libc::poll(&raw mut entry, 1, millis) };
        if found < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        return Ok(match entry.revents {
            0 => Readiness::Nothing,
            // A pipe whose writer has gone is hung up; reading gives what is left and then its end.
            events if events & libc::POLLIN != 0 || events == libc::POLLHUP => Readiness::Readable,
            _ => Readiness::Failed,
        });
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`, the clock of the drivers' time stamps.
pub(crate) fn monotonic_nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one `timespec`, ours. It cannot fail: every Linux has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Lets the system end a command when the thread that started it ends, also when our process is killed. The command gets
/// every signal, whichever our programs have blocked to wait for them.
pub(crate) fn end_with_parent(command: &mut Command) {
    let ask = || {
        // SAFETY: sets which signal this process gets at its parent's end, and touches no memory.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is ours, and `sigemptyset` writes all of it before it is read.
        let unblocked = unsafe {
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut())
        };
        if unblocked == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec only system calls are made and errno read: no lock is taken, no memory allocated.
    unsafe { command.pre_exec(ask) };
}

/// Ends every process of a group: politely, or at once.
pub(crate) fn end_group(group: u32, at_once: bool) {
    let signal = if at_once { libc::SIGKILL } else { libc::SIGTERM };
    if let Ok(group @ 2..) = i32::try_from(group) {
        // SAFETY: signals change no memory of ours. The group is that of a child which was not waited for yet, so its
        // number belongs to nobody else; 0 and 1, which would mean ourselves or everybody, are excluded above.
        unsafe { libc::kill(-group, signal) };
    }
}
