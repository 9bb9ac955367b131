"""Fine-tuning wins back what pruning and coding lose, the same way every time."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import gscompress as gs
from gscompress.cameras import Camera
from gscompress.config import Config, load_config
from gscompress.errors import InputError
from gscompress.gaussians import ATTRIBUTES, Array, Gaussians
from gscompress.metrics.psnr import psnr
from gscompress.pipeline import compress
from gscompress.rate import Encoder, allocate
from gscompress.stages.base import Context, Progress
from gscompress.stages.finetune import Finetune, Rates
from gscompress.stages.merge import Merge
from gscompress.stages.quantizer import CodecQuantizer
from gscompress.stages.targets import parts

QUICK = Finetune(steps=60, pseudo=0.5, requantize=0, check_every=20, check_views=0)


def mean_psnr(
    scene: Gaussians, cameras: Sequence[Camera], ctx: Context, truth: Gaussians | None = None
) -> float:
    truth = truth or ctx.scene
    renders = ctx.renderer.render
    return float(np.mean([psnr(renders(scene, c).image, renders(truth, c).image) for c in cameras]))


def same(a: Gaussians, b: Gaussians) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ATTRIBUTES)


def pruned(ctx: Context, keep: float = 0.6) -> Gaussians:
    effect = ctx.renderer.scores(ctx.scene, ctx.cameras).removal_effect
    return ctx.scene.select(np.sort(np.argsort(-effect)[: int(keep * len(ctx.scene))]))


def test_recovers_what_pruning_lost(context: Context, cameras: list[Camera]) -> None:
    before = pruned(context, 0.4)
    after = QUICK.apply(before, context)
    held_out = cameras[1::2]
    gain = mean_psnr(after, held_out, context) - mean_psnr(before, held_out, context)
    assert len(after) == len(before)
    assert gain > 2.0


def test_photos_are_learned(scene: Gaussians, cameras: list[Camera]) -> None:
    """Photos of a brighter scene pull the scene there; renders of the scene itself do not."""
    bright = scene.replace(sh=scene.sh + np.float32([0.2, 0, 0]) * (np.arange(9) == 0)[:, None])
    ctx = Context(scene, cameras[::2], device="cpu")
    ctx.images = [ctx.renderer.render(bright, camera).image for camera in cameras[::2]]
    stage = dataclasses.replace(QUICK, target="photos", pseudo=0.0)
    held_out = cameras[1::2]
    before = mean_psnr(scene, held_out, ctx, bright)
    assert mean_psnr(stage.apply(scene, ctx), held_out, ctx, bright) > before + 3
    assert same(
        dataclasses.replace(stage, target="auto").apply(scene, ctx), stage.apply(scene, ctx)
    )
    smaller = dataclasses.replace(stage, every=2).apply(scene, ctx)
    assert mean_psnr(smaller, held_out, ctx, bright) > before + 1.5
    unmoved = dataclasses.replace(stage, target="renders").apply(scene, ctx)
    assert mean_psnr(unmoved, held_out, ctx, bright) == pytest.approx(before, abs=0.3)


def test_parts_of_views_have_the_pixels_of_the_whole(
    scene: Gaussians, cameras: list[Camera]
) -> None:
    ctx = Context(scene, cameras[::2], device="cpu")
    rng = np.random.default_rng(0)
    ctx.images = [rng.random((40, 48, 3), np.float32) for _ in ctx.cameras]
    stage = Finetune(target="photos", every=2, check_views=2)
    train, check = stage._targets(ctx, photos=True)
    assert (len(train), len(check)) == ((14 + 7) * 4, 2)
    assert {(camera.width, camera.height) for camera in train.cameras} == {(24, 20)}
    for number, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        part = ctx.images[0][row::2, column::2]
        np.testing.assert_allclose(train.array(number), part, atol=1e-3)
    between = ctx.renderer.render(scene, train.cameras[-1]).image
    np.testing.assert_allclose(train.array(len(train) - 1), between, atol=1e-3)
    renders, _ = stage._targets(ctx, photos=False)
    whole = ctx.renderer.render(scene, ctx.cameras[0]).image
    assert psnr(renders.array(2), whole[1::2, 0::2]) > 70  # kept in half precision


def test_small_views_are_not_divided(cameras: list[Camera]) -> None:
    ((part,),) = parts([cameras[0].resized(40, 20)], 4)
    assert (part.every, part.camera.width, part.camera.height) == (1, 40, 20)


def test_photos_that_are_missing(context: Context) -> None:
    with pytest.raises(InputError, match="--images"):
        Finetune(target="photos").apply(context.scene, context)


def test_virtual_cameras_where_none_are_given(scene: Gaussians) -> None:
    ctx = Context(scene, device="cpu")
    before = pruned(ctx, 0.5)
    stage = dataclasses.replace(QUICK, every=12, steps=40)
    after = stage.apply(before, ctx)
    some = [camera.resized(64, 48) for camera in ctx.cameras[::8]]
    assert mean_psnr(after, some, ctx) > mean_psnr(before, some, ctx) + 1


def test_held_out_cameras_are_not_touched(context: Context, cameras: list[Camera]) -> None:
    class Watched(list[Camera]):
        pass

    context.control = Watched(cameras[1::2])
    seen: list[str] = []
    plain = context.renderer.render

    def watch(scene: Gaussians, camera: Camera, *rest: object) -> object:
        seen.append(camera.name)
        return plain(scene, camera, *rest)  # type: ignore[arg-type]

    context.renderer.render = watch  # type: ignore[method-assign,assignment]
    dataclasses.replace(QUICK, check_views=2).apply(pruned(context), context)
    assert len(seen) > 10
    assert not {camera.name for camera in cameras[1::2]} & set(seen)


class TestSameBytes:
    def test_twice_and_with_any_threads(self, context: Context) -> None:
        stage = dataclasses.replace(QUICK, steps=12)
        before = pruned(context)
        first, again = (stage.apply(before, context) for _ in range(2))
        from gscompress.render.cpu import CpuRenderer

        context.renderer = CpuRenderer(threads=1)
        alone = stage.apply(before, context)
        context.seed = 1
        other = stage.apply(before, context)
        assert same(first, again)
        assert same(first, alone)
        assert not same(first, other)

    def test_pictures_that_do_not_fit_are_made_again(self, context: Context) -> None:
        stage = dataclasses.replace(QUICK, steps=40)
        before = pruned(context)
        assert same(
            stage.apply(before, context), dataclasses.replace(stage, cache=0).apply(before, context)
        )

    def test_whole_files(self, scene: Gaussians, cameras: list[Camera]) -> None:
        config = load_config("balanced")
        config = dataclasses.replace(config, stages=(Finetune(steps=6, requantize=3),))
        files = [
            compress(scene, config, cameras=cameras[::2], device="cpu").to_bytes() for _ in range(2)
        ]
        assert files[0] == files[1]


class Interrupted(Exception):
    pass


class TestResume:
    STAGE = dataclasses.replace(QUICK, steps=100, check_every=25, check_views=2, requantize=25)

    def stop_at(self, step: int) -> object:
        def progress(what: str, done: int, total: int) -> None:
            if what == "fine-tune" and done == step:
                raise Interrupted

        return progress

    @pytest.mark.parametrize("stop", [50, 61])
    def test_two_halves_are_the_whole(self, context: Context, tmp_path: Path, stop: int) -> None:
        context.attributes = load_config("fast").attributes
        before = pruned(context)
        whole = self.STAGE.apply(before, context)
        context.checkpoints = tmp_path
        context.progress = self.stop_at(stop)  # type: ignore[assignment]
        with pytest.raises(Interrupted):
            self.STAGE.apply(before, context)
        done: list[int] = []
        context.progress = lambda what, step, total: done.append(step)
        resumed = self.STAGE.apply(before, context)
        # The state of the last look, at the start of step 25 or 50, goes on from there.
        assert done[0] == {50: 26, 61: 51}[stop]
        assert same(resumed, whole)

    def test_another_state_is_refused(self, context: Context, tmp_path: Path) -> None:
        context.checkpoints = tmp_path
        before = pruned(context)
        dataclasses.replace(QUICK, steps=5).apply(before, context)
        with pytest.raises(InputError, match="another optimisation"):
            dataclasses.replace(QUICK, steps=6).apply(before, context)

    def test_damaged_state(self, context: Context, tmp_path: Path) -> None:
        context.checkpoints = tmp_path
        (tmp_path / "0_finetune.npz").write_bytes(b"PK\3\4 no more")
        with pytest.raises(InputError, match="no state"):
            QUICK.apply(pruned(context), context)


class TestEarlyStop:
    def test_the_best_is_kept(
        self, context: Context, cameras: list[Camera], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Rates that ruin the scene: nothing gets better, so what came in comes out."""
        stage = dataclasses.replace(
            QUICK, rates=Rates(means=1.0, sh0=3.0), steps=500, check_every=5, check_views=2
        )
        before = pruned(context, 0.9)
        with caplog.at_level(logging.INFO, "gscompress"):
            after = dataclasses.replace(stage, patience=3).apply(before, context)
        assert same(after, before)
        # At the start, one that is much worse, and why all views are learned then; at the start
        # again, and three that are worse.
        assert len(caplog.records) == 3 + 4

    def test_no_end_to_patience(self, context: Context, caplog: pytest.LogCaptureFixture) -> None:
        stage = dataclasses.replace(QUICK, rates=Rates(sh0=3.0), steps=30, check_every=5)
        with caplog.at_level(logging.INFO, "gscompress"):
            dataclasses.replace(stage, patience=0, check_views=2).apply(
                pruned(context, 0.9), context
            )
        assert len(caplog.records) == 3 + 7

    def test_time_is_up(self, context: Context) -> None:
        steps: list[int] = []
        context.progress = lambda what, done, total: steps.append(done)
        dataclasses.replace(QUICK, seconds=0.3, steps=10**6).apply(pruned(context), context)
        assert 1 <= len(steps) < 1000


class TestCamerasThatSeeEachOther:
    """A ring of cameras around a ball; where one is held out, all others show its body."""

    STAGE = dataclasses.replace(
        QUICK, target="auto", steps=60, check_every=20, check_views=1, pseudo=0.0
    )

    @pytest.fixture
    def ring(self, scene: Gaussians, cameras: list[Camera]) -> Context:
        """Photos in which something black has grown before the lens of the only check camera."""
        ctx = Context(scene, cameras[::4], device="cpu")
        black = scene.select(np.arange(1)).replace(
            means=np.float32(0.45 * ctx.cameras[4].position)[None],
            log_scales=np.full((1, 3), np.log(0.3), np.float32),
            opacity_logits=np.full(1, 5.0, np.float32),
            sh=np.where(np.arange(9)[:, None] == 0, np.float32(-1.7), np.float32([0, 0, 0]))[None],
        )
        faint = black.replace(opacity_logits=np.full(1, -4.5, np.float32))
        ctx.scene = Gaussians.concat([scene, faint])
        shown = Gaussians.concat([scene, black])
        ctx.images = [
            ctx.renderer.render(scene if view == 4 else shown, camera).image
            for view, camera in enumerate(ctx.cameras)
        ]
        return ctx

    def stop_after(self, count: int) -> Progress:
        calls = itertools.count(1)

        def progress(what: str, step: int, total: int) -> None:
            if next(calls) == count:
                raise Interrupted

        return progress

    def thinned(self, ctx: Context) -> Gaussians:
        return ctx.scene.select(np.flatnonzero(np.arange(len(ctx.scene)) % 40 != 1))

    def test_photos_never_make_it_worse(
        self, ring: Context, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = self.thinned(ring)
        after = self.STAGE.apply(before, ring)
        assert ring.learn_all
        assert "from all cameras" in caplog.text
        start = mean_psnr(before, ring.cameras, ring)
        assert mean_psnr(after, ring.cameras, ring) > start + 0.7
        # Later stages do not try again.
        assert not self.STAGE._uses_photos(ring)
        bare = Context(ring.scene, ring.cameras, device="cpu", learn_all=True)
        assert same(self.STAGE.apply(before, ring), self.STAGE.apply(before, bare))

    def test_goes_on_after_an_interruption(self, ring: Context, tmp_path: Path) -> None:
        before = self.thinned(ring)
        whole = self.STAGE.apply(before, ring)
        assert ring.learn_all
        for stop in (15, 45):  # while photos are learned, then renders
            ring.learn_all, ring.checkpoints = False, tmp_path
            ring.progress = self.stop_after(stop)
            with pytest.raises(Interrupted):
                self.STAGE.apply(before, ring)
        ring.learn_all, ring.progress = False, None
        assert same(self.STAGE.apply(before, ring), whole)

    def test_means_hardly_move_then(self, ring: Context) -> None:
        before = self.thinned(ring)

        def move(learn_all: bool) -> float:
            ctx = Context(ring.scene, ring.cameras, device="cpu", learn_all=learn_all)
            after = self.STAGE.apply(before, ctx)
            return float(np.linalg.norm(after.means - before.means, axis=1).max())

        assert 0 < 10 * move(True) < move(False)

    def test_a_real_dome(self, shared_data: Path) -> None:
        """Cameras that nobody learns from stand among Gaussians, too, and must not be covered."""
        capture = shared_data / "basketball"
        original = gs.load(capture / "frames" / "frame_0000.ply")
        train, test = gs.cameras.split(gs.load_cameras(capture / "cameras.json"), capture)
        ctx = Context(original, train, device="cpu", learn_all=True)
        merged = Merge(keep=0.4, rounds=3, views=27).apply(original, ctx)
        stage = next(s for s in load_config("small").stages if isinstance(s, Finetune))
        found = dataclasses.replace(stage, steps=800, check_every=800).apply(merged, ctx)
        each = [mean_psnr(found, [camera], ctx) for camera in test]
        assert min(each) > 39.5
        assert np.mean(each) > mean_psnr(merged, test, ctx) + 3

    def test_photos_that_are_asked_for_are_learned(self, ring: Context) -> None:
        before = self.thinned(ring)
        after = dataclasses.replace(self.STAGE, target="photos").apply(before, ring)
        assert same(after, before)  # no look at the check view was better
        assert not ring.learn_all

    def test_too_few_to_tell(self, ring: Context) -> None:
        assert ring.images is not None
        few = Context(ring.scene, ring.cameras[:7], ring.images[:7], device="cpu")
        assert not self.STAGE._uses_photos(few)
        assert dataclasses.replace(self.STAGE, check_views=0)._uses_photos(few)


class TestQuantizer:
    def quantizer(self, scene: Gaussians, ctx: Context, preset: str = "fast") -> CodecQuantizer:
        ctx.attributes = load_config(preset).attributes
        quantizer = CodecQuantizer.of(scene, ctx)
        assert quantizer is not None
        return quantizer

    @pytest.mark.parametrize("preset", ["fast", "balanced"])
    def test_offsets_are_those_of_the_file(self, context: Context, preset: str) -> None:
        quantizer = self.quantizer(context.scene, context, preset)
        prepared = quantizer.prepare(context.scene)
        offsets = quantizer.offsets(prepared)
        assert set(offsets) == set(ATTRIBUTES)
        # Levels only change the order; nobody allocates in this context.
        config = dataclasses.replace(load_config(preset, stages="none"), levels=(), allocate=0)
        file = compress(prepared, config, cameras=context.cameras, device="cpu").decoded()
        order = config.attributes["means"].order(prepared.means)
        for name in ATTRIBUTES:
            seen = (getattr(prepared, name) + offsets[name])[order]
            np.testing.assert_allclose(seen, getattr(file, name), atol=2e-5)

    def test_steps_are_those_of_the_file(self, context: Context, cameras: list[Camera]) -> None:
        """A stage that looks for the decoded scene sees the steps that the file will have."""
        seen = []

        def remember(config: Config, encoder: Encoder, ctx: Context) -> Config:
            seen.append(allocate(config, encoder, ctx))
            return seen[-1]

        stage = dataclasses.replace(QUICK, steps=2, requantize=1)
        config = dataclasses.replace(load_config("balanced", stages="none"), stages=(stage,))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gscompress.pipeline.allocate", remember)
            file = compress(context.scene, config, cameras=context.cameras, device="cpu")
        assert len(seen) == 1
        assert seen[0].attributes != config.attributes
        header = file.container.header["config"]
        assert header["attributes"] == seen[0].to_dict()["attributes"]

    def test_prepared_scenes_look_the_same(self, context: Context, cameras: list[Camera]) -> None:
        quantizer = self.quantizer(context.scene, context)
        assert mean_psnr(quantizer.prepare(context.scene), cameras[:3], context) > 80

    def test_a_rotation_that_has_a_nearer_equivalent_stays(self, context: Context) -> None:
        quantizer = self.quantizer(context.scene, context)
        prepared = quantizer.prepare(context.scene)
        quats = prepared.quats.copy()
        quats[7] = [0.5, 0.5, 0.5, 0.5]  # axes renamed
        offsets = quantizer.offsets(prepared.replace(quats=quats))
        assert np.all(offsets["quats"][7] == 0)
        assert np.all(offsets["log_scales"][7] == 0)
        assert np.any(offsets["quats"][8] != 0)

    def test_gradients_reach_quantised_parameters(self, context: Context) -> None:
        """Coarse opacities and scales: every attribute still learns."""
        context.attributes = load_config(
            "fast", ["attributes.opacities.levels=6", "attributes.scales.step=0.4"]
        ).attributes
        stage = dataclasses.replace(QUICK, steps=2, requantize=1)
        before = pruned(context)
        after = stage.apply(before, context)
        prepared = self.quantizer(before, context).prepare(before)
        for name in ATTRIBUTES:
            moved = (getattr(after, name) != getattr(prepared, name)).reshape(len(after), -1)
            assert moved.any(axis=1).mean() > 0.5, name

    def test_learning_the_decoded_scene_pays(self, context: Context, cameras: list[Camera]) -> None:
        """With coarse steps, what was learned with them in sight decodes better."""
        config = load_config("fast", ["attributes.sh.step=0.12", "attributes.sh.sh_step=0.15"])
        decoded = []
        for requantize in (0, 10):
            stage = dataclasses.replace(QUICK, steps=120, requantize=requantize)
            whole = dataclasses.replace(config, stages=(stage,))
            file = compress(context.scene, whole, cameras=context.cameras, device="cpu")
            decoded.append(mean_psnr(file.decoded(), cameras[1::2], context))
        assert decoded[1] > decoded[0] + 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": -1},
        {"every": 0},
        {"last_rate": 1.5},
        {"ssim_share": 2.0},
        {"check_every": 0},
        {"pseudo": -1.0},
        {"damping": -0.5},
        {"last_rate": 0.0},
    ],
)
def test_parameters_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Finetune(**wrong)  # type: ignore[arg-type]


def test_nothing_to_do(context: Context) -> None:
    assert Finetune(steps=0).apply(context.scene, context) is context.scene
    empty = context.scene.select(np.arange(0))
    assert Finetune().apply(empty, context) is empty


def test_the_scene_given_stays_as_it_is(context: Context) -> None:
    before = pruned(context)
    copies: dict[str, Array] = {name: getattr(before, name).copy() for name in ATTRIBUTES}
    dataclasses.replace(QUICK, steps=3).apply(before, context)
    assert all(np.array_equal(getattr(before, name), copies[name]) for name in ATTRIBUTES)


def test_decay() -> None:
    plan = Finetune(steps=10, last_rate=0.1)._plan(Context(empty_scene()), 2.0)
    assert plan.rates["means"] == pytest.approx(2 * Rates().means)
    assert [plan.rate_factor(done) for done in (0, 0.5, 1)] == pytest.approx([1, 0.55, 0.1])
    plan = dataclasses.replace(plan, decay="exponential")
    assert [plan.rate_factor(done) for done in (0, 0.5, 1)] == pytest.approx([1, 0.1**0.5, 0.1])


def empty_scene() -> Gaussians:
    return Gaussians(
        means=np.zeros((0, 3)),
        quats=np.zeros((0, 4)),
        log_scales=np.zeros((0, 3)),
        opacity_logits=np.zeros(0),
        sh=np.zeros((0, 1, 3)),
    )
