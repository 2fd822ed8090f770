//! Feeds `gmm_fuzz::search` with what libFuzzer invents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = gmm_fuzz::search(data);
});
