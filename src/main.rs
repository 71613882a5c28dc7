//! Parses, dispatches, prints the error, returns the exit code; starts no thread.

fn main() {}
