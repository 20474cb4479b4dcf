# SPDX-License-Identifier: GPL-2.0
"""A part of what takes long to check: another one every day, or with CHECK_ALL=1 all of it."""

import os
import time
from collections.abc import Sequence
from typing import TypeVar

DAY = 86400     # seconds

T = TypeVar("T")


def sample(whole: Sequence[T], size: int, day: int) -> list[T]:
    """@size of @whole; after as many days as it takes, every one has been among them."""
    start = day * size % len(whole)
    return [*whole, *whole][start:start + size]


def of_today(whole: Sequence[T], size: int) -> list[T]:
    """What to check today, in the order of @whole."""
    if os.environ.get("CHECK_ALL"):
        return list(whole)
    chosen = sample(range(len(whole)), size, int(time.time()) // DAY)
    return [whole[number] for number in sorted(chosen)]
