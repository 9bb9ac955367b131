"""The scale of quality: finer steps, larger files, smaller errors."""

from __future__ import annotations

import numpy as np
import pytest

import gscompress as gs
from gscompress.codecs.exact import Exact
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.morton import Morton
from gscompress.config import load_config, preset_names
from gscompress.errors import InputError
from gscompress.rate import Encoder, octaves_of_quality, scaled
from gscompress.rate.bounds import find_errors
from gscompress.rate.scale import MAX_OCTAVES, MIN_OCTAVES
from tests.checks import importances, make_scene


def test_size_grows_and_errors_shrink_with_the_octaves() -> None:
    scene = make_scene(2000, 3)
    encoder, config = Encoder(scene, scene, Guidance(importances(scene))), load_config("balanced")
    sizes, errors = [], []
    for octaves in np.arange(-4.0, 4.5, 1):
        encoded = encoder.encode(scaled(config, octaves))
        sizes.append(encoded.size)
        found = find_errors(encoded.arranged, encoded.decoded)
        errors.append([found[name] for name in ("means", "opacities", "quats", "sh0", "shN")])
    assert (np.diff(sizes) > 0).all()
    steps = np.diff(errors, axis=0)
    assert (steps[1:] <= 0).all()  # the coarsest rotations and opacities saturate
    assert (np.array(errors[-1]) < np.array(errors[0]) / 3).all()


def test_an_octave_halves_steps() -> None:
    finer = scaled(load_config("balanced"), 1).to_dict()["attributes"]
    assert finer["sh"]["step"] == 0.01375
    assert finer["sh"]["sh_step"] == 0.044
    assert finer["sh"]["chroma"] == 2
    assert finer["scales"]["step"] == 0.055
    assert finer["quats"]["step"] == 0.0088
    assert finer["opacities"]["levels"] == 102
    assert finer["means"]["bits"] == 17
    assert finer["importance"] == load_config("balanced").to_dict()["attributes"]["importance"]


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("octaves", [MIN_OCTAVES, -0.3, 0, 0.3, MAX_OCTAVES])
def test_every_preset_stays_a_valid_configuration(preset: str, octaves: float) -> None:
    config = scaled(load_config(preset), octaves)
    assert type(config).from_dict(config.to_dict()) == config
    scene = make_scene(50, 1)
    result = gs.compress(scene, config, cameras=None) if preset == "fast" else None
    if result is not None:
        assert len(gs.decompress(result.to_bytes())) == 50


def test_codecs_stop_at_their_limits() -> None:
    assert Morton(bits=20).scaled(2**-5).bits == 21
    assert Morton(bits=5).scaled(2**5).bits == 4
    assert Exact().scaled(0.5) == Exact()


def test_quality_maps_onto_octaves() -> None:
    assert [octaves_of_quality(q) for q in (1, 60, 70, 100)] == [-5.9, 0, 1, 4]
    for quality in (0, 100.5, float("nan")):
        with pytest.raises(InputError, match="expected 1 to 100"):
            octaves_of_quality(quality)


def test_quality_60_is_the_configuration_itself() -> None:
    scene = make_scene(200)
    plain = gs.compress(scene, "fast")
    same = gs.compress(scene, "fast", quality=60)
    assert same.to_bytes() == plain.to_bytes()
    assert plain.summary["rate"] is None
    assert same.summary["rate"] == {
        "kind": "quality", "target": 60, "reached": 60, "octaves": 0, "encodes": 1
    }  # fmt: skip
    better = gs.compress(scene, "fast", quality=72.5)
    assert len(better.to_bytes()) > len(plain.to_bytes())
    assert better.summary["rate"]["octaves"] == 1.25
