"""Our own format, as one of the formats that `load` and `save` know."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from gscompress.container import MAGIC, Index
from gscompress.gaussians import Gaussians

__all__ = ["GszFormat"]


class GszFormat:
    """A compressed scene. Saving compresses with the preset ``fast``, which renders nothing."""

    id: ClassVar[str] = "gsz"
    extensions: ClassVar[tuple[str, ...]] = (".gsz",)

    def sniff(self, head: bytes) -> bool:
        """Whether ``head`` starts a container."""
        return head.startswith(MAGIC)

    def load(self, path: Path) -> Gaussians:
        """Decode a compressed scene."""
        from gscompress.pipeline import decompress

        return decompress(path)

    def parts(self, path: Path) -> dict[str, int]:
        """Bytes of each attribute."""
        return Index.read(path).group_bytes()

    def save(self, scene: Gaussians, path: Path) -> None:
        """Compress a scene with the preset ``fast``."""
        from gscompress.pipeline import compress

        compress(scene, "fast").save(path, overwrite=True)
