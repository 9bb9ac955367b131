"""Codecs: one attribute group to integer symbols and back."""

from gscompress.registry import Registry

__all__ = ["CODECS"]

CODECS = Registry(
    "codec",
    "gscompress.codecs",
    {
        "morton": "gscompress.codecs.morton:Morton",
        "octree": "gscompress.codecs.octree:Octree",
        "classes": "gscompress.codecs.classes:Classes",
        "arcsine": "gscompress.codecs.arcsine:Arcsine",
        "log": "gscompress.codecs.log:Log",
        "rotation24": "gscompress.codecs.rotation24:Rotation24",
        "ycocg": "gscompress.codecs.ycocg:YCoCg",
        "exact": "gscompress.codecs.exact:Exact",
        "rvq": "gscompress.codecs.rvq:RVQ",
        "svq": "gscompress.codecs.svq:SVQ",
        "vectree": "gscompress.codecs.vectree:VecTree",
    },
)
"""Ids of attribute codecs. Two classes share an id only if each decodes what the other encodes."""
