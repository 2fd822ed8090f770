//! Feeds `gmm_fuzz::fit` with what libFuzzer invents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = gmm_fuzz::fit(data);
});
