//! The `lunette` binary: configuration, CLI, HTTP, wiring.

fn main() {}
