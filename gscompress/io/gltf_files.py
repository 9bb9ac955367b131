"""The files of a glTF: JSON and buffers, of a .glb or beside a .gltf. Knows nothing of Gaussians.

Every range is checked against its buffer before it is read. A buffer's file lies in the folder of
the .gltf or below it; nothing else is opened.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar
from urllib.parse import unquote, unquote_to_bytes

import msgspec
import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.files import open_input, read_input
from gscompress.gaussians import Array
from gscompress.io.quantised import check_count

__all__ = ["MAGIC", "Document", "GltfFiles", "Primitive", "Splats", "glb", "placed"]

MAGIC = b"glTF"
_HEAD = struct.Struct("<4sII")
_CHUNK = struct.Struct("<I4s")
_LARGEST = 2**32 - 1
_DAMAGED = "The file is cut short or damaged: copy or export it again."

Index = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
Bytes = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
Three = tuple[float, float, float]

COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


class Buffer(msgspec.Struct):
    """Bytes: the second chunk of a .glb, a data URI or a file."""

    byteLength: Bytes
    uri: str | None = None


class BufferView(msgspec.Struct):
    """A range of a buffer."""

    buffer: Index
    byteLength: Bytes
    byteOffset: Bytes = 0
    byteStride: Annotated[int, msgspec.Meta(ge=4, le=252)] | None = None


class Accessor(msgspec.Struct):
    """Numbers in a range."""

    componentType: int
    count: Bytes
    type: str
    bufferView: Index | None = None
    byteOffset: Bytes = 0
    normalized: bool = False
    sparse: msgspec.Raw | None = None


class Compressed(msgspec.Struct):
    """Where the bytes of an SPZ are."""

    bufferView: Index


class Codecs(msgspec.Struct):
    """The compressions that are known."""

    spz_2: Compressed | None = msgspec.field(
        name="KHR_gaussian_splatting_compression_spz_2", default=None
    )
    spz: Compressed | None = msgspec.field(
        name="KHR_gaussian_splatting_compression_spz", default=None
    )


class Extras(msgspec.Struct):
    """What we add for ourselves."""

    mode: str = "default"


class Splats(msgspec.Struct):
    """The extension KHR_gaussian_splatting of a primitive."""

    NAME: ClassVar[str] = "KHR_gaussian_splatting"

    kernel: str = "ellipse"
    colorSpace: str = "srgb_rec709_display"
    extensions: Codecs = msgspec.field(default_factory=Codecs)
    extras: Any = None

    @property
    def mode(self) -> str:
        """The mode that we wrote, if we did."""
        try:
            return msgspec.convert(self.extras, Extras).mode
        except msgspec.ValidationError:
            return "default"


class Extensions(msgspec.Struct):
    """Of a primitive."""

    splats: Splats | None = msgspec.field(name=Splats.NAME, default=None)


class Primitive(msgspec.Struct):
    """A part of a mesh."""

    attributes: dict[str, Index]
    mode: int = 4
    extensions: Extensions = msgspec.field(default_factory=Extensions)


class Mesh(msgspec.Struct):
    """Its parts."""

    primitives: list[Primitive]


class Node(msgspec.Struct):
    """A place in the scene."""

    mesh: Index | None = None
    children: list[Index] = []
    matrix: Annotated[list[float], msgspec.Meta(min_length=16, max_length=16)] | None = None
    translation: Three = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    scale: Three = (1.0, 1.0, 1.0)


class Scene(msgspec.Struct):
    """Its topmost nodes."""

    nodes: list[Index] = []


class Asset(msgspec.Struct):
    """The version of glTF."""

    version: str


class Document(msgspec.Struct):
    """What of the JSON concerns us."""

    asset: Asset
    scene: Index = 0
    scenes: list[Scene] = []
    nodes: list[Node] = []
    meshes: list[Mesh] = []
    accessors: list[Accessor] = []
    bufferViews: list[BufferView] = []
    buffers: list[Buffer] = []
    extensionsRequired: list[str] = []


class GltfFiles:
    """A glTF opened for reading.

    Raises:
        InputError: It is cut, damaged or no glTF of version 2.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_input(path) as file:
            self.size = os.fstat(file.fileno()).st_size
            data = file.read(self.size)
        self._binary: bytes | memoryview | None = None
        text: bytes | memoryview = data
        if data.startswith(MAGIC):
            text, self._binary = self._chunks(data)
        try:
            self.document = msgspec.json.decode(text, type=Document)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise self.damaged("JSON", error, "the description of a glTF") from error
        if not self.document.asset.version.startswith("2."):
            raise InputError(
                path, "asset.version", found=self.document.asset.version, expected="2.x"
            )
        self._buffers: dict[int, bytes | memoryview] = {}

    def damaged(self, field: str, found: object, expected: object) -> InputError:
        """The error that says what is wrong where."""
        return InputError(self.path, field, found=found, expected=expected, remedy=_DAMAGED)

    def item(self, name: str, index: int) -> Any:
        """One of the document's lists' items."""
        items: Sequence[Any] = getattr(self.document, name)
        if index >= len(items):
            raise self.damaged(f"{name}[{index}]", f"{len(items)} {name}", "an index below that")
        return items[index]

    def view(self, index: int) -> memoryview:
        """The bytes of a buffer view."""
        view: BufferView = self.item("bufferViews", index)
        data = memoryview(self._buffer(view.buffer))
        if view.byteOffset + view.byteLength > len(data):
            found = f"bytes {view.byteOffset} to {view.byteOffset + view.byteLength}"
            raise self.damaged(f"bufferViews[{index}]", found, f"at most {len(data)}")
        return data[view.byteOffset : view.byteOffset + view.byteLength]

    def numbers(self, index: int, width: int, count: int | None) -> Array:  # [count, width]
        """What an accessor holds, as float32; normalised integers as -1..1 or 0..1."""
        accessor: Accessor = self.item("accessors", index)
        where = f"accessors[{index}]"
        kind = COMPONENTS.get(accessor.componentType)
        if kind is None or WIDTHS.get(accessor.type) != width:
            found = f"{accessor.type} of components {accessor.componentType}"
            raise self.damaged(where, found, f"{width} numbers each")
        if accessor.sparse is not None:
            raise InputError(self.path, where, found="sparse numbers", expected="all of them")
        if count is not None and accessor.count != count:
            raise self.damaged(where, f"{accessor.count} items", f"{count}, as positions")
        check_count(self.path, f"{where}, count", accessor.count, self.size)
        if accessor.bufferView is None or accessor.count == 0:
            return np.zeros((accessor.count, width), np.float32)
        dtype = np.dtype(kind)
        stride = self.item("bufferViews", accessor.bufferView).byteStride
        stride = stride or width * dtype.itemsize
        data = self.view(accessor.bufferView)
        last = accessor.byteOffset + stride * (accessor.count - 1) + width * dtype.itemsize
        if last > len(data) or stride < width * dtype.itemsize:
            raise self.damaged(where, f"{len(data)} bytes", f"{last} bytes in rows that fit")
        raw: NDArray[Any] = np.ndarray(
            (accessor.count, width), dtype, data, accessor.byteOffset, (stride, dtype.itemsize)
        )
        values = raw.astype(np.float32)
        if accessor.normalized and dtype.kind in "iu":
            values /= np.float32(np.iinfo(dtype).max)
            np.maximum(values, -1, out=values)
        return values

    def _chunks(self, data: bytes) -> tuple[memoryview, memoryview | None]:
        """JSON and binary chunk of a .glb."""
        if len(data) < _HEAD.size + _CHUNK.size:
            raise self.damaged("header", f"{len(data)} bytes", "a .glb")
        _, version, length = _HEAD.unpack_from(data)
        if version != 2:
            raise InputError(self.path, "header, version", found=version, expected="2")
        if length > len(data):
            raise self.damaged("header", f"{len(data)} bytes", f"{length} bytes")
        chunks: dict[bytes, memoryview] = {}
        at, whole = _HEAD.size, memoryview(data)[:length]
        while at + _CHUNK.size <= length and len(chunks) < 2:
            size, kind = _CHUNK.unpack_from(whole, at)
            at += _CHUNK.size
            if at + size > length:
                raise self.damaged(f"chunk {kind!r}", f"{length - at} bytes", f"{size} bytes")
            chunks.setdefault(kind, whole[at : at + size])
            at += size
        if b"JSON" not in chunks:
            raise self.damaged("chunks", list(chunks), "the first to be JSON")
        return chunks[b"JSON"], chunks.get(b"BIN\0")

    def _buffer(self, index: int) -> bytes | memoryview:
        if index not in self._buffers:
            buffer: Buffer = self.item("buffers", index)
            self._buffers[index] = data = self._read(index, buffer)
            if len(data) < buffer.byteLength:
                found = f"{len(data)} bytes"
                raise self.damaged(f"buffers[{index}]", found, f"{buffer.byteLength} bytes")
        return self._buffers[index]

    def _read(self, index: int, buffer: Buffer) -> bytes | memoryview:
        where = f"buffers[{index}]"
        if buffer.uri is None:
            if index or self._binary is None:
                raise self.damaged(where, "no uri", "the name of a file")
            return self._binary
        if buffer.uri.startswith("data:"):
            head, _, text = buffer.uri.partition(",")
            try:
                if head.endswith(";base64"):
                    return base64.b64decode(unquote(text), validate=True)
                return unquote_to_bytes(text)
            except (binascii.Error, ValueError) as error:
                raise self.damaged(where, error, "a data URI") from error
        return read_input(self._beside(index, buffer.uri), buffer.byteLength + (1 << 16))

    def _beside(self, index: int, uri: str) -> Path:
        """The file that a URI names, if it is in the folder of the .gltf or below."""
        name = unquote(uri)
        parts = PurePosixPath(name).parts
        if ":" in name or "\\" in name or name.startswith("/") or ".." in parts or not parts:
            expected = "a file in the folder of the .gltf"
            raise self.damaged(f"buffers[{index}].uri", repr(uri[:80]), expected)
        return self.path.parent.joinpath(*parts)

    def buffer_paths(self) -> list[Path]:
        """The files of the buffers that lie beside this one."""
        buffers = enumerate(self.document.buffers)
        named = [(i, b.uri) for i, b in buffers if b.uri and not b.uri.startswith("data:")]
        return [self._beside(i, uri) for i, uri in named]


def placed(files: GltfFiles) -> Iterator[tuple[str, Primitive, NDArray[np.float64]]]:
    """The primitives of splats that the scene shows: name, primitive, placement [4, 4]."""
    document = files.document
    if document.scenes:
        top = files.item("scenes", document.scene).nodes
        waiting = [(index, np.eye(4)) for index in reversed(top)]
    else:  # a library of meshes: all of them, as they are
        for mesh in range(len(document.meshes)):
            for name, primitive in _splats(files, mesh):
                yield name, primitive, np.eye(4)
        return
    seen: set[int] = set()
    while waiting:
        index, above = waiting.pop()
        node: Node = files.item("nodes", index)
        if index in seen:
            raise files.damaged(f"nodes[{index}]", "a node with two parents", "a tree")
        seen.add(index)
        matrix = above @ _matrix(node)
        if node.mesh is not None:
            for name, primitive in _splats(files, node.mesh):
                yield f"nodes[{index}], {name}", primitive, matrix
        waiting += [(child, matrix) for child in reversed(node.children)]


def _splats(files: GltfFiles, mesh: int) -> Iterator[tuple[str, Primitive]]:
    for number, primitive in enumerate(files.item("meshes", mesh).primitives):
        if primitive.extensions.splats is not None:
            yield f"meshes[{mesh}].primitives[{number}]", primitive


def _matrix(node: Node) -> NDArray[np.float64]:  # [4, 4]
    if node.matrix is not None:
        return np.array(node.matrix, np.float64).reshape(4, 4).T
    x, y, z, w = node.rotation
    matrix = np.eye(4)
    with np.errstate(all="ignore"):  # what is not finite is refused with its node
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        matrix[:3, :3] *= np.array(node.scale)
    matrix[:3, 3] = node.translation
    return matrix


def glb(path: Path, document: bytes, buffer: Sequence[bytes]) -> Iterator[bytes]:
    """The parts of a .glb.

    Raises:
        InputError: It would be larger than the 4 GiB that the format's lengths can say.
    """
    document += b" " * (-len(document) % 4)
    size = sum(len(part) for part in buffer)  # a multiple of 4, as all our parts are
    total = _HEAD.size + 2 * _CHUNK.size + len(document) + size
    if total > _LARGEST:
        raise InputError(path, found=f"a .glb of {total} bytes", expected=f"at most {_LARGEST}")
    yield _HEAD.pack(MAGIC, 2, total) + _CHUNK.pack(len(document), b"JSON") + document
    yield _CHUNK.pack(size, b"BIN\0")
    yield from buffer
