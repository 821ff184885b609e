#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| media::fuzz::timeline(data, std::time::Instant::now()));
