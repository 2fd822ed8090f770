//! Feeds `gmm_fuzz::merge` with what libFuzzer invents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = gmm_fuzz::merge(data);
});
