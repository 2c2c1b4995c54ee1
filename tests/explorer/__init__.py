"""The deterministic interleaving explorer.

It runs the real hub, holes, resume, refresh, sweep and hello on an event loop of its own, beside
a scripted database, and picks by a seed what happens next: a commit, a statement's snapshot, the
arrival of its result, a hint that comes, is lost or is overtaken, a client's frame, a broken line,
time that passes. Whatever a client is sent is held against the database's own history.

    .venv/bin/python -m tests.explorer --schedules 100000     many, by all processors
    .venv/bin/python -m tests.explorer --seed 4711            one, with everything that happened

`loop` has the loop, `world` and `sources` the database, `device` a client by docs/protocol.md,
`line` the way between the two with what is checked of every frame, `actions` what can happen
next, `schedule` one run, `faults` what was mended once and must be found again.
"""

import os

import django

# The processes that explore have nobody else to set Django up.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbe.settings")
django.setup()
