from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gscompress.codecs.guidance import Sightings
from gscompress.gaussians import Gaussians
from gscompress.io import load
from gscompress.io.axes import sh_basis
from gscompress.io.quantised import morton_order
from gscompress.io.seen_palette import DAMPING, PULL, SeenPalette
from gscompress.io.sog import SogFormat
from tests.io.format_checks import EYES, make_scene, seen


def directions(scene: Gaussians) -> np.ndarray:  # [N, V, 3]
    ways = scene.means[:, None].astype(np.float64) - EYES
    return ways / np.linalg.norm(ways, axis=2, keepdims=True)


def basis_of(scene: Gaussians) -> np.ndarray:  # [N, V, K]
    flat = sh_basis(directions(scene).reshape(-1, 3), scene.sh_degree)
    return flat.reshape(len(scene), len(EYES), -1)


def shown(scene: Gaussians, back: Gaussians, sightings: Sightings) -> float:
    """Squared error of the images, colour by colour as a renderer has it."""
    error = np.einsum("nvk,nkc->nvc", basis_of(scene), back.sh.astype(np.float64) - scene.sh)
    return float(np.einsum("nv,nvc->", sightings.weights, error**2))


def test_entries_are_the_least_squares_of_what_is_seen() -> None:
    """A slow twin: one equation per view, the constant terms among the unknowns."""
    scene = make_scene(60, 2)
    sightings = seen(scene)
    found = SeenPalette.fit(scene, sightings, 20)
    assert found.entries.shape == (20, 8, 3)
    basis = basis_of(scene)
    weights = sightings.weights.astype(np.float64)
    typical = (weights**2).sum(1) / weights.sum(1)
    for word in range(20):
        members = np.flatnonzero(found.labels == word)
        rows, wanted = [], []
        for place, i in enumerate(members):
            everywhere = np.sqrt(DAMPING * typical[i] / (4 * np.pi)) * np.eye(9)
            for row in [*(np.sqrt(weights[i])[:, None] * basis[i]), *everywhere]:
                equation = np.zeros(8 + len(members))
                equation[:8], equation[8 + place] = row[1:], row[0]
                rows.append(equation)
                wanted.append(row @ scene.sh[i])
        best = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
        assert np.abs(best[:8] - found.entries[word]).max() < 20 * PULL
        constant = found.made_up(best[None, :8].repeat(20, 0).astype(np.float32), scene.sh)
        assert np.abs(constant[members] - best[8:]).max() < 1e-4


def test_coarser_levels_where_more_is_allowed() -> None:
    scene = make_scene(400, 1)
    found = SeenPalette.fit(scene, seen(scene), 64)
    books = [found.codebook(allowed, 256) for allowed in (1e3, 1.0, 1e-3)]
    assert len(books[0]) <= len(books[1]) <= len(books[2]) == 256 or len(books[2]) >= 250
    assert np.diff(books[0]).max() > 2 * np.median(np.diff(books[2]))


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_less_of_the_error_is_seen(tmp_path: Path, degree: int) -> None:
    scene = make_scene(1500, degree)
    sightings = seen(scene)
    order = morton_order(scene.means)
    losses = []
    for given in (None, sightings):
        SogFormat(palette=64, sightings=given).save(scene, tmp_path / "a.sog")
        back = load(tmp_path / "a.sog")
        losses.append(shown(scene.select(order), back, sightings.select(order)))
    assert losses[1] < 0.35 * losses[0]


def test_of_what_is_not_seen_the_nearest_entry(tmp_path: Path) -> None:
    scene = make_scene(600, 1)
    weights = np.ones((600, 3))
    weights[300:] = 0
    SogFormat(sightings=Sightings.of(EYES, weights)).save(scene, tmp_path / "a.sog")
    back = load(tmp_path / "a.sog")
    scene = scene.select(morton_order(scene.means))
    assert np.abs(back.sh - scene.sh).max() < 1.5
    assert np.abs(back.sh - scene.sh).mean() < 0.1


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    scene = make_scene(3000, 1)
    for name in "ab":
        SogFormat(palette=256, sightings=seen(scene)).save(scene, tmp_path / f"{name}.sog")
    assert (tmp_path / "a.sog").read_bytes() == (tmp_path / "b.sog").read_bytes()
