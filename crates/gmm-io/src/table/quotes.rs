//! Checking the quotes that the CSV parser is generous about.
//!
//! The parser never fails: it closes a quote that is left open with the end of the file, and takes text behind a
//! closing quote as part of the cell. Either way the lines between two misplaced quotes become one cell, and if that
//! cell is in a column that nobody reads, the rows are lost in silence. So the same few rules run over the text on its
//! way to the parser, strictly.

use std::io::{self, Read};

use super::error::TableError;
use super::text::count_lines;

/// A reader of [cleaned text](super::text::CleanText) that fails where a quote is misplaced.
pub(super) struct CheckedQuotes<R> {
    inner: R,
    separator: u8,
    state: State,
    /// The line of the next byte.
    line: u64,
    /// The line on which the last quote was opened.
    opened: u64,
    /// An error to be reported once the text before it was handed out, so that errors come in the order of lines.
    pending: Option<TableError>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// At the start of a cell, where a quote opens.
    Start,
    /// In a cell without quotes, where a quote is a character like any other.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that closes the cell, or is the first of two that stand for one.
    Quote,
    /// Behind the closing quote and a space.
    Closed,
}

impl<R: Read> CheckedQuotes<R> {
    pub(super) fn new(inner: R, separator: u8) -> Self {
        Self {
            inner,
            separator,
            state: State::Start,
            line: 1,
            opened: 1,
            pending: None,
        }
    }

    /// The state behind one more byte; `None` if the byte must not stand there.
    fn step(&self, byte: u8) -> Option<State> {
        let ends_cell = byte == self.separator || byte == b'\n';
        match (self.state, byte) {
            (State::Quoted, b'"') => Some(State::Quote),
            (State::Quoted, _) => Some(State::Quoted),
            (State::Quote, b'"') => Some(State::Quoted),
            _ if ends_cell => Some(State::Start),
            (State::Start, b'"') => Some(State::Quoted),
            (State::Start | State::Plain, _) => Some(State::Plain),
            (State::Quote | State::Closed, b' ' | b'\t') => Some(State::Closed),
            (State::Quote | State::Closed, _) => None,
        }
    }

    /// Steps through text up to its end or the first misplaced byte; returns how many bytes are in order.
    fn check(&mut self, text: &[u8]) -> usize {
        let outside = matches!(self.state, State::Start | State::Plain);
        if outside && !text.contains(&b'"') {
            // Most tables have no quotes: then the last byte alone decides, and nothing is walked.
            if let Some(&last) = text.last() {
                let ends_cell = last == self.separator || last == b'\n';
                self.state = if ends_cell {
                    State::Start
                } else {
                    State::Plain
                };
            }
            self.line += count_lines(text);
            return text.len();
        }
        for (i, &byte) in text.iter().enumerate() {
            let Some(state) = self.step(byte) else {
                self.pending = Some(TableError::StrayQuote { line: self.line });
                return i;
            };
            if self.state == State::Start && state == State::Quoted {
                self.opened = self.line;
            }
            self.line += u64::from(byte == b'\n');
            self.state = state;
        }
        text.len()
    }
}

impl<R: Read> Read for CheckedQuotes<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.pending.take() {
            return Err(io::Error::other(error));
        }
        let n_read = self.inner.read(target)?;
        if n_read == 0 && !target.is_empty() && self.state == State::Quoted {
            return Err(io::Error::other(TableError::UnclosedQuote {
                line: self.opened,
            }));
        }
        let n_good = self.check(&target[..n_read]);
        match self.pending.take_if(|_| n_good == 0) {
            Some(error) => Err(io::Error::other(error)),
            None => Ok(n_good),
        }
    }
}
