"""The capacity model, and the simulation that checks it. Neither takes real time."""

import pytest

from benchmarks.scaling import Costs, capacity, load, simulate, simulated_capacity

# Slow parts, so that few messages say enough.
COSTS = Costs(
    message=2e-3,
    batch=10e-3,
    heard=1e-3,
    database_message=1e-3,
    database_batch=5e-3,
    redis_told=1e-4,
    redis_copy=1e-4,
)


def test_what_there_is_more_of_to_do_fills_more():
    few, many = (load(COSTS, 10, 8, rate, "everybody") for rate in (50.0, 500.0))
    for part in ("process", "database", "redis", "batch_size"):
        assert 0 < getattr(few, part) < getattr(many, part), part


def test_batches_grow_until_a_process_keeps_up():
    assert load(COSTS, 1, 1, 20.0, "everybody").batch_size == 1
    full = load(COSTS, 1, 1, 0.9 / COSTS.message, "everybody")
    assert full.batch_size > 20
    assert full.is_possible
    assert not load(COSTS, 1, 1, 1.1 / COSTS.message, "everybody").is_possible


def test_one_database_is_full_however_many_processes_there_are():
    rates = [capacity(COSTS, processes, 1, "concerned") for processes in (4, 8)]
    assert rates[0] < 1 / COSTS.database_message
    assert rates[1] == pytest.approx(rates[0], rel=0.3)
    assert load(COSTS, 8, 1, 2 * rates[1], "concerned").fullest == "database"


def test_telling_everybody_fills_redis_and_telling_some_does_not():
    everybody, concerned = (capacity(COSTS, 100, 64, bus) for bus in ("everybody", "concerned"))
    assert load(COSTS, 100, 64, 1.1 * everybody, "everybody").fullest == "Redis"
    assert concerned > 5 * everybody


@pytest.mark.parametrize("processes", [1, 4])
def test_the_simulation_agrees_with_the_model(processes):
    expected = capacity(COSTS, processes, 8, "everybody")
    assert simulated_capacity(COSTS, processes, 8, "everybody") == pytest.approx(expected, rel=0.5)


def test_a_message_alone_takes_as_long_as_its_parts():
    world = simulate(COSTS, 1, 1, 1.0, "everybody")
    alone = COSTS.message + COSTS.batch + COSTS.database_message + COSTS.database_batch
    assert min(world.acks) == pytest.approx(alone)
    assert world.acks == world.deliveries
