//! Writers that fail, for tests of saving.

use std::io::{self, Write};

/// What happens once a number of bytes has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every further write fails with this kind of error, as on a full disk.
    Error(io::ErrorKind),
    /// Every further write takes nothing and reports no error.
    Nothing,
    /// The write that would pass the limit stops there; whoever tries the rest succeeds. A correct caller notices nothing.
    Short,
    /// The write that would pass the limit stops there and the next one is interrupted once; a correct caller tries again.
    Interrupted,
    /// Every byte is taken, and flushing fails with this kind of error.
    Flush(io::ErrorKind),
}

/// Keeps what is written to it, up to a fault after `limit` bytes.
#[derive(Clone, Debug)]
pub struct FaultyWriter {
    written: Vec<u8>,
    limit: usize,
    fault: Fault,
    has_struck: bool,
}

impl FaultyWriter {
    /// A writer that takes `limit` bytes before the fault.
    pub fn new(limit: usize, fault: Fault) -> Self {
        Self {
            written: Vec::new(),
            limit,
            fault,
            has_struck: false,
        }
    }

    /// What arrived.
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// Whether the fault has shown itself to the caller.
    pub fn has_struck(&self) -> bool {
        self.has_struck
    }

    fn take(&mut self, bytes: &[u8]) -> usize {
        self.written.extend_from_slice(bytes);
        bytes.len()
    }
}

impl Write for FaultyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = match self.fault {
            Fault::Flush(_) => usize::MAX,
            Fault::Short | Fault::Interrupted if self.has_struck => usize::MAX,
            _ => self.limit - self.written.len(),
        };
        if bytes.len() <= room {
            return Ok(self.take(bytes));
        }
        if self.fault == Fault::Short {
            // Not a single byte would mean that the writer is full, which is another fault.
            self.has_struck = true;
            return Ok(self.take(&bytes[..room.max(1)]));
        }
        if room > 0 {
            return Ok(self.take(&bytes[..room]));
        }
        self.has_struck = true;
        match self.fault {
            Fault::Error(kind) | Fault::Flush(kind) => Err(kind.into()),
            Fault::Interrupted => Err(io::ErrorKind::Interrupted.into()),
            Fault::Nothing | Fault::Short => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.fault {
            Fault::Flush(kind) => {
                self.has_struck = true;
                Err(kind.into())
            }
            _ => Ok(()),
        }
    }
}
