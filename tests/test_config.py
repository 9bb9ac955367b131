from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from gscompress import config as config_module
from gscompress.config import Config, component, load_config, preset_names, to_table
from gscompress.errors import ConfigError
from gscompress.registry import Registry


@dataclass(frozen=True)
class Level:
    bits: int
    share: float = 1.0


@dataclass(frozen=True)
class Morton:
    bits: int = 14
    levels: tuple[Level, ...] = ()
    base: Level | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 21:
            raise ValueError(f"bits is {self.bits}, must be 1 to 21")


@dataclass(frozen=True)
class Scalar:
    step: float
    steps: tuple[float, ...] = ()
    size: tuple[int, int] = (1, 2)
    space: Literal["linear", "log"] = "linear"
    centred: bool = False
    limit: int | None = None
    names: dict[str, int] | None = None

    def __post_init__(self) -> None:
        if self.step <= 0:
            raise ConfigError("Scalar", "step", found=self.step, expected="more than 0")


@dataclass(frozen=True)
class Prune:
    keep: float = 0.5
    score: str = "removal_effect"


@dataclass(frozen=True)
class Rans:
    pass


CODECS = Registry(
    "codec", "tests.none", {"morton": f"{__name__}:Morton", "scalar": f"{__name__}:Scalar"}
)
CODERS = Registry("coder", "tests.none", {"rans": f"{__name__}:Rans"})
STAGES = Registry("stage", "tests.none", {"prune": f"{__name__}:Prune"})

TOML = """
[[stages]]
use = "prune"
keep = 0.45

[attributes]
means = { use = "morton", bits = 12, levels = [{ bits = 3 }, { bits = 4, share = 0.5 }] }
opacities = { use = "scalar", step = 0.02 }
scales = { use = "scalar", step = 0.05, space = "log" }
quats = { use = "scalar", step = 1 }
sh = { use = "scalar", step = 0.1, steps = [1, 2.5], size = [3, 4], limit = 7 }

[entropy]
use = "rans"
"""


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "_registries", lambda: (STAGES, CODECS, CODERS))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("x.toml").write_text(TOML)
    return "x.toml"


def message(call: Any, *args: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*args)
    return str(caught.value)


def test_a_file_becomes_typed_components(path: str) -> None:
    config = load_config(path)
    assert config.stages == (Prune(keep=0.45),)
    assert list(config.attributes) == ["means", "opacities", "scales", "quats", "sh"]
    assert config.attributes["means"] == Morton(12, (Level(3), Level(4, 0.5)))
    quats = config.attributes["quats"]
    assert isinstance(quats, Scalar)
    assert isinstance(quats.step, float)
    assert config.attributes["sh"] == Scalar(0.1, (1.0, 2.5), (3, 4), limit=7)
    assert config.entropy == Rans()


def test_the_resolved_configuration_survives_json(path: str) -> None:
    config = load_config(path)
    stored = json.loads(json.dumps(config.to_dict()))
    assert stored["stages"] == [{"use": "prune", "keep": 0.45, "score": "removal_effect"}]
    assert Config.from_dict(stored, "header") == config
    assert load_config(config) == config


def test_to_table_is_the_inverse_of_component() -> None:
    for value, name in (
        (Morton(3, base=Level(2)), "morton"),
        (Scalar(1.5, names={"a": 1}), "scalar"),
    ):
        assert component(CODECS, to_table(value, name), "x") == value
    assert to_table(Morton(3), "morton") == {"use": "morton", "bits": 3, "levels": []}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (3, "x: found the integer 3, expected a table"),
        ({}, "x: found no such field, expected a field 'use'"),
        (
            {"use": "mortn"},
            "x: found unknown codec 'mortn', expected one of morton, scalar. "
            "Did you mean 'morton'?",
        ),
        ({"use": ["a"]}, "x: found unknown codec ['a'], expected one of morton, scalar"),
        (
            {"use": "morton", "bist": 3},
            "x: found unknown field 'bist', expected one of bits, levels, base. "
            "Did you mean 'bits'?",
        ),
        ({"use": "morton", "bits": 3.0}, "x.bits: found the float 3.0, expected integer"),
        ({"use": "morton", "bits": True}, "x.bits: found the boolean True, expected integer"),
        ({"use": "morton", "bits": "3"}, "x.bits: found the string '3', expected integer"),
        ({"use": "morton", "bits": 22}, "x: bits is 22, must be 1 to 21"),
        (
            {"use": "morton", "levels": 3},
            "x.levels: found the integer 3, expected a list of tables",
        ),
        (
            {"use": "morton", "levels": [{"bits": 1}, {"bit": 1}]},
            "x.levels[1]: found unknown field 'bit', expected one of bits, share. "
            "Did you mean 'bits'?",
        ),
        ({"use": "morton", "base": {}}, "x.base: found no such field, expected a field 'bits'"),
        ({"use": "scalar"}, "x: found no such field, expected a field 'step'"),
        ({"use": "scalar", "step": True}, "x.step: found the boolean True, expected float"),
        ({"use": "scalar", "step": 0}, "x: step: found 0.0, expected more than 0"),
        (
            {"use": "scalar", "step": 1, "steps": [1, "a"]},
            "x.steps[1]: found the list [1, 'a'], expected float",
        ),
        (
            {"use": "scalar", "step": 1, "size": [1]},
            "x.size: found the list [1], expected list of length 2",
        ),
        (
            {"use": "scalar", "step": 1, "space": "lag"},
            "x.space: found the string 'lag', expected one of 'linear', 'log'. Did you mean 'log'?",
        ),
        (
            {"use": "scalar", "step": 1, "centred": 1},
            "x.centred: found the integer 1, expected boolean",
        ),
        (
            {"use": "scalar", "step": 1, "limit": "a"},
            "x.limit: found the string 'a', expected integer",
        ),
    ],
)
def test_component_errors(table: object, expected: str) -> None:
    assert message(component, CODECS, table, "x") == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "keep = 0.45",
            "kep = 0.45",
            "x.toml: stages[0]: found unknown field 'kep', expected one of keep, score. "
            "Did you mean 'keep'?",
        ),
        (
            "keep = 0.45",
            'keep = "a"',
            "x.toml: stages[0].keep: found the string 'a', expected float",
        ),
        (
            "[entropy]",
            "[entropi]",
            "x.toml: found unknown field 'entropi', expected one of levels, allocate, stages, "
            "attributes, entropy. "
            "Did you mean 'entropy'?",
        ),
        (
            "opacities =",
            "opacity =",
            "x.toml: attributes: found unknown field 'opacity', expected one of means, "
            "importance, opacities, scales, quats, sh. Did you mean 'opacities'?",
        ),
        (
            'opacities = { use = "scalar", step = 0.02 }\n',
            "",
            "x.toml: attributes: found no such field, expected a field 'opacities'",
        ),
        (
            "[[stages]]",
            "[stages]",
            "x.toml: stages: found a table, expected a list of tables",
        ),
        (
            "[entropy]",
            "[entropy",
            "x.toml: not valid TOML: Expected ']' at the end of a table declaration "
            "(at line 13, column 9)",
        ),
    ],
)
def test_file_errors(path: str, old: str, new: str, expected: str) -> None:
    assert old in TOML
    Path(path).write_text(TOML.replace(old, new))
    assert message(load_config, path) == expected


def test_source_errors(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "_preset_folder", Path)
    assert preset_names() == ["x"]
    assert load_config("x") == load_config(path)
    assert message(load_config, "y.toml") == (
        "y.toml: found no such file, expected a TOML configuration"
    )
    assert message(load_config, "xx") == (
        "preset 'xx': found no such preset, expected one of x. Did you mean 'x'?"
    )


def test_overrides(path: str) -> None:
    config = load_config(
        path,
        [
            "stages.prune.keep=0.9",
            "stages.0.score=weight_sum",
            "attributes.means.levels.1.bits = 9",
            'attributes.sh={use="morton", bits=2}',
            "attributes.quats.use=morton",
            "attributes.quats.bits=5",
            "attributes.opacities.steps=[1, 2]",
        ],
    )
    assert config.stages == (Prune(0.9, "weight_sum"),)
    assert config.attributes["means"] == Morton(12, (Level(3), Level(9, 0.5)))
    assert config.attributes["sh"] == Morton(2)
    assert config.attributes["quats"] == Morton(5)
    assert config.attributes["opacities"] == Scalar(0.02, (1.0, 2.0))
    assert load_config(config, ["stages.prune.keep=1"]).stages[0] == Prune(1.0, "weight_sum")


def test_overrides_leave_the_given_configuration_as_it_is(path: str) -> None:
    config = load_config(path)
    load_config(config, ["attributes.means.bits=3", "stages.0.keep=0.1"])
    assert config == load_config(path)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("keep", "found 'keep', expected PATH=VALUE, such as stages.prune.keep=0.5"),
        ("a..b=1", "found 'a..b=1', expected PATH=VALUE, such as stages.prune.keep=0.5"),
        ("stages.prune.keep=1..", "found '1..', expected a TOML value"),
        (
            "stages.prun.keep=1",
            "found no 'prun' in 'stages', expected one of prune. Did you mean 'prune'?",
        ),
        ("stages.1.keep=1", "found no '1' in 'stages', expected one of prune"),
        (
            "attribute.sh.step=1",
            "found no 'attribute', expected one of stages, attributes, entropy. "
            "Did you mean 'attributes'?",
        ),
        ("attributes.sh.step.x=1", "found no table at 'attributes.sh.step'"),
    ],
)
def test_override_errors(path: str, override: str, expected: str) -> None:
    assert message(load_config, path, [override]) == f"--set {override}: {expected}"


def test_an_ambiguous_stage_is_named_by_its_index(path: str) -> None:
    Path(path).write_text(TOML + '[[stages]]\nuse = "prune"\n')
    assert message(load_config, path, ["stages.prune.keep=1"]) == (
        "--set stages.prune.keep=1: found 2 entries 'prune' in 'stages', expected one. "
        "Name it by its index: 0, 1."
    )
    stages = load_config(path, ["stages.1.keep=1"]).stages
    assert stages == (Prune(0.45), Prune(1.0))


def test_overridden_values_are_checked(path: str) -> None:
    assert message(load_config, path, ["stages.prune.kep=1"]) == (
        "x.toml: stages[0]: found unknown field 'kep', expected one of keep, score. "
        "Did you mean 'keep'?"
    )


def test_stages_none(path: str) -> None:
    assert load_config(path, stages="none").stages == ()
    assert "'none'" in message(load_config, path, (), "some")


def test_id_of() -> None:
    assert CODECS.id_of(Morton()) == "morton"
    with pytest.raises(ConfigError, match="not registered"):
        CODECS.id_of(Prune())
