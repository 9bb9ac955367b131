"""What a frame changes, against the states of the slots."""

from __future__ import annotations

import numpy as np

from gscompress.stream.changes import ChangeCounter, Changes
from gscompress.stream.layout import GROUPS, Steps
from gscompress.stream.slots import FRACTION, Slots
from tests.checks import make_scene
from tests.stream.clips import STEPS


def move(slots: Slots, changes: dict[int, str]) -> None:
    rows = np.array(sorted(changes), np.int32)
    values = np.zeros((len(rows), slots.layout.channels), np.int32)
    for k, slot in enumerate(rows.tolist()):
        values[k, slots.layout.slices[changes[slot]].start] = 5 * FRACTION
    slots.move(rows, values)


def counts(changed: int, births: int = 0, deaths: int = 0, **by_attribute: int) -> Changes:
    every = dict.fromkeys(GROUPS, 0) | by_attribute
    return Changes(changed, every, births, deaths)


def test_counts_by_attribute_with_births_and_deaths() -> None:
    key = make_scene(12, 1)
    slots, counter = Slots(key, STEPS), ChangeCounter(key)
    assert counter.count(slots) == counts(0)
    move(slots, {1: "means", 3: "sh0", 4: "sh0", 5: "quats"})
    assert counter.count(slots) == counts(4, means=1, sh0=2, quats=1)
    assert counter.count(slots) == counts(0)
    slots.append(np.array([0, 7]))
    slots.retire(np.array([2]))
    move(slots, {9: "shN", 12: "means"})  # 12 is one of the two that are born
    assert counter.count(slots) == counts(1, births=2, deaths=1, shN=1)
    move(slots, {13: "opacities", 12: "scales"})
    assert counter.count(slots) == counts(2, opacities=1, scales=1)


def test_other_steps_change_nothing() -> None:
    key = make_scene(12, 1)
    slots, counter = Slots(key, STEPS), ChangeCounter(key)
    move(slots, {1: "means", 5: "quats"})
    assert counter.count(slots).changed == 2
    slots.rebase(Steps(tuple(2 * step for step in STEPS.by_group), 0.0))
    assert counter.count(slots) == counts(0)
    move(slots, {1: "means"})
    assert counter.count(slots) == counts(1, means=1)


def test_degree_zero_has_no_further_harmonics() -> None:
    key = make_scene(12, 0)
    changes = ChangeCounter(key).count(Slots(key, STEPS))
    assert list(changes.by_attribute) == list(GROUPS[:-1])
