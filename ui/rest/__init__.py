"""REST under /api/v1, by theme. Bodies are the service's own models; errors are RFC 9457 problem details."""

from __future__ import annotations

from ui.rest.app import API, build_rest

__all__ = ["API", "build_rest"]
