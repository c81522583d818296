"""The Gradio chat, mounted in the FastAPI app: a tab a module. No state outside the page; each visitor has its own."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # must stand before the import: the argument alone is not enough

from ui.chat.page import mount_chat

__all__ = ["mount_chat"]
