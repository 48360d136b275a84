"""Benchmarks: programs that measure and record, run by hand; no test depends on a time."""
