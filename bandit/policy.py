"""The ε-greedy policy: mostly the version with the better rewards, now and then any."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

# KServe's names for the version on trial and the one before it.
Arm = Literal["latest", "prev"]
ARMS: tuple[Arm, ...] = get_args(Arm)
# What an arm counts as without a reward; weighs as much as one reward.
PRIOR = 0.5


class Tally(BaseModel):
    """The rewards of one arm: how many, and their sum; each is from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=0, ge=0)
    total: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    def __add__(self, other: Tally) -> Tally:
        return Tally(count=self.count + other.count, total=self.total + other.total)

    @property
    def mean(self) -> float | None:
        """The mean reward; None without one."""
        return self.total / self.count if self.count else None

    @property
    def estimate(self) -> float:
        """What the next reward may be: the mean, drawn towards PRIOR while there are few."""
        return (self.total + PRIOR) / (self.count + 1)


Tallies = Mapping[Arm, Tally]


def added(one: Tallies, other: Tallies) -> dict[Arm, Tally]:
    """The rewards of both, of every arm."""
    return {arm: one.get(arm, Tally()) + other.get(arm, Tally()) for arm in ARMS}


@dataclass(frozen=True, kw_only=True)
class EpsilonGreedy:
    """A share `epsilon` of the requests goes to any arm, the rest to the best; equal ones divide it."""

    epsilon: float

    def split(self, tallies: Tallies) -> dict[Arm, float]:
        """The probability of each arm; they add up to 1."""
        estimates = {arm: tallies.get(arm, Tally()).estimate for arm in ARMS}
        best = [arm for arm in ARMS if estimates[arm] == max(estimates.values())]
        explored = self.epsilon / len(ARMS)
        return {arm: explored + ((1 - self.epsilon) / len(best) if arm in best else 0.0) for arm in ARMS}

    def choose(self, tallies: Tallies, chance: random.Random) -> Arm:
        """An arm for the next request."""
        split = self.split(tallies)
        return chance.choices(ARMS, weights=[split[arm] for arm in ARMS])[0]
