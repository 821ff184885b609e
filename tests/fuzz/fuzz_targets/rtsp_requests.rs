#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| egress_rtsp::fuzz::requests(data));
