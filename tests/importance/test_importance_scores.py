"""What the training views say about each Gaussian."""

import pytest

import gscompress as gs
from gscompress.codecs.classes import Classes
from gscompress.codecs.guidance import weight_codes
from gscompress.codecs.ycocg import YCoCg
from gscompress.importance.scores import look
from gscompress.stages.base import Context
from tests.checks import make_scene


@pytest.fixture(scope="module")
def context() -> Context:
    scene = make_scene(300, 1)
    cameras = gs.virtual_cameras(scene, 12, width=48, height=32)
    return Context(scene, cameras, device="cpu")


@pytest.mark.parametrize("score", ["weight_sum", "weight_max", "removal_effect"])
def test_importance_is_the_same_with_and_without_sightings(context, score):
    classes = Classes(views=6, score=score)
    alone = look(context.scene, {"importance": classes, "sh": YCoCg()}, context)
    both = look(context.scene, {"importance": classes, "sh": YCoCg(views=6)}, context)
    apart = look(context.scene, {"importance": classes, "sh": YCoCg(views=3)}, context)
    assert alone.importance.max() > 0
    assert both.importance == pytest.approx(alone.importance, rel=1e-5)
    assert (apart.importance == alone.importance).all()
    assert alone.sightings is None
    assert both.sightings.weights.shape == (300, 6)
    assert apart.sightings.weights.shape == (300, 3)


def test_sightings_are_those_of_each_camera(context):
    guidance = look(context.scene, {"sh": YCoCg(views=12)}, context)
    assert guidance.importance is None
    for view in (0, 7, 11):
        camera = context.cameras[view]
        scores = context.renderer.scores(context.scene, [camera], removal=False)
        codes = weight_codes(scores.weight_sq_sum)
        assert (guidance.sightings.codes[:, view] == codes).all()
        assert guidance.sightings.eyes[view] == pytest.approx(camera.position, rel=1e-6)


def test_nothing_is_rendered_where_nobody_asks(context, monkeypatch):
    monkeypatch.setattr(Context, "renderer", property(lambda _: pytest.fail("rendered")))
    guidance = look(context.scene, {"importance": Classes(views=0), "sh": YCoCg()}, context)
    assert guidance.importance is None
    assert guidance.sightings is None
    assert look(make_scene(0, 1), {"sh": YCoCg(views=4)}, context).sightings is None
