//! Feeds `gmm_fuzz::precision` with what libFuzzer invents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = gmm_fuzz::precision(data);
});
