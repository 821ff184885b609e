#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| egress_webrtc::internals::sctp_chunks(data));
