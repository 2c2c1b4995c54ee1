"""The capacity model and the simulation that checks it. Neither takes real time."""

import pytest

from benchmarks.scaling.model import Costs, capacity, load
from benchmarks.scaling.simulation import simulate, simulated_capacity

# Slow parts, so that few messages say enough.
COSTS = Costs(
    message=2e-3,
    batch=10e-3,
    batch_received=1e-3,
    database_message=1e-3,
    database_batch=5e-3,
    redis_publish=1e-4,
    redis_delivery=1e-4,
)


def test_what_there_is_more_of_to_do_fills_more():
    few, many = (load(COSTS, 10, 8, rate, "all") for rate in (50.0, 500.0))
    for part in ("process", "database", "redis", "batch_size"):
        assert 0 < getattr(few, part) < getattr(many, part), part


def test_batches_grow_until_a_process_keeps_up():
    assert load(COSTS, 1, 1, 20.0, "all").batch_size == 1
    full = load(COSTS, 1, 1, 0.9 / COSTS.message, "all")
    assert full.batch_size > 20
    assert full.is_possible
    assert not load(COSTS, 1, 1, 1.1 / COSTS.message, "all").is_possible


def test_one_database_is_full_however_many_processes_there_are():
    rates = [capacity(COSTS, processes, 1, "concerned") for processes in (4, 8)]
    assert rates[0] < 1 / COSTS.database_message
    assert rates[1] == pytest.approx(rates[0], rel=0.3)
    assert load(COSTS, 8, 1, 2 * rates[1], "concerned").bottleneck == "database"


def test_publishing_to_all_fills_redis_and_publishing_to_those_concerned_does_not():
    all_, concerned = (capacity(COSTS, 100, 64, bus) for bus in ("all", "concerned"))
    assert load(COSTS, 100, 64, 1.1 * all_, "all").bottleneck == "Redis"
    assert concerned > 5 * all_


@pytest.mark.parametrize("processes", [1, 4])
def test_the_simulation_agrees_with_the_model(processes):
    expected = capacity(COSTS, processes, 8, "all")
    assert simulated_capacity(COSTS, processes, 8, "all") == pytest.approx(expected, rel=0.5)


def test_a_message_alone_takes_as_long_as_its_parts():
    simulation = simulate(COSTS, 1, 1, 1.0, "all")
    alone = COSTS.message + COSTS.batch + COSTS.database_message + COSTS.database_batch
    assert min(simulation.acks) == pytest.approx(alone)
    assert simulation.acks == simulation.deliveries
