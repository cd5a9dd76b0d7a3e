"""Probable matches and their people, put together for the identity job, the commands and the benchmarks."""
