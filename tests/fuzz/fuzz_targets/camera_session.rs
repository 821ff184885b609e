#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ingest_rtsp::fuzz::session(data, std::time::Instant::now()));
