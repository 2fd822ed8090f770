//! Feeds `gmm_fuzz::kernels` with what libFuzzer invents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = gmm_fuzz::kernels(data);
});
