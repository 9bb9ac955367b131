from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from gscompress.cleaning import Box, Opacity, Radius, Scale, Sphere, Statistical, clean
from gscompress.errors import DeviceError, InputError, MissingDependencyError
from gscompress.gaussians import Gaussians


def make_scene(means) -> Gaussians:
    n = len(means)
    return Gaussians(
        means=means,
        quats=np.tile([1.0, 0, 0, 0], (n, 1)),
        log_scales=np.zeros((n, 3)),
        opacity_logits=np.zeros(n),
        sh=np.zeros((n, 1, 3)),
    )


@pytest.fixture
def cloud() -> Gaussians:
    """A ball of 500 means, and 20 floaters around it."""
    rng = np.random.default_rng(3)
    ball = rng.normal(size=(500, 3))
    floaters = rng.normal(size=(20, 3))
    floaters *= 15 / np.linalg.norm(floaters, axis=1, keepdims=True)
    return make_scene(np.concatenate([ball, floaters + rng.normal(size=(20, 3))]))


def test_box_and_sphere_hold_their_surface() -> None:
    scene = make_scene([[0, 0, 0], [1, 1, 1], [1, 1, 1.001], [-1, 0, 0], [0, 2, 0]])
    assert Box((0, 0, 0), (1, 1, 1)).keep(scene).tolist() == [True, True, False, False, False]
    kept = Sphere((0.0, 1.0, 0.0), 1.0).keep(scene)
    assert kept.tolist() == [True, False, False, False, True]


def test_opacity_and_scale() -> None:
    scene = make_scene(np.zeros((3, 3))).replace(
        opacity_logits=np.log([0.1 / 0.9, 0.2 / 0.8, 9.0]),
        log_scales=np.log([[1, 1, 1], [0.1, 0.1, 2.5], [0.1, 0.2, 0.3]]),
    )
    assert Opacity(0.15).keep(scene).tolist() == [False, True, True]
    assert Scale(2.0).keep(scene).tolist() == [True, False, True]


def test_cleaners_work_one_after_the_other_and_are_counted(cloud) -> None:
    cleaners = [("sphere", Sphere((0, 0, 0), 8.0)), ("box", Box((0, -9, -9), (9, 9, 9)))]
    kept, log = clean(cloud, cleaners)
    ball = np.linalg.norm(cloud.means, axis=1) <= 8
    assert ball.sum() == 500
    assert np.array_equal(kept.means, cloud.means[ball & (cloud.means[:, 0] >= 0)])
    assert [(r.name, r.gaussians_in, r.gaussians_out) for r in log] == [
        ("sphere", 520, 500),
        ("box", 500, len(kept)),
    ]


def test_what_keeps_nothing_is_an_error_that_names_it(cloud) -> None:
    with pytest.raises(InputError, match="box: found none of 520 Gaussians kept"):
        clean(cloud, [("box", Box((90, 90, 90), (91, 91, 91))), ("opacity", Opacity(0))])
    empty = cloud.select(slice(0))
    assert len(clean(empty, [("box", Box((0, 0, 0), (1, 1, 1)))])[0]) == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Box((1, 0, 0), (0, 1, 1)),
        lambda: Sphere((0, 0, 0), 0),
        lambda: Opacity(1.5),
        lambda: Scale(-1),
        lambda: Radius(0),
        lambda: Statistical(2, neighbours=0),
        lambda: Statistical(float("nan")),
    ],
)
def test_parameters_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(InputError):
        make()


def neighbour_distances(scene: Gaussians) -> np.ndarray:
    """Of each mean to all means, its own included, from the nearest on."""
    means = scene.means.astype(np.float64)
    return np.sort(np.linalg.norm(means[:, None] - means[None], axis=2), axis=1)


def test_radius_against_its_twin(cloud) -> None:
    pytest.importorskip("open3d", reason="needs open3d (pip install 'gscompress[open3d]')")
    for radius, neighbours in ((0.6, 3), (2.0, 20)):
        kept = Radius(radius, neighbours).keep(cloud)
        others = (neighbour_distances(cloud) <= radius).sum(axis=1) - 1
        assert np.array_equal(kept, others >= neighbours)
        assert 100 < kept.sum() < 520


def test_statistical_against_its_twin(cloud) -> None:
    pytest.importorskip("open3d", reason="needs open3d (pip install 'gscompress[open3d]')")
    kept = Statistical(2.0, 20).keep(cloud)
    distances = neighbour_distances(cloud)[:, :20].mean(axis=1)
    limit = distances.mean() + 2 * distances.std(ddof=1)
    assert np.array_equal(kept, distances < limit)
    assert not kept[500:].any()
    assert kept[:500].mean() > 0.98


def test_many_at_one_place_are_no_floaters(cloud) -> None:
    pytest.importorskip("open3d", reason="needs open3d (pip install 'gscompress[open3d]')")
    heap = Gaussians.concat([cloud, make_scene(np.tile([[0.5, 0.5, 0.5]], (30, 1)))])
    assert Statistical(2.0, 20).keep(heap)[520:].all()


@pytest.mark.parametrize("cleaner", [Radius(1.0), Statistical(2.0)])
def test_without_open3d_the_extra_is_named(cloud, monkeypatch, cleaner) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'gscompress\[open3d\]'"):
        clean(cloud, [("floaters", cleaner)])


def test_no_window_is_an_error_that_names_the_browser(cloud, monkeypatch) -> None:
    from gscompress.desktop import show_points

    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(MissingDependencyError, match="A window on the desktop needs"):
        show_points(cloud)
    window = types.SimpleNamespace(create_window=lambda **_: False)
    fake = types.SimpleNamespace(visualization=types.SimpleNamespace(Visualizer=lambda: window))
    monkeypatch.setitem(sys.modules, "open3d", fake)
    with pytest.raises(DeviceError, match="without --desktop shows the scene in a browser"):
        show_points(cloud)
    with pytest.raises(InputError, match="no visible Gaussians"):
        show_points(cloud.replace(opacity_logits=np.full(520, -9.0)))


def test_points_have_the_constant_colours(cloud) -> None:
    open3d = pytest.importorskip("open3d", reason="needs open3d (gscompress[open3d])")
    from gscompress._open3d import point_cloud

    points = point_cloud(open3d, cloud)
    assert np.array_equal(np.asarray(points.points), cloud.means)
    assert np.allclose(np.asarray(points.colors), 0.5)
