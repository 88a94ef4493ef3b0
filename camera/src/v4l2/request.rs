//! What is asked of a driver: the number that `ioctl` takes, made from the argument's type.

use std::marker::PhantomData;

/// A request of a driver with its argument's type, from which its number is made.
#[derive(Debug)]
pub(crate) struct Request<T> {
    number: libc::c_ulong,
    argument: PhantomData<fn(&mut T)>,
}

impl<T> Request<T> {
    const fn new(direction: u32, number: u32) -> Self {
        // asm-generic/ioctl.h: direction (2 bits), size (14 bits), type (8 bits), number (8 bits).
        let size = size_of::<T>() as u32;
        assert!(size < 1 << 14, "an argument of an ioctl has less than 16 KiB");
        let number = (direction << 30) | (size << 16) | ((b'V' as u32) << 8) | number;
        Self { number: number as libc::c_ulong, argument: PhantomData }
    }

    /// The driver reads the argument.
    pub(crate) const fn write(number: u32) -> Self {
        Self::new(1, number)
    }

    /// The driver writes the argument.
    pub(crate) const fn read(number: u32) -> Self {
        Self::new(2, number)
    }

    /// The driver reads and writes the argument.
    pub(crate) const fn read_write(number: u32) -> Self {
        Self::new(3, number)
    }

    /// As in the kernel's header.
    pub(crate) const fn number(&self) -> libc::c_ulong {
        self.number
    }
}
