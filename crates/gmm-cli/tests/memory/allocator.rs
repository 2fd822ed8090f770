//! An allocator that counts, and fails when it is told to.
#![expect(
    unsafe_code,
    reason = "the trait of allocators is unsafe; every call is handed on to the system's as it is"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The system's allocator, with a count of what is asked for while it is watched.
pub(crate) struct Failing {
    /// Held during a watch, so that tests side by side don't count each other's.
    turn: Mutex<()>,
    is_watched: AtomicBool,
    /// Requests since the watch began.
    n_requests: AtomicUsize,
    /// The number of the request that fails.
    fails_at: AtomicUsize,
    /// Whether all later ones fail, too.
    for_good: AtomicBool,
    /// Bytes in use beyond those when the watch began, and the most of them.
    in_use: AtomicUsize,
    peak: AtomicUsize,
}

/// What was asked for during a watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) n_requests: usize,
    pub(crate) peak: usize,
}

impl Failing {
    pub(crate) const fn new() -> Self {
        Self {
            turn: Mutex::new(()),
            is_watched: AtomicBool::new(false),
            n_requests: AtomicUsize::new(0),
            fails_at: AtomicUsize::new(usize::MAX),
            for_good: AtomicBool::new(false),
            in_use: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// Does some work while requests are counted and the one of this number (from 0) fails; `for_good` with all after it.
    pub(crate) fn watch<T>(
        &self,
        fails_at: usize,
        for_good: bool,
        work: impl FnOnce() -> T,
    ) -> (T, Count) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.n_requests.store(0, Relaxed);
        self.in_use.store(0, Relaxed);
        self.peak.store(0, Relaxed);
        self.fails_at.store(fails_at, Relaxed);
        self.for_good.store(for_good, Relaxed);
        self.is_watched.store(true, Relaxed);
        let result = work();
        self.is_watched.store(false, Relaxed);
        let count = Count {
            n_requests: self.n_requests.load(Relaxed),
            peak: self.peak.load(Relaxed),
        };
        (result, count)
    }

    /// Counts a request; tells whether it shall fail.
    fn refuses(&self, size: usize) -> bool {
        if !self.is_watched.load(Relaxed) {
            return false;
        }
        let number = self.n_requests.fetch_add(1, Relaxed);
        let fails_at = self.fails_at.load(Relaxed);
        if number == fails_at || number > fails_at && self.for_good.load(Relaxed) {
            return true;
        }
        let in_use = self.in_use.fetch_add(size, Relaxed).wrapping_add(size);
        // What was allocated before the watch may be freed within it: then less than nothing is in use.
        if in_use < usize::MAX / 2 {
            self.peak.fetch_max(in_use, Relaxed);
        }
        false
    }

    fn free(&self, size: usize) {
        if self.is_watched.load(Relaxed) {
            self.in_use.fetch_sub(size, Relaxed);
        }
    }
}

// SAFETY: memory comes from the system's allocator and goes back to it with the layout it came with; a null pointer is a failure, as
// the trait has it. Counting allocates nothing.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.refuses(layout.size()) {
            return null_mut();
        }
        // SAFETY: the caller's promise about the layout is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.refuses(layout.size()) {
            return null_mut();
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.refuses(new_size) {
            return null_mut();
        }
        self.free(layout.size());
        // SAFETY: the caller's promise that the block is of this layout is handed on; all blocks are the system's.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.free(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
