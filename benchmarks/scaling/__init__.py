"""How far the design scales: a capacity model, and a simulation to check it.

    python -m benchmarks.scaling

Costs come from the latest records of `make bench` and from a measurement of the channel layer.
From them the model computes how many messages a second 1, 10 and 100 server processes take, and
which part is the bottleneck. The simulation passes single messages through the same processes,
database and Redis. Both results go into docs/scaling.md.

All users write in pairs, and a partner may be on any process. A process, Redis and each database
core do one thing at a time. A writer worker commits one batch at a time, which holds everything
that arrived while the previous one was being committed. Every batch is published to the other
processes.
"""
