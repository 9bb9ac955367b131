"""The browser viewer: a static site that decodes ``.gsz`` by itself, and what serves it.

``site/`` is the page, as it is served and exported; ``site/gsz/`` in it is the decoder in JavaScript,
``site/render/`` the renderer. Nothing in it is built, and it fetches nothing from elsewhere.
"""

from gscompress.viewer.exporting import export_viewer
from gscompress.viewer.server import ViewServer

__all__ = ["ViewServer", "export_viewer"]
