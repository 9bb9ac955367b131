"""Frozen streams: what was written once must decode for ever, to the same values.

That the encoder still writes the same bytes is a weaker promise (a better choice of tables may
change them without harm), but it must be a decision: run this file as a script to write the
golden file again, and only after the test of decoding passed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gscompress.entropy.base import Symbols
from gscompress.entropy.rans import Rans

GOLDEN = Path(__file__).parents[1] / "golden" / "rans.json"
INT32 = np.iinfo(np.int32)


def steps(n, seed):
    """Pseudo-random 32-bit numbers by integer arithmetic that no library can change."""
    state, out = seed, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(state >> 32)
    return np.array(out, np.uint64)


def small_values(n, seed, widest):
    """Values whose number of bits is geometric up to ``widest``, of either sign."""
    random = steps(2 * n, seed)
    widths = np.minimum([int(r | 1 << 31) & -int(r | 1 << 31) for r in random[:n]], 1 << widest)
    values = (random[n:] % widths.astype(np.uint64)).astype(np.int64)
    return np.where(random[n:] >> np.uint64(31) == 1, values, -values).astype(np.int32)


def cases():
    contexts = (steps(400, 3) % 5).astype(np.uint16)
    extremes = np.array([INT32.min, INT32.max, 0, -1, 1, 70000, -70000, 0], np.int32)
    return {
        "empty": (np.zeros(0, np.int32), None),
        "constant": (np.full(1000, -12345, np.int32), None),
        "one": (np.array([7], np.int32), None),
        "two": (np.array([7, -7], np.int32), None),
        "extremes": (extremes, None),
        "small": (small_values(60, 1, 4), None),
        "contexts": (small_values(400, 2, 6) * (1 + contexts.astype(np.int32)), contexts),
        "far": (small_values(200, 4, 3) + np.int32(100_000), None),
        "lanes": (small_values(2053, 5, 2), None),
    }


MODELS = ["static", "adaptive", "binary"]
every_case = pytest.mark.parametrize("name", list(cases()))
every_model = pytest.mark.parametrize("model", MODELS)


@every_model
@every_case
def test_golden_streams_decode(name, model):
    values, contexts = cases()[name]
    data = bytes.fromhex(json.loads(GOLDEN.read_text())[f"{name} {model}"])
    np.testing.assert_array_equal(Rans().decode(data, len(values), contexts), values)


@every_model
@every_case
def test_the_encoder_writes_the_golden_streams(name, model):
    values, contexts = cases()[name]
    data = Rans(model).encode(Symbols(values, contexts))
    assert data.hex() == json.loads(GOLDEN.read_text())[f"{name} {model}"]


def test_golden_file_is_complete():
    assert set(json.loads(GOLDEN.read_text())) == {f"{n} {m}" for n in cases() for m in MODELS}


if __name__ == "__main__":
    streams = {
        f"{name} {model}": Rans(model).encode(Symbols(values, contexts)).hex()
        for name, (values, contexts) in cases().items()
        for model in MODELS
    }
    GOLDEN.write_text(json.dumps(streams, indent=1) + "\n")
