from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Integers = NDArray[np.int16] | NDArray[np.int32]

# geometry
def morton_encode(positions: NDArray[np.uint32]) -> NDArray[np.uint64]: ...
def morton_decode(codes: NDArray[np.uint64], threads: int = 1) -> NDArray[np.uint32]: ...
def nearest_before(
    positions: NDArray[np.uint32], levels: Sequence[int], window: int, threads: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.uint64]]: ...
def resolve_references(
    residuals: NDArray[np.int32],
    references: NDArray[np.int32],
    trusted: NDArray[np.bool_],
    used: NDArray[np.bool_],
) -> NDArray[np.int32]: ...
def quantize_ycocg(
    rgb: NDArray[np.float32],
    steps: NDArray[np.float64],
    chroma_factor: float,
    first: int,
    rounding: float,
    luma: _Integers,
    chroma: _Integers,
) -> bool: ...
def dequantize_ycocg_in_place(
    rgb: NDArray[np.float32],
    first_steps: NDArray[np.float64],
    higher_steps: NDArray[np.float64],
    chroma_factor: float,
    threads: int,
) -> None: ...
def dequantize_ycocg(
    luma: NDArray[np.int32],
    chroma: NDArray[np.int32],
    steps: NDArray[np.float64],
    chroma_factor: float,
    first: int,
    rgb: NDArray[np.float32],
    threads: int,
) -> None: ...
def search_sh(
    rgb: NDArray[np.float32],
    first_steps: NDArray[np.float64],
    higher_steps: NDArray[np.float64],
    chroma_factor: float,
    *,
    means: NDArray[np.float32],
    eyes: NDArray[np.float32],
    codes: NDArray[np.uint8],
    weights: NDArray[np.float32],
    damping: float,
    bit_price: float,
    sizes: NDArray[np.float32] | None,
    flags: NDArray[np.float32] | None,
    first: NDArray[np.int32],
    luma: NDArray[np.int32],
    chroma: NDArray[np.int32],
    threads: int,
) -> None: ...
def pack_bits(values: NDArray[np.uint64], widths: NDArray[np.uint8]) -> bytes: ...
def unpack_bits(data: bytes, widths: NDArray[np.uint8]) -> NDArray[np.uint64]: ...
def unpack_sums(data: bytes, lengths: NDArray[np.int32]) -> NDArray[np.uint64]: ...
def positions_from_grid(
    grid: NDArray[np.uint32],
    centre: Sequence[float],
    radius: float,
    lower: Sequence[float],
    step: float,
    limit: float,
    threads: int,
) -> NDArray[np.float32]: ...
def scale_planes(
    planes: NDArray[np.int32], steps: NDArray[np.float64], threads: int
) -> NDArray[np.float32]: ...
def quats_from_planes(
    planes: NDArray[np.int32], steps: NDArray[np.float64], threads: int
) -> NDArray[np.float32]: ...
def guess_octaves(
    means: NDArray[np.float32],
    opacity_logits: NDArray[np.float32],
    log_scales: NDArray[np.float32],
    centre: Sequence[float],
    spread: float,
    threads: int,
) -> NDArray[np.float64]: ...

# context
class BrokenStream(Exception): ...

class PlaneModel:
    def __init__(
        self,
        specs: NDArray[np.int32],
        references: NDArray[np.int32],
        nearness: NDArray[np.uint8],
        classes: NDArray[np.uint8],
    ) -> None: ...
    def used(self, count: int) -> int: ...
    def contexts(self) -> NDArray[np.uint16]: ...
    def residuals(self, values: NDArray[np.int32]) -> NDArray[np.int32]: ...
    def values(self, residuals: NDArray[np.int32], out: NDArray[np.int32]) -> None: ...

def encode_planes(
    planes: _Integers,
    specs: NDArray[np.int32],
    references: NDArray[np.int32],
    nearness: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    levels: Sequence[int],
) -> list[bytes]: ...
def decode_plane_streams(
    parts: Sequence[bytes],
    specs: NDArray[np.int32],
    references: NDArray[np.int32],
    nearness: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    levels: Sequence[int],
    rows: Sequence[NDArray[np.int32]],
) -> None: ...
def decode_planes(
    parts: Sequence[bytes],
    specs: NDArray[np.int32],
    references: NDArray[np.int32],
    nearness: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    levels: Sequence[int],
) -> NDArray[np.int32]: ...

# entropy
class CorruptStream(Exception): ...

def rans_encode(
    values: NDArray[np.int32], contexts: NDArray[np.uint16] | None, model: int
) -> bytes: ...
def rans_decode(
    data: bytes, count: int, contexts: NDArray[np.uint16] | None
) -> NDArray[np.int32]: ...

# loss
def photo_loss(
    image: NDArray[np.float32],
    target: NDArray[np.float32],
    ssim_share: float,
    softness: float,
    gradient: NDArray[np.float32],
    threads: int,
) -> float: ...

# optimise
def adam_step(
    values: NDArray[np.float32],
    gradients: NDArray[np.float32],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    rates: NDArray[np.float32],
    beta1: float,
    beta2: float,
    epsilon: float,
    damping: float,
    threads: int,
) -> None: ...

# octree
class BrokenOctree(Exception): ...

def encode_octree(codes: NDArray[np.uint64], depth: int) -> bytes: ...
def decode_octree(data: bytes, count: int, depth: int) -> NDArray[np.uint64]: ...

# rasterizer
def simd_levels() -> list[str]: ...

class Rasterizer:
    def __init__(self, *, threads: int, simd: str | None = None) -> None: ...
    @property
    def simd(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def visible(self) -> int: ...
    @property
    def pairs(self) -> int: ...
    def forward(
        self,
        means: NDArray[np.float32],
        quats: NDArray[np.float32],
        scales: NDArray[np.float32],
        opacities: NDArray[np.float32],
        sh: NDArray[np.float32],
        viewmat: NDArray[np.float64],
        focal: tuple[float, float, float, float],
        blur: float = ...,
        *,
        background: tuple[float, float, float],
        antialiased: bool,
        image: NDArray[np.float32],
        alpha: NDArray[np.float32],
    ) -> None: ...
    def backward(
        self,
        means: NDArray[np.float32],
        quats: NDArray[np.float32],
        scales: NDArray[np.float32],
        opacities: NDArray[np.float32],
        sh: NDArray[np.float32],
        image: NDArray[np.float32],
        alpha: NDArray[np.float32],
        image_gradient: NDArray[np.float32],
        alpha_gradient: NDArray[np.float32] | None,
        *,
        by_means: NDArray[np.float32] | None,
        by_quats: NDArray[np.float32] | None,
        by_scales: NDArray[np.float32] | None,
        by_opacities: NDArray[np.float32] | None,
        by_sh: NDArray[np.float32],
        by_means2d: NDArray[np.float32] | None,
    ) -> None: ...
    def scores(
        self,
        means: NDArray[np.float32],
        quats: NDArray[np.float32],
        scales: NDArray[np.float32],
        opacities: NDArray[np.float32],
        sh: NDArray[np.float32],
        viewmat: NDArray[np.float64],
        focal: tuple[float, float, float, float],
        blur: float = ...,
        *,
        background: tuple[float, float, float],
        antialiased: bool,
        image: NDArray[np.float32],
        alpha: NDArray[np.float32],
        weight_sum: NDArray[np.float64],
        weight_sq_sum: NDArray[np.float64],
        weight_max: NDArray[np.float32],
        hits: NDArray[np.int64],
        removal_effect: NDArray[np.float64] | None,
        transmittance_sum: NDArray[np.float64] | None = None,
        dominated: NDArray[np.int64] | None = None,
    ) -> None: ...

# temporal
def update_slots(
    slots: NDArray[np.int32],
    sums: NDArray[np.int32],
    units: NDArray[np.float64],
    key: Sequence[NDArray[np.float32]],
    now: Sequence[NDArray[np.float32]],
) -> None: ...

class TemporalCoder:
    def __init__(self, widths: Sequence[int], sets: Sequence[int]) -> None: ...
    def append(self, references: NDArray[np.int32], classes: NDArray[np.uint8]) -> None: ...
    def retire(self, slots: NDArray[np.int32]) -> None: ...
    def encode(
        self,
        values: NDArray[np.float32],
        weights: NDArray[np.float32],
        price: float,
        phase: int,
    ) -> tuple[bytes, NDArray[np.int32], NDArray[np.int32]]: ...
    def decode(self, data: bytes, phase: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
    def copy(self) -> TemporalCoder: ...
    @property
    def slots(self) -> int: ...
