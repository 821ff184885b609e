#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| egress_mse::internals::client_frames(data));
