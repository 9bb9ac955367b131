"""Adam on rows that come and go."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="optimising needs torch")

import torch

from gscompress.stages.parameters import Parameters


def noisy(value: torch.Tensor, step: int) -> torch.Tensor:
    return value * 0.3 + torch.randn(value.shape, generator=torch.Generator().manual_seed(step))


def test_is_adam() -> None:
    """Against the algorithm as it is printed (Kingma and Ba 2015, algorithm 1)."""
    start = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    parameters = Parameters({"means": start.clone()})
    value, m, v = start.double(), torch.zeros(5, 3), torch.zeros(5, 3)
    for step in range(1, 21):
        gradient = noisy(value.float(), step).double()
        parameters.values["means"].grad = gradient.float()
        parameters.update({"means": 0.02})
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        value = value - 0.02 * (m / (1 - 0.9**step)) / (v / (1 - 0.999**step)).sqrt()
    assert parameters.step == 20
    torch.testing.assert_close(parameters.values["means"].double(), value, rtol=1e-4, atol=1e-5)


def test_threads_change_no_bit() -> None:
    """More rows than are summed at a time; and torch, in double precision, says the same."""
    start, gradient = torch.randn(2, 5000, 4, 3, generator=torch.Generator().manual_seed(0))
    moved = []
    for threads in (1, 3):
        parameters = Parameters({"means": start.clone()}, damping=0.7, threads=threads)
        parameters.values["means"].grad = gradient
        parameters.update({"means": torch.linspace(0.01, 0.04, 4)[None, :, None]})
        moved.append(parameters.values["means"].detach())
    assert torch.equal(*moved)
    scale = gradient.double().abs()
    rate = torch.linspace(0.01, 0.04, 4, dtype=torch.float64)[:, None]
    expected = start - rate * gradient / (scale + 0.7 * scale.mean())
    torch.testing.assert_close(moved[0].double(), expected, rtol=1e-5, atol=1e-6)


def test_rates_of_columns() -> None:
    one, many = (Parameters({"means": torch.zeros(4, 2)}) for _ in range(2))
    for parameters, rate in ((one, 0.1), (many, torch.tensor([[0.1, 0.0]]))):
        parameters.values["means"].grad = torch.ones(4, 2)
        parameters.update({"means": rate})
    assert torch.allclose(one.values["means"], torch.tensor(-0.1))
    assert torch.equal(many.values["means"][:, 0], one.values["means"][:, 0])
    assert torch.equal(many.values["means"][:, 1], torch.zeros(4))


def test_damping_keeps_still_what_hardly_matters() -> None:
    gradient = torch.tensor([[1.0], [1e-4]])
    moved = []
    for damping in (0.0, 0.5):
        parameters = Parameters({"means": torch.zeros(2, 1)}, damping=damping)
        parameters.values["means"].grad = gradient
        parameters.update({"means": 0.1})
        moved.append(parameters.values["means"].detach().abs()[:, 0])
    assert moved[0].tolist() == pytest.approx([0.1, 0.1], rel=1e-4)
    assert moved[1].tolist() == pytest.approx([0.1 / 1.25, 0.1 * 1e-4 / 0.25], rel=1e-3)


def test_rows_are_copied_and_added_without_moments() -> None:
    parameters = Parameters({"means": torch.arange(6.0).reshape(3, 2)})
    parameters.values["means"].grad = torch.ones(3, 2)
    parameters.update({"means": 0.1})
    parameters.copy_rows(torch.tensor([0]), torch.tensor([2]))
    new = parameters.append_rows(torch.tensor([1]))
    values = parameters.values["means"]
    assert (len(parameters), new.tolist()) == (4, [3])
    assert torch.equal(values[2], values[0])
    assert torch.equal(values[3], values[1])
    for moments in (parameters.first["means"], parameters.second["means"]):
        assert (moments != 0).any(dim=1).tolist() == [False, True, False, False]
    parameters.values["means"].grad = torch.ones(4, 2)
    parameters.update({"means": 0.1})
    assert parameters.step == 2
