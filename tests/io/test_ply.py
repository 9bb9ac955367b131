from __future__ import annotations

import logging
import re
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plyfile import PlyData, PlyElement

from gscompress.errors import InputError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.io import load, save
from gscompress.io.ply import FLAT_LOG_SCALE, OPACITY_LIMIT, PlyFormat
from gscompress.io.ply_rows import BLOCK_ROWS

LOGGER = "gscompress.io.ply"


def make_scene(n: int, degree: int = 3, mode: str = "default", seed: int = 0) -> Gaussians:
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    k = (degree + 1) ** 2
    return Gaussians(normal(n, 3), normal(n, 4), normal(n, 3), normal(n), normal(n, k, 3), mode)


def layout(scene: Gaussians) -> dict[str, np.ndarray]:
    """The INRIA layout spelt out column by column, independent of the code under test."""
    k = scene.sh.shape[1]
    columns = {axis: scene.means[:, i] for i, axis in enumerate("xyz")}
    columns |= {f"n{axis}": np.zeros(len(scene), np.float32) for axis in "xyz"}
    columns |= {f"f_dc_{c}": scene.sh[:, 0, c] for c in range(3)}
    for channel in range(3):
        for j in range(1, k):
            columns[f"f_rest_{channel * (k - 1) + j - 1}"] = scene.sh[:, j, channel]
    columns["opacity"] = scene.opacity_logits
    columns |= {f"scale_{i}": scene.log_scales[:, i] for i in range(3)}
    columns |= {f"rot_{i}": scene.quats[:, i] for i in range(4)}
    return columns


def write(
    path: Path,
    columns: dict[str, np.ndarray],
    *,
    kind: str = "f4",
    kinds: dict[str, str] | None = None,
    text: bool = False,
    order: str = "<",
    comments: tuple[str, ...] = (),
    others: tuple[PlyElement, ...] = (),
    others_first: tuple[PlyElement, ...] = (),
) -> Path:
    """Write columns through plyfile alone."""
    n = len(next(iter(columns.values())))
    rows = np.empty(n, [(name, (kinds or {}).get(name, kind)) for name in columns])
    for name, values in columns.items():
        rows[name] = values
    vertex = PlyElement.describe(rows, "vertex")
    data = PlyData([*others_first, vertex, *others], text, order, comments=list(comments))
    data.write(str(path))
    return path


def assert_same(a: Gaussians, b: Gaussians) -> None:
    for name in ATTRIBUTES:
        x, y = getattr(a, name), getattr(b, name)
        assert x.shape == y.shape
        assert np.array_equal(x.view(np.uint32), y.view(np.uint32)), name
    assert a.mode == b.mode


def refused(path: Path, *parts: str) -> InputError:
    with pytest.raises(InputError) as caught:
        PlyFormat().load(path)
    assert str(path) in str(caught.value)
    for part in parts:
        assert part in str(caught.value), str(caught.value)
    return caught.value


# Reading what others write


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("form", ["little", "big", "text"])
def test_reads_every_degree_in_every_form(tmp_path: Path, degree: int, form: str) -> None:
    scene = make_scene(7, degree)
    path = write(
        tmp_path / "a.ply",
        layout(scene),
        text=form == "text",
        order=">" if form == "big" else "<",
    )
    assert_same(PlyFormat().load(path), scene)


@pytest.mark.parametrize("n", [0, 1, BLOCK_ROWS, BLOCK_ROWS + 1])
@pytest.mark.parametrize("text", [False, True])
def test_reads_any_number_of_rows(tmp_path: Path, n: int, text: bool) -> None:
    scene = make_scene(n, 0)
    assert_same(PlyFormat().load(write(tmp_path / "a.ply", layout(scene), text=text)), scene)


@pytest.mark.parametrize("text", [False, True])
def test_reads_any_order_of_properties(tmp_path: Path, text: bool) -> None:
    scene = make_scene(5, 2)
    names = list(layout(scene))
    np.random.default_rng(1).shuffle(names)
    columns = {name: layout(scene)[name] for name in names}
    assert_same(PlyFormat().load(write(tmp_path / "a.ply", columns, text=text)), scene)


@pytest.mark.parametrize("text", [False, True])
def test_reads_doubles_rounded_to_float32(tmp_path: Path, text: bool) -> None:
    scene = make_scene(5, 1)
    columns = {name: values + 1e-12 for name, values in layout(scene).items()}
    assert_same(PlyFormat().load(write(tmp_path / "a.ply", columns, kind="f8", text=text)), scene)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_reads_mixed_types(tmp_path: Path, text: bool, order: str) -> None:
    scene = make_scene(5, 1)
    whole = np.array([3, 1, 255, 17, 200], np.float32)
    scene = scene.replace(means=np.stack([whole, -whole * 100, whole * 60000], axis=1))
    kinds = {"x": "u1", "y": "i2", "z": "i4", "opacity": "f8"}
    path = write(tmp_path / "a.ply", layout(scene), kinds=kinds, text=text, order=order)
    assert_same(PlyFormat().load(path), scene)


@pytest.mark.parametrize("text", [False, True])
def test_refuses_whole_numbers_that_float32_cannot_hold(tmp_path: Path, text: bool) -> None:
    columns = {name: values.astype("f8") for name, values in layout(make_scene(3, 0)).items()}
    columns["z"] = np.array([0, 2**24 + 1, 1])
    path = write(tmp_path / "a.ply", columns, kinds={"z": "i4"}, text=text)
    refused(path, "property z, row 1", "16777217")


def test_leaves_out_extra_properties_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = make_scene(4, 1)
    columns = {"label": np.arange(4), **layout(scene), "confidence": np.ones(4)}
    pose = PlyElement.describe(np.zeros(2, [("m", "f4"), ("i", "u1")]), "camera")
    for place in ("others", "others_first"):
        caplog.clear()
        path = write(tmp_path / "a.ply", columns, kinds={"label": "u1"}, **{place: (pose,)})
        with caplog.at_level(logging.WARNING, LOGGER):
            assert_same(PlyFormat().load(path), scene)
        (record,) = caplog.records
        assert record.getMessage().endswith("label, confidence, element camera")


def test_does_not_warn_of_normals(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = make_scene(4, 1)
    PlyFormat().load(write(tmp_path / "a.ply", layout(scene)))
    without = {name: values for name, values in layout(scene).items() if name[0] != "n"}
    assert_same(PlyFormat().load(write(tmp_path / "b.ply", without)), scene)
    assert not caplog.records


@pytest.mark.parametrize(
    ("comments", "mode"),
    [
        ([], "default"),
        (["SplatRenderMode: mip"], "mip"),
        (["Exported from Brush", "  SPLATRENDERMODE:MIP "], "mip"),
        (["SplatRenderMode: 2dgs"], "2dgs"),
        (["antialiased 1"], "mip"),
        (["antialiased 0"], "default"),
        (["SplatRenderMode: mip", "SplatRenderMode: default"], "default"),
    ],
)
def test_reads_the_mode_from_comments(tmp_path: Path, comments: list[str], mode: str) -> None:
    path = write(tmp_path / "a.ply", layout(make_scene(2, 0)), comments=tuple(comments))
    assert PlyFormat().load(path).mode == mode


def test_says_that_a_mode_is_unknown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(
        tmp_path / "a.ply", layout(make_scene(2, 0)), comments=("SplatRenderMode: banana",)
    )
    assert PlyFormat().load(path).mode == "default"
    assert "banana" in caplog.text


def test_reads_2dgs_files_which_lack_the_third_scale(tmp_path: Path) -> None:
    scene = make_scene(3, 1)
    columns = layout(scene)
    del columns["scale_2"]
    back = PlyFormat().load(write(tmp_path / "a.ply", columns))
    assert back.mode == "2dgs"
    assert np.array_equal(back.log_scales[:, :2], scene.log_scales[:, :2])
    assert (back.log_scales[:, 2] == FLAT_LOG_SCALE).all()
    PlyFormat().save(back, tmp_path / "b.ply")
    assert "scale_2" not in PlyData.read(str(tmp_path / "b.ply"))["vertex"].data.dtype.names
    assert_same(PlyFormat().load(tmp_path / "b.ply"), back)


def test_applies_the_filter_of_mip_splatting(tmp_path: Path) -> None:
    scene = make_scene(6, 1)
    sizes = np.array([0, 0.1, 0.5, 1, 2, 1e4])
    back = PlyFormat().load(
        write(tmp_path / "a.ply", {**layout(scene), "filter_3D": sizes}, kind="f8")
    )
    assert back.mode == "mip"
    new = np.sqrt(scene.scales.astype("f8") ** 2 + sizes[:, None] ** 2)
    np.testing.assert_allclose(back.scales, new, rtol=1e-6)
    ratio = np.prod(scene.scales / new, axis=1)
    np.testing.assert_allclose(back.opacities, scene.opacities * ratio, rtol=2e-6, atol=1e-8)
    assert back.opacity_logits[5] == -OPACITY_LIMIT
    assert np.array_equal(back.means, scene.means)
    refused(
        write(tmp_path / "b.ply", {**layout(scene), "filter_3D": sizes * np.nan}, kind="f8"),
        "row 0",
        "found nan",
    )
    columns = layout(scene)
    columns["scale_0"] = np.full(6, 3e38)
    refused(write(tmp_path / "c.ply", {**columns, "filter_3D": sizes}), "property scale_0, row 0")


@pytest.mark.parametrize("newline", [b"\r\n", b"\r"])
def test_reads_other_line_ends_and_comments_that_are_not_ascii(
    tmp_path: Path, newline: bytes
) -> None:
    scene = make_scene(3, 0)
    data = write(tmp_path / "a.ply", layout(scene), text=True).read_bytes()
    data = data.replace(b"element", "comment é ☃\u2028\nelement".encode(), 1)
    (tmp_path / "b.ply").write_bytes(data.replace(b"\n", newline))
    assert_same(PlyFormat().load(tmp_path / "b.ply"), scene)


def test_clamps_infinite_opacities_and_says_how_many(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = make_scene(5, 0)
    logits = np.array([np.inf, 1, -np.inf, np.inf, 35], np.float32)
    back = PlyFormat().load(write(tmp_path / "a.ply", layout(scene.replace(opacity_logits=logits))))
    assert back.opacity_logits.tolist() == [OPACITY_LIMIT, 1, -OPACITY_LIMIT, OPACITY_LIMIT, 35]
    assert "property opacity: 3 infinite values" in caplog.text
    # Why this limit: the opacities are those of the infinite logits, or too small to be drawn.
    assert back.opacities[0] == 1
    assert back.opacities[2] < 1 / 255 / 1e6


# Refusing what is wrong


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("text", [False, True])
def test_refuses_values_that_are_not_finite(tmp_path: Path, bad: float, text: bool) -> None:
    scene = make_scene(6, 1)
    for name in layout(scene):
        if name[0] == "n" or (name == "opacity" and not np.isnan(bad)):
            continue
        columns = {key: values.copy() for key, values in layout(scene).items()}
        columns[name][[4, 5]] = bad
        refused(write(tmp_path / "a.ply", columns, text=text), f"property {name}, row 4", str(bad))


def test_names_the_row_beyond_the_first_block(tmp_path: Path) -> None:
    columns = layout(make_scene(2 * BLOCK_ROWS, 0))
    columns["scale_1"] = columns["scale_1"].copy()
    columns["scale_1"][BLOCK_ROWS + 3] = np.nan
    refused(write(tmp_path / "a.ply", columns), f"property scale_1, row {BLOCK_ROWS + 3}:")


def test_refuses_doubles_beyond_float32(tmp_path: Path) -> None:
    columns = {name: values.astype("f8") for name, values in layout(make_scene(3, 0)).items()}
    columns["y"][1] = 1e300
    refused(write(tmp_path / "a.ply", columns, kind="f8"), "property y, row 1")


def test_refuses_rotations_of_length_zero(tmp_path: Path) -> None:
    scene = make_scene(4, 0)
    quats = scene.quats.copy()
    quats[2] = 0, -0.0, 0, 0
    refused(write(tmp_path / "a.ply", layout(scene.replace(quats=quats))), "rot_0..3, row 2")


def test_refuses_missing_properties(tmp_path: Path) -> None:
    scene = make_scene(2, 1)
    for name in layout(scene):
        if name[0] == "n":
            continue
        columns = {key: values for key, values in layout(scene).items() if key != name}
        path = write(tmp_path / "a.ply", columns)
        if name == "scale_2":
            assert PlyFormat().load(path).mode == "2dgs"
        elif name.startswith("f_rest"):
            refused(path, "f_rest_*", "8 of them", "0, 9, 24, 45 or 72")
        else:
            refused(path, f"property {name}")


def test_refuses_gaps_in_the_harmonics(tmp_path: Path) -> None:
    columns = layout(make_scene(2, 1))
    columns["f_rest_9"] = columns.pop("f_rest_4")
    refused(write(tmp_path / "a.ply", columns), "property f_rest_4", "no such property")


def test_says_what_other_plys_are(tmp_path: Path) -> None:
    points = {axis: np.zeros(2, np.float32) for axis in "xyz"}
    refused(write(tmp_path / "a.ply", points), "point cloud or mesh")
    packed = {"packed_position": np.zeros(2)}
    refused(write(tmp_path / "b.ply", packed, kind="u4"), "compressed PLY of PlayCanvas")
    mesh = PlyData([PlyElement.describe(np.zeros(1, [("x", "f4")]), "point")])
    mesh.write(str(tmp_path / "c.ply"))
    refused(tmp_path / "c.ply", "element vertex", "elements point")


@pytest.mark.parametrize("text", [False, True])
def test_refuses_list_properties(tmp_path: Path, text: bool) -> None:
    columns = layout(make_scene(2, 0))
    rows = np.empty(2, [(name, "O" if name == "opacity" else "f4") for name in columns])
    for name, values in columns.items():
        rows[name] = [values[:1]] * 2 if name == "opacity" else values
    vertex = PlyElement.describe(rows, "vertex", val_types={"opacity": "f4"})
    PlyData([vertex], text).write(str(tmp_path / "a.ply"))
    refused(tmp_path / "a.ply", "property opacity", "list property")
    # A list elsewhere is in the way only when it comes first.
    faces = np.empty(2, [("vertex_indices", "O")])
    faces["vertex_indices"] = [np.arange(3), np.arange(4)]
    face = PlyElement.describe(faces, "face")
    path = write(tmp_path / "b.ply", columns, text=text, others_first=(face,))
    refused(path, "element face, property vertex_indices", "list property")
    path = write(tmp_path / "c.ply", columns, text=text, others=(face,))
    assert_same(PlyFormat().load(path), make_scene(2, 0))


@pytest.mark.parametrize("text", [False, True])
def test_refuses_truncated_and_overlong_bodies(tmp_path: Path, text: bool) -> None:
    path = write(tmp_path / "a.ply", layout(make_scene(9, 1)), text=text)
    data = path.read_bytes()
    body = data.index(b"end_header\n") + 11
    # A number of text that lost its last digits is still a number: cut it off whole.
    last = data.rindex(b" ") if text else len(data) - 1
    for cut in (body, body + 1, body + 40, (body + len(data)) // 2, last):
        path.write_bytes(data[:cut])
        refused(path)
    path.write_bytes(data + (b"1 2 3\n" if text else b"\0"))
    refused(path, "something was appended")
    path.write_bytes(data[: body - 5])
    refused(path, "end_header")


@pytest.mark.parametrize("count", ["1000000000000000000", "9" * 19, "9" * 5000, "-1", "1e3", "1_0"])
@pytest.mark.parametrize("text", [False, True])
def test_refuses_absurd_counts_before_allocating(tmp_path: Path, count: str, text: bool) -> None:
    path = write(tmp_path / "a.ply", layout(make_scene(3, 0)), text=text)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"vertex 3", b"vertex " + count.encode()))
    tracemalloc.start()
    try:
        refused(path, "element vertex")
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    # An element before ours must not be able to send us far away either.
    path.write_bytes(data.replace(b"element", b"element e " + count.encode() + b"\nelement", 1))
    if count.isdigit() and not text:
        assert_same(PlyFormat().load(path), make_scene(3, 0)) if len(count) < 20 else refused(path)
    else:
        refused(path, "element")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"hello", "starts with b'hello'"),
        (b"ply", "starts with b'ply'"),
        (b"ply\n", "no line 'end_header'"),
        (b"ply\nend_header\n", "header"),
        (b"ply\nformat ascii 1.0\nend_header\n", "element vertex"),
        (b"ply\nformat ascii 2.0\nend_header\n", "1.0"),
        (b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n", "property x"),
        (b"ply\nformat ascii 1.0\nelement vertex\nend_header\n", "header"),
        (b"ply\nformat ascii 1.0\nelement vertex 1 1\nend_header\n", "header"),
        (b"ply\nformat ascii 1.0\nelement v 1\nproperty half x\nend_header\n", "half"),
        (b"ply\nformat ascii 1.0\nelement v 1\nelement v 1\nend_header\n", "two elements"),
        (b"ply\nformat ascii 1.0\nproperty float x\nend_header\n", "header"),
        (b"ply\nformat ascii 1.0\n" + b"element v 0\n" * 10000 + b"end_header\n", "10001 lines"),
        (b"ply\nformat ascii 1.0\n" + b"comment \n" * 200000, "end_header"),
    ],
)
def test_refuses_files_that_are_no_ply(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.ply").write_bytes(content)
    refused(tmp_path / "a.ply", words)


def test_refuses_a_property_that_comes_twice(tmp_path: Path) -> None:
    data = write(tmp_path / "a.ply", layout(make_scene(3, 0))).read_bytes()
    (tmp_path / "a.ply").write_bytes(data.replace(b"property float ny", b"property float nx"))
    refused(tmp_path / "a.ply", "two properties with same name")


@pytest.mark.parametrize(
    "row", ["", "1 2", "abc", "1 2 3 four", "1_0", "0x10", "1,2", " ".join("1" * 99), "\0" * 40]
)
def test_names_the_row_of_text_that_is_no_numbers(tmp_path: Path, row: str) -> None:
    path = write(tmp_path / "a.ply", layout(make_scene(5, 0)), text=True)
    lines = path.read_text().splitlines()
    lines[-2] = row.ljust(60, " ") if row else row
    path.write_text("\n".join(lines) + "\n")
    refused(path, "element vertex, row 3", "17 numbers")


# Saving


@pytest.mark.parametrize(
    ("n", "degree"),
    [*((1, degree) for degree in range(5)), (0, 0), (0, 3), (BLOCK_ROWS, 0), (BLOCK_ROWS + 1, 1)],
)
def test_writes_the_layout_that_plyfile_reads(tmp_path: Path, n: int, degree: int) -> None:
    scene = make_scene(n, degree)
    save(scene, tmp_path / "a.ply")
    vertex = PlyData.read(str(tmp_path / "a.ply"), mmap=False)["vertex"].data
    expected = layout(scene)
    assert list(vertex.dtype.names) == list(expected)
    for name, values in expected.items():
        assert vertex[name].dtype == np.dtype("<f4")
        assert np.array_equal(vertex[name], values)


@pytest.mark.parametrize("mode", ["default", "mip", "2dgs"])
def test_keeps_the_mode(tmp_path: Path, mode: str) -> None:
    scene = make_scene(3, 1, mode)
    save(scene, tmp_path / "a.ply")
    assert_same(load(tmp_path / "a.ply"), scene)
    comments = PlyData.read(str(tmp_path / "a.ply")).comments
    assert comments == ([] if mode == "default" else [f"SplatRenderMode: {mode}"])


@pytest.mark.parametrize("degree", range(4))
def test_gsply_reads_what_we_write(tmp_path: Path, degree: int) -> None:
    gsply = pytest.importorskip("gsply")
    scene = make_scene(50, degree)
    save(scene, tmp_path / "a.ply")
    other = gsply.plyread(str(tmp_path / "a.ply"))
    assert np.array_equal(other.means, scene.means)
    assert np.array_equal(other.quats, scene.quats)
    assert np.array_equal(other.scales, scene.log_scales)
    assert np.array_equal(np.ravel(other.opacities), scene.opacity_logits)
    assert np.array_equal(other.sh0, scene.sh[:, 0])
    if degree:
        assert np.array_equal(other.shN, scene.sh[:, 1:])


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def scenes(draw: st.DrawFn) -> Gaussians:
    n = draw(st.integers(0, 5))
    k = draw(st.sampled_from([1, 4, 9, 16, 25]))

    def array(*shape: int) -> np.ndarray:
        return draw(hnp.arrays(np.float32, shape, elements=finite))

    quats = array(n, 4)
    quats[~quats.any(axis=1)] = 1, 0, 0, 0
    mode = draw(st.sampled_from(["default", "mip", "2dgs"]))
    return Gaussians(array(n, 3), quats, array(n, 3), array(n), array(n, k, 3), mode)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(scene=scenes(), text=st.booleans(), order=st.sampled_from("<>"))
def test_round_trips(tmp_path: Path, scene: Gaussians, text: bool, order: str) -> None:
    save(scene, tmp_path / "a.ply", overwrite=True)
    assert_same(load(tmp_path / "a.ply"), scene)
    save(load(tmp_path / "a.ply"), tmp_path / "b.ply", overwrite=True)
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()
    foreign = write(tmp_path / "c.ply", layout(scene), text=text, order=order)
    assert_same(load(foreign).replace(mode=scene.mode), scene)


# Hostile files


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four random edits; half of the time in the header."""
    mutant = bytearray(data)
    header = data.index(b"end_header") + 11
    for _ in range(rng.integers(1, 5)):
        if not mutant:
            break
        end = min(header, len(mutant)) if rng.random() < 0.5 else len(mutant)
        at = int(rng.integers(end))
        match rng.integers(7):
            case 0:
                mutant[at] ^= 1 << int(rng.integers(8))
            case 1:
                mutant[at] = int(rng.integers(256))
            case 2:
                del mutant[at : at + int(rng.integers(1, 40))]
            case 3:
                mutant[at:at] = mutant[at : at + int(rng.integers(1, 40))]
            case 4:
                mutant[at:at] = rng.bytes(int(rng.integers(1, 9)))
            case 5:
                del mutant[at:]
            case 6:  # a number or word where another was
                words = [b"99999999999", b"-1", b"list uchar int", b"double", b"nan", b"1e400", b""]
                found = list(re.finditer(rb"\S+", bytes(mutant[:end])))
                if found:
                    word = found[int(rng.integers(len(found)))]
                    mutant[word.start() : word.end()] = words[int(rng.integers(len(words)))]
    return bytes(mutant)


@pytest.mark.filterwarnings("error")
def test_survives_mutated_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(20)
    seeds = [
        write(tmp_path / "seed.ply", layout(make_scene(20, degree)), **form).read_bytes()
        for degree in (0, 1)
        for form in ({}, {"order": ">"}, {"text": True}, {"kind": "f8"}, {"kinds": {"x": "f8"}})
    ]
    path = tmp_path / "mutant.ply"
    refusals = 0
    for i in range(1500):
        path.write_bytes(mutate(seeds[i % len(seeds)], rng))
        if i % 10 == 0:  # tracing makes everything slower
            tracemalloc.start()
        start = time.perf_counter()
        try:
            PlyFormat().load(path).validate()
        except InputError:
            refusals += 1
        assert time.perf_counter() - start < 5  # no hang; it takes milliseconds
        if tracemalloc.is_tracing():
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 8e6
    assert 500 < refusals < 1500  # the mutations neither all miss nor all destroy


# Real files


@pytest.mark.parametrize(
    ("name", "n", "degree"),
    [
        ("bonsai/point_cloud.ply", 165_000, 3),
        ("small/iteration_7000_9k.ply", 9_080, 3),
        ("basketball/frames/frame_0000.ply", 59_114, 1),
    ],
)
def test_real_scenes_survive_bit_for_bit(
    shared_data: Path, tmp_path: Path, name: str, n: int, degree: int
) -> None:
    scene = load(shared_data / name)
    assert (len(scene), scene.sh_degree, scene.mode) == (n, degree, "default")
    rows = PlyData.read(str(shared_data / name))["vertex"].data
    for column, values in layout(scene).items():
        assert np.array_equal(rows[column], values), column
    save(scene, tmp_path / "a.ply")
    again = load(tmp_path / "a.ply")
    assert_same(again, scene)
    # A float at a known place, read by hand: f_dc_1 of the last row of our own file.
    raw = (tmp_path / "a.ply").read_bytes()
    row = 4 * len(layout(scene))
    assert struct.unpack("<f", raw[-row + 28 : -row + 32])[0] == scene.sh[-1, 0, 1]
