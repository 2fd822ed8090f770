//! Feeds `gmm_fuzz::npy` with what libFuzzer invents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = gmm_fuzz::npy(data);
});
