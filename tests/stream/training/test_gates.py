"""Hard-concrete gates against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from gscompress.errors import InputError
from gscompress.stream.training.gates import (
    expected_open,
    first_log_alpha,
    gate,
    logistic_noise,
)
from gscompress.stream.training.settings import GateSettings

GATE = GateSettings(temperature=0.3, low=-0.5, high=1.01)


def stretched(logit: float) -> float:
    return min(1.0, max(0.0, 1.51 / (1 + math.exp(-logit / 0.3)) - 0.5))


@pytest.mark.parametrize("log_alpha", [-7.0, -0.21, -0.2, 0.0, 0.3, 1.5, 6.9])
def test_deterministic_gates(log_alpha: float) -> None:
    found = float(gate(torch.tensor([log_alpha], dtype=torch.float64), GATE))
    assert found == pytest.approx(stretched(log_alpha), abs=1e-12)


def test_the_ends_are_exact() -> None:
    """sigmoid(x / 0.3) is 0.5 / 1.51 at x = -0.2108 and 1.5 / 1.51 at x = 1.5032."""
    found = gate(torch.tensor([-0.22, -0.20, 1.50, 1.51]), GATE).tolist()
    assert found[0] == 0.0
    assert 0 < found[1] < 0.02
    assert 0.99 < found[2] < 1.0
    assert found[3] == 1.0


def test_noise_shifts_the_logit() -> None:
    log_alpha, noise = torch.tensor([0.1, -0.4]), torch.tensor([0.3, 0.5])
    found = gate(log_alpha, GATE, noise).tolist()
    assert found == pytest.approx([stretched(0.4), stretched(0.1)], abs=1e-6)


def test_the_penalty_is_the_share_of_samples_that_are_open() -> None:
    for log_alpha in (-1.0, 0.0, 0.7):
        logits = torch.full((40000,), log_alpha)
        samples = gate(logits, GATE, logistic_noise(len(logits), (1, 2)))
        expected = 1 / (1 + math.exp(-(log_alpha - 0.3 * math.log(0.5 / 1.01))))
        assert float(expected_open(logits[:1], GATE)) == pytest.approx(expected, abs=1e-6)
        assert float((samples > 0).float().mean()) == pytest.approx(expected, abs=0.01)


def test_gates_start_open_where_more_moves_than_at_the_median() -> None:
    motion = torch.tensor([0.0, 1e-6, 2e-6, 3e-6, 8e-6, 1.0])
    found = torch.sigmoid(first_log_alpha(motion, GATE))
    # Of those that are seen the median is 3e-6.
    assert found[1:5].tolist() == pytest.approx([1 / 4, 2 / 5, 1 / 2, 8 / 11], abs=1e-6)
    assert float(found[0]) == pytest.approx(1 / 1001)
    assert float(found[5]) == pytest.approx(1000 / 1001)
    assert first_log_alpha(torch.zeros(3), GATE).tolist() == pytest.approx([-math.log(1e3)] * 3)


def test_noise_is_logistic_and_repeats() -> None:
    noise = logistic_noise(50000, (3, 4))
    assert torch.equal(noise, logistic_noise(50000, (3, 4)))
    assert not torch.equal(noise, logistic_noise(50000, (3, 5)))
    assert float(noise.mean()) == pytest.approx(0, abs=0.03)
    assert float(noise.var()) == pytest.approx(np.pi**2 / 3, rel=0.03)


@pytest.mark.parametrize("change", [{"low": 0.0}, {"high": 1.0}, {"temperature": 0}, {"bound": 1}])
def test_nonsense_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        GateSettings(**change)  # type: ignore[arg-type]
