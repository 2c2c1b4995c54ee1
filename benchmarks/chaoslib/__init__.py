"""The parts of `benchmarks.chaos`: faults, the chat they hit, and what must hold afterwards."""
