//! The writer fails as it is told to.

use std::io::{ErrorKind, Write as _};

use gmm_testkit::faults::{Fault, FaultyWriter};

const TEXT: &[u8] = b"0123456789";

/// What `write_all` makes of a fault, for every place where it can strike; the text comes in two pieces.
fn outcome(limit: usize, fault: Fault) -> (Result<(), ErrorKind>, FaultyWriter) {
    let mut writer = FaultyWriter::new(limit, fault);
    let result = writer
        .write_all(&TEXT[..4])
        .and_then(|()| writer.write_all(&TEXT[4..]))
        .and_then(|()| writer.flush());
    (result.map_err(|error| error.kind()), writer)
}

#[test]
fn an_error_strikes_after_the_limit_and_stays() {
    for limit in 0..TEXT.len() {
        let (result, mut writer) = outcome(limit, Fault::Error(ErrorKind::StorageFull));
        assert_eq!(result, Err(ErrorKind::StorageFull));
        assert_eq!(writer.written(), &TEXT[..limit]);
        assert!(writer.has_struck());
        assert_eq!(
            writer.write(b"x").unwrap_err().kind(),
            ErrorKind::StorageFull
        );
    }
}

#[test]
fn a_full_writer_takes_nothing() {
    for limit in 0..TEXT.len() {
        let (result, writer) = outcome(limit, Fault::Nothing);
        assert_eq!(result, Err(ErrorKind::WriteZero));
        assert_eq!(writer.written(), &TEXT[..limit]);
        assert!(writer.has_struck());
    }
}

#[test]
fn whoever_tries_the_rest_survives_a_short_write_and_an_interruption() {
    for fault in [Fault::Short, Fault::Interrupted] {
        for limit in 0..TEXT.len() {
            let (result, writer) = outcome(limit, fault);
            assert_eq!(result, Ok(()), "{fault:?} after {limit}");
            assert_eq!(writer.written(), TEXT);
            assert!(writer.has_struck());
        }
    }
}

#[test]
fn whoever_does_not_loses_bytes() {
    let mut writer = FaultyWriter::new(3, Fault::Short);
    assert_eq!(writer.write(TEXT).unwrap(), 3);
    assert_eq!(writer.write(TEXT).unwrap(), TEXT.len());
    let mut writer = FaultyWriter::new(0, Fault::Interrupted);
    assert_eq!(
        writer.write(TEXT).unwrap_err().kind(),
        ErrorKind::Interrupted
    );
    assert_eq!(writer.write(TEXT).unwrap(), TEXT.len());
}

#[test]
fn a_fault_beyond_the_end_never_strikes() {
    for fault in [
        Fault::Error(ErrorKind::StorageFull),
        Fault::Nothing,
        Fault::Short,
        Fault::Interrupted,
    ] {
        let (result, writer) = outcome(TEXT.len(), fault);
        assert_eq!(result, Ok(()));
        assert_eq!(writer.written(), TEXT);
        assert!(!writer.has_struck());
    }
}

#[test]
fn a_flush_can_fail_after_everything_was_taken() {
    let (result, writer) = outcome(0, Fault::Flush(ErrorKind::StorageFull));
    assert_eq!(result, Err(ErrorKind::StorageFull));
    assert_eq!(writer.written(), TEXT);
}
