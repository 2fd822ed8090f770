//! What the CSV parser is fed: a stream of bytes with its surprises taken out.

use std::io::{self, Read};

use super::error::TableError;

const BUFFER_LEN: usize = 1 << 16;

/// A reader that cleans the text of another one.
///
/// Line ends become `\n`, the last line gets one, a byte-order mark is dropped; UTF-16 and NUL bytes are errors. With
/// that the lines can be counted by counting `\n`.
pub(super) struct CleanText<R> {
    inner: R,
    buffer: Vec<u8>,
    /// The first byte of `buffer` that was not handed out yet.
    next: usize,
    /// Line ends seen so far, to name the line of a NUL byte.
    lines: u64,
    at_start: bool,
    last_was_cr: bool,
    ended: bool,
}

impl<R: Read> CleanText<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: Vec::new(),
            next: 0,
            lines: 0,
            at_start: true,
            last_was_cr: false,
            ended: false,
        }
    }

    /// Replaces the handed-out buffer by the next piece of cleaned text; leaves it empty at the end.
    fn refill(&mut self) -> io::Result<()> {
        self.next = 0;
        self.buffer.clear();
        // A piece may be cleaned away entirely (the `\n` of a `\r\n` on its own), hence the loop.
        while self.buffer.is_empty() && !self.ended {
            let mut piece = self.inner.by_ref().take(BUFFER_LEN as u64);
            let n_read = piece.read_to_end(&mut self.buffer)?;
            if self.at_start {
                self.at_start = false;
                self.strip_byte_order_mark()?;
            }
            self.unify_line_ends();
            self.refuse_nul_bytes()?;
            if n_read < BUFFER_LEN {
                self.ended = true;
                self.buffer.push(b'\n');
            }
        }
        Ok(())
    }

    fn strip_byte_order_mark(&mut self) -> io::Result<()> {
        if self.buffer.starts_with(b"\xff\xfe") || self.buffer.starts_with(b"\xfe\xff") {
            return Err(io::Error::other(TableError::Utf16));
        }
        if self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(..3);
        }
        Ok(())
    }

    /// `\r\n` and a lone `\r` become `\n`.
    fn unify_line_ends(&mut self) {
        if !self.last_was_cr && !self.buffer.contains(&b'\r') {
            return;
        }
        let mut last_was_cr = self.last_was_cr;
        self.buffer.retain_mut(|byte| {
            let second_of_pair = last_was_cr && *byte == b'\n';
            last_was_cr = *byte == b'\r';
            if last_was_cr {
                *byte = b'\n';
            }
            !second_of_pair
        });
        self.last_was_cr = last_was_cr;
    }

    fn refuse_nul_bytes(&mut self) -> io::Result<()> {
        let nul = self.buffer.iter().position(|&byte| byte == 0);
        self.lines += count_lines(&self.buffer[..nul.unwrap_or(self.buffer.len())]);
        match nul {
            Some(_) => Err(io::Error::other(TableError::NulByte {
                line: self.lines + 1,
            })),
            None => Ok(()),
        }
    }
}

impl<R: Read> Read for CleanText<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.next == self.buffer.len() {
            self.refill()?;
        }
        let n = (&self.buffer[self.next..]).read(target)?;
        self.next += n;
        Ok(n)
    }
}

/// The line ends in a cleaned text.
pub(super) fn count_lines(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u64
}
