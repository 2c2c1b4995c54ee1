"""The chaos test: people chat while servers die, and no message may be lost or duplicated.

`python -m tests.chaos` runs it; docs/reliability.md explains what it does and checks.
"""
