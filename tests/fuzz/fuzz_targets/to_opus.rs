#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| audio::fuzz::to_opus(data));
