#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ingest_rtmp::fuzz::server(data));
