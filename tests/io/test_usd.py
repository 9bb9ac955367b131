from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gscompress.errors import MissingDependencyError
from gscompress.io import detect_format, load, save
from gscompress.io.axes import moved, turned
from tests.io.format_checks import assert_within, make_scene, refused

EXACT = {"means": 0.0, "log_scales": 2e-6, "degrees": 1e-3, "opacities": 2e-7, "dc": 0.0, "sh": 0.0}
SCHEMA = "ParticleField3DGaussianSplat"


@pytest.fixture
def pxr() -> Any:
    pytest.importorskip("pxr", reason="needs the extra usd")
    from pxr import Gf, Usd, UsdGeom, UsdVol  # noqa: F401

    return sys.modules["pxr"]


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("ending", ["usdc", "usda", "usd"])
def test_round_trip(
    pxr: Any, tmp_path: Path, degree: int, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    mode = ("default", "mip", "2dgs")[degree % 3]
    scene = make_scene(100, degree, mode)  # type: ignore[arg-type]
    path = tmp_path / f"a.{ending}"
    save(scene, path)
    assert_within(scene, load(path), **EXACT)
    assert not caplog.records
    path.rename(tmp_path / "a.dat")
    assert detect_format(tmp_path / "a.dat").id == "usd"


def test_what_is_written(pxr: Any, tmp_path: Path) -> None:
    """By the schema's own accessors: activated values, right, up and back."""
    scene = make_scene(50, 1)
    save(scene, tmp_path / "a.usdc")
    stage = pxr.Usd.Stage.Open(str(tmp_path / "a.usdc"))
    assert pxr.UsdGeom.GetStageUpAxis(stage) == "Y"
    splats = pxr.UsdVol.ParticleField3DGaussianSplat(stage.GetDefaultPrim())
    means = np.array(splats.GetPositionsAttr().Get())
    assert np.array_equal(means, scene.means * np.array([1, -1, -1]))
    np.testing.assert_allclose(np.array(splats.GetScalesAttr().Get()), scene.scales, rtol=1e-6)
    opacities = np.array(splats.GetOpacitiesAttr().Get())
    np.testing.assert_allclose(opacities, scene.opacities, atol=1e-6)
    first = splats.GetOrientationsAttr().Get()[0]
    stored = turned(scene, "RDF", "RUB").unit_quats[0]
    np.testing.assert_allclose([first.real, *first.imaginary], stored, atol=1e-6)
    assert splats.GetRadianceSphericalHarmonicsDegreeAttr().Get() == 1
    sh = np.array(splats.GetRadianceSphericalHarmonicsCoefficientsAttr().Get()).reshape(50, 4, 3)
    assert np.array_equal(sh[:, 0], scene.sh[:, 0])
    assert np.array_equal(sh[:, 1], -scene.sh[:, 1])  # odd in y
    low, high = np.array(splats.GetExtentAttr().Get())
    assert (low < means.min(axis=0)).all()
    assert (high > means.max(axis=0)).all()


def test_reads_what_the_schema_allows(pxr: Any, tmp_path: Path) -> None:
    """Half precision, what is left out, Z up, and a placement."""
    (tmp_path / "a.usda").write_text(f"""#usda 1.0
(
    upAxis = "Z"
)
def Xform "Place"
{{
    double3 xformOp:translate = (0, 0, 5)
    uniform token[] xformOpOrder = ["xformOp:translate"]
    def {SCHEMA} "A"
    {{
        point3h[] positionsh = [(1, 2, 3), (0, 0, 0)]
        half3[] scalesh = [(1, 2, 4), (1, 1, 1), (9, 9, 9)]
        half[] opacitiesh = [0.5]
    }}
}}
""")
    scene = load(tmp_path / "a.usda")
    # Z up to right, up, back is (x, z, -y); to right, down, front (x, -z, y).
    assert scene.means.tolist() == [[1, -8, 2], [0, -5, 0]]
    assert (scene.opacity_logits == 20).all()  # too few to count
    np.testing.assert_allclose(np.exp(scene.log_scales), [[1, 2, 4], [1, 1, 1]], rtol=1e-6)
    assert scene.sh.tolist() == [[[0, 0, 0]], [[0, 0, 0]]]


def test_a_placement_turns_harmonics(pxr: Any, tmp_path: Path) -> None:
    scene = make_scene(30, 3)
    save(scene, tmp_path / "a.usdc")
    stage = pxr.Usd.Stage.Open(str(tmp_path / "a.usdc"))
    xform = pxr.UsdGeom.Xformable(stage.GetDefaultPrim())
    xform.AddRotateZOp().Set(90.0)
    stage.GetRootLayer().Export(str(tmp_path / "b.usdc"))
    quarter = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float64)
    expected = turned(moved(turned(scene, "RDF", "RUB"), quarter), "RUB", "RDF")
    near = EXACT | {"means": 1e-5, "sh": 1e-5, "degrees": 0.01}
    assert_within(expected, load(tmp_path / "b.usdc"), **near)
    xform.AddScaleOp().Set(pxr.Gf.Vec3f(1, 2, 1))
    stage.GetRootLayer().Export(str(tmp_path / "b.usdc"))
    refused(lambda: load(tmp_path / "b.usdc"), "/Splats", "scaled differently")


def test_refuses(pxr: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.usda"
    for text, part in (
        ("#usda 1.0\nrubbish", "a stage of OpenUSD"),
        ('#usda 1.0\ndef Xform "A"\n{\n}\n', SCHEMA),
        (f'#usda 1.0\ndef {SCHEMA} "A"\n{{\npoint3f[] positions = [(nan, 0, 0)]\n}}\n', "means"),
        (
            f'#usda 1.0\ndef {SCHEMA} "A"\n{{\npoint3f[] positions = [(1, 0, 0)]\n'
            "float3[] scales = [(1, -1, 0)]\n}\n",
            "scales, row 0",
        ),
    ):
        path.write_text(text)
        refused(lambda: load(path), "a.usda", part)
    (tmp_path / "b.usdc").write_bytes(b"PXR-USDC" + b"x" * 100)
    refused(lambda: load(tmp_path / "b.usdc"), "b.usdc")
    refused(lambda: save(make_scene(3), tmp_path / "a.usdz"), ".usdc")


def test_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(MissingDependencyError, match=r"gscompress\[usd\]"):
        save(make_scene(3), tmp_path / "a.usdc")
    (tmp_path / "a.usda").write_text("#usda 1.0\n")
    with pytest.raises(MissingDependencyError, match="usd"):
        load(tmp_path / "a.usda")
