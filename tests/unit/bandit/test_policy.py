"""The ε-greedy policy: its split, and that it finds the better version."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandit.policy import ARMS, Arm, EpsilonGreedy, Tally, added

EPSILONS = st.floats(0, 1)
REWARDS = st.lists(st.floats(0, 1), max_size=20)
TALLIES = REWARDS.map(lambda rewards: Tally(count=len(rewards), total=sum(rewards)))
BOTH = st.fixed_dictionaries({"latest": TALLIES, "prev": TALLIES})


@given(EPSILONS, BOTH)
def test_a_split_is_of_all_requests_and_each_version_keeps_its_part_of_epsilon(
    epsilon: float, tallies: dict[Arm, Tally]
) -> None:
    split = EpsilonGreedy(epsilon=epsilon).split(tallies)
    assert sum(split.values()) == pytest.approx(1)
    assert all(share >= epsilon / 2 - 1e-12 for share in split.values())


@given(EPSILONS, BOTH)
def test_the_better_estimate_gets_at_least_as_much(epsilon: float, tallies: dict[Arm, Tally]) -> None:
    split = EpsilonGreedy(epsilon=epsilon).split(tallies)
    worst, best = sorted(ARMS, key=lambda arm: tallies[arm].estimate)
    assert split[best] >= split[worst]
    if tallies[best].estimate == tallies[worst].estimate:
        assert split[best] == split[worst]


@given(BOTH)
def test_an_estimate_is_between_the_prior_and_the_mean(tallies: dict[Arm, Tally]) -> None:
    for tally in tallies.values():
        bounds = sorted((0.5, 0.5 if tally.mean is None else tally.mean))
        assert bounds[0] - 1e-9 <= tally.estimate <= bounds[1] + 1e-9


@given(BOTH, BOTH)
def test_rewards_add_up_in_any_order(one: dict[Arm, Tally], other: dict[Arm, Tally]) -> None:
    assert added(one, other) == added(other, one)
    assert added(one, {}) == one


def test_without_rewards_the_versions_are_equal() -> None:
    assert EpsilonGreedy(epsilon=0.1).split({}) == {"latest": 0.5, "prev": 0.5}


def test_one_reward_is_enough_to_tell_them_apart() -> None:
    policy = EpsilonGreedy(epsilon=0.2)
    assert policy.split({"latest": Tally(count=1, total=1)}) == pytest.approx({"latest": 0.9, "prev": 0.1})
    assert policy.split({"latest": Tally(count=1, total=0)}) == pytest.approx({"latest": 0.1, "prev": 0.9})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("better", ARMS)
def test_it_finds_the_better_version(seed: int, better: Arm) -> None:
    """Whose answers earn a reward of 1 in 7 of 10 cases, against 3 of 10."""
    chance, policy = random.Random(seed), EpsilonGreedy(epsilon=0.1)  # noqa: S311 - the same on every run
    tallies: dict[Arm, Tally] = {}
    chosen: list[Arm] = []
    for _ in range(3000):
        arm = policy.choose(tallies, chance)
        chosen.append(arm)
        reward = float(chance.random() < (0.7 if arm == better else 0.3))
        tallies = added(tallies, {arm: Tally(count=1, total=reward)})
    assert policy.split(tallies)[better] == pytest.approx(0.95)
    assert 0.92 <= chosen[1000:].count(better) / 2000 <= 0.98
    assert tallies[better].mean == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("epsilon", [0, 0.1, 1])
def test_choices_follow_the_split(epsilon: float) -> None:
    chance, policy = random.Random(1), EpsilonGreedy(epsilon=epsilon)  # noqa: S311 - the same on every run
    tallies: dict[Arm, Tally] = {"prev": Tally(count=5, total=5)}
    chosen = [policy.choose(tallies, chance) for _ in range(4000)]
    assert chosen.count("prev") / 4000 == pytest.approx(policy.split(tallies)["prev"], abs=0.03)


def test_a_change_of_the_better_version_is_followed() -> None:
    policy = EpsilonGreedy(epsilon=0.1)
    shares = []
    tallies: dict[Arm, Tally] = {"latest": Tally(count=10, total=9), "prev": Tally(count=10, total=5)}
    for _ in range(20):
        tallies = added(tallies, {"latest": Tally(count=1, total=0)})
        shares.append(policy.split(tallies)["latest"])
    assert all(before >= after for before, after in pairwise(shares))
    assert (shares[0], shares[-1]) == pytest.approx((0.95, 0.05))
