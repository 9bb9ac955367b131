"""The browser viewer: a static site that decodes ``.gsz`` by itself, and what serves it.

``site/`` is the page, as it is served and exported; in it ``gsz/`` is the decoder in JavaScript and
``render/`` the renderer. Nothing of it is built, and it fetches nothing from elsewhere.
"""

from gscompress.viewer.exporting import export_viewer
from gscompress.viewer.server import ViewServer

__all__ = ["ViewServer", "export_viewer"]
