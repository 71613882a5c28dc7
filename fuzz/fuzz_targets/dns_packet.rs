//! What a container, or a server of the host, sends to the name server of a network.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rc::take_dns_packet(bytes));
