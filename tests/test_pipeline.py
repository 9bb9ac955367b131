"""The whole way: scene to file and back."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard

import gscompress as gs
from gscompress.config import load_config, preset_names
from gscompress.container import Container, Index
from gscompress.errors import ConfigError, CorruptFileError, InputError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.metrics import psnr
from gscompress.render.base import Scores
from tests.checks import digest, make_scene

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
PRESETS = ("fast", "balanced", "quality", "lossless")
HURRIED = ["stages.1.steps=6", "stages.2.steps=4"]
"""Fine-tuning for tests."""


@pytest.fixture(scope="module")
def demo() -> Gaussians:
    return gs.load(ROOT / "scenes/demo.ply")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("mode", ["default", "mip"])
def test_round_trip(preset, mode):
    scene = make_scene(400, 2, mode=mode).replace(colour_space="linear")
    result = gs.compress(scene, load_config(preset, stages="none"))
    back = gs.decompress(result.to_bytes())
    assert (len(back), back.sh_degree, back.mode) == (400, 2, mode)
    assert back.colour_space == "linear"
    assert digest(back) == digest(result.decoded())
    summary = result.summary
    assert summary["output_bytes"] == len(result.to_bytes())
    assert sum(summary["bytes_by_attribute"].values()) == summary["output_bytes"]
    assert summary["input_bytes"] == 400 * 4 * (14 + 9 * 3)
    assert (summary["gaussians_in"], summary["gaussians_out"]) == (400, 400)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("n", [0, 1])
def test_tiny_scenes(preset, n):
    config = load_config(preset, HURRIED if preset == "balanced" else ())
    back = gs.decompress(gs.compress(make_scene(n, 3), config).to_bytes())
    assert (len(back), back.sh_degree) == (n, 3)
    back.validate()


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4])
def test_every_degree(degree):
    scene = make_scene(300, degree)
    back = gs.decompress(gs.compress(scene, "fast").to_bytes())
    assert back.sh.shape == (300, (degree + 1) ** 2, 3)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_prefix_of_the_file_is_a_scene(preset, tmp_path):
    config = load_config(preset, ["levels=[0.1, 0.5]"], stages="none")
    path = tmp_path / "scene.gsz"
    result = gs.compress(make_scene(600, 2), config)
    result.save(path)
    whole = gs.decompress(path)
    ends = Index.read(path).level_ends()
    assert ends[-1] == path.stat().st_size
    counts = result.container.header["levels"]
    assert counts[-1] == 600
    assert 3 == len(counts) == len(ends)
    for level, (end, count) in enumerate(zip(ends, counts, strict=True)):
        part = gs.decompress(path.read_bytes()[:end], level)
        assert digest(part) == digest(whole.select(slice(count)))
        with pytest.raises(CorruptFileError):
            gs.decompress(path.read_bytes()[: end - 1], level)
    with pytest.raises(InputError, match="0 to 2"):
        gs.decompress(path, 3)


def test_levels_have_about_the_shares_asked_for():
    scene = make_scene(5000, 0)
    config = load_config("fast", ["levels=[0.05, 0.3]", "attributes.importance.octaves=1"])
    first, second, last = gs.compress(scene, config).container.header["levels"]
    assert 0.02 < first / last < 0.1
    assert 0.2 < second / last < 0.45


@pytest.mark.parametrize("levels", ["[0.5, 0.4]", "[0]", "[1.0]", "1", "['a']", f"{[0.01] * 16}"])
def test_levels_that_make_no_sense(levels):
    with pytest.raises(ConfigError, match="levels"):
        load_config("fast", [f"levels={levels}"])


def test_the_first_levels_show_the_scene(demo):
    """The most important quarter of the Gaussians by itself."""
    cameras = gs.load_cameras(ROOT / "scenes" / "cameras.json")[::12]
    result = gs.compress(
        demo, load_config("balanced", ["levels=[0.25]"], stages="none"), cameras=cameras
    )
    first = gs.decompress(result.to_bytes(), 0)
    others = result.decoded().select(slice(len(first), 2 * len(first)))
    scores = [
        np.mean([psnr(gs.render(s, c), gs.render(demo, c)) for c in cameras])
        for s in (first, others)
    ]
    assert scores[0] > 18
    assert scores[0] > scores[1] + 5


def test_lossless_changes_nothing_but_the_order(demo):
    result = gs.compress(demo, "lossless")
    back = gs.decompress(result.to_bytes())

    def rows(scene):
        columns = [getattr(scene, name).reshape(len(scene), -1) for name in ATTRIBUTES]
        table = np.ascontiguousarray(np.concatenate(columns, axis=1)).view(np.int32)
        return table[np.lexsort(table.T)]

    assert (rows(back) == rows(demo)).all()
    zstd = zstandard.ZstdCompressor(level=19).compress((ROOT / "scenes/demo.ply").read_bytes())
    assert result.summary["output_bytes"] < 0.97 * len(zstd)


# What the presets make of the demo scene; a change for the worse must be noticed.
@pytest.mark.parametrize(
    ("preset", "most_bits", "least_psnr"),
    [("fast", 113, 39), ("balanced", 85, 40), ("quality", 128, 47)],
)
def test_quality_on_the_demo_scene(demo, preset, most_bits, least_psnr):
    cameras = gs.load_cameras(ROOT / "scenes/cameras.json")
    train, test = cameras[1::4], cameras[::22]
    result = gs.compress(demo, load_config(preset, stages="none"), cameras=train)
    back = gs.decompress(result.to_bytes())
    quality = [
        psnr(gs.render(back, c, device="cpu"), gs.render(demo, c, device="cpu")) for c in test
    ]
    assert len(result.to_bytes()) * 8 / len(demo) < most_bits
    assert np.mean(quality) > least_psnr


def test_only_the_given_cameras_are_looked_from(monkeypatch):
    scene = make_scene(100, 1)
    cameras = gs.virtual_cameras(scene, 10, width=32, height=32)
    seen = []

    class Spy:
        name = "spy"

        def scores(self, scene, cameras, progress=None, *, removal=True):
            seen.extend(camera.name for camera in cameras)
            ones = np.ones(len(scene), np.float32)
            return Scores(ones, ones, ones, ones.astype(np.int64), ones)

    module = importlib.import_module("gscompress.render")  # gs.render is the function
    monkeypatch.setattr(module, "get_renderer", lambda device: Spy())
    config = load_config("balanced", ["allocate=0"], stages="none")
    gs.compress(scene, config, cameras=cameras[:7])
    assert seen == [camera.name for camera in cameras[:7]]
    seen.clear()
    gs.compress(scene, "fast", cameras=cameras[:7])
    assert seen == []


def test_input_stays_as_it_is():
    scene = make_scene(200, 1)
    before = digest(scene)
    gs.compress(scene, load_config("balanced", HURRIED))
    assert digest(scene) == before


def test_values_that_cannot_be_coded_are_refused():
    scene = make_scene(20, 0)
    means = scene.means.copy()
    means[7, 1] = np.nan
    with pytest.raises(InputError, match="means, row 7"):
        gs.compress(scene.replace(means=means), "fast")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"gaussians": 10**12}, "gaussians"),
        ({"gaussians": -1}, "gaussians"),
        ({"gaussians": True}, "gaussians"),
        ({"sh_degree": 9}, "sh_degree"),
        ({"mode": "3dgs"}, "mode"),
        ({"colour_space": 3}, "colour_space"),
        ({"config": None}, "config"),
        ({"config": {"attributes": {}, "entropy": {}}}, "config"),
    ],
)
def test_headers_that_make_no_sense_are_refused(change, text):
    whole = Container.from_bytes(gs.compress(make_scene(50, 1), "fast").to_bytes(), "x.gsz")
    broken = Container({**whole.header, **change}, whole.chunks)
    with pytest.raises(CorruptFileError, match=text):
        gs.decompress(broken.to_bytes())


def expected_digests():
    return dict(line.split() for line in (GOLDEN / "digests.txt").read_text().splitlines())


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.gsz")), ids=lambda p: p.stem)
def test_old_files_decode_to_the_same_bits(path, threads, monkeypatch):
    """Files that an earlier version wrote, and the digest of what it decoded them to."""
    monkeypatch.setattr(os, "cpu_count", lambda: threads)
    assert digest(gs.decompress(path)) == expected_digests()[path.name]


@pytest.mark.parametrize("kept", [0, 1])
def test_decoding_is_the_same_on_older_processors(kept):
    """The decoder's own core has one build for all; numpy's kernels are chosen at run time."""
    core = np._core._multiarray_umath
    features, absent = core.__cpu_features__, core.__cpu_dispatch__[kept:]
    program = (
        "import sys, gscompress as gs, numpy as np\n"
        "from tests.checks import digest\n"
        "features = np._core._multiarray_umath.__cpu_features__\n"
        f"assert not any(features[name] for name in {absent})\n"
        "for path in sys.argv[1:]: print(digest(gs.decompress(path)))"
    )
    paths = sorted(GOLDEN.glob("*.gsz"))
    environment = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in absent if features[name]),
        "PYTHONPATH": os.pathsep.join(p for p in [str(ROOT), *sys.path] if p),
    }
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [expected_digests()[path.name] for path in paths]


def test_every_preset_has_a_golden_file():
    assert {path.stem for path in GOLDEN.glob("*.gsz")} >= set(preset_names())


def test_entropy_coders_are_interchangeable(demo):
    few = demo.select(np.arange(0, len(demo), 10))
    decoded = {
        coder: digest(gs.compress(few, load_config("fast", [f"entropy.use={coder}"])).decoded())
        for coder in ("mix", "rans", "zstd")
    }
    assert len(set(decoded.values())) == 1
