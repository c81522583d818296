"""Write what the example of each tool's page gives now: `python tests/tools/update_tool_pages.py`, then read the diff."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from knowledge.base import load_knowledge
from personas.library import PersonaLibrary
from tools.catalog import build_registry
from tools.context import ToolContext

TOOLS = Path(__file__).parents[2] / "tools"
CALL = re.compile(r"```json\n(.*?)```\s*```text\n(.*?)```", re.DOTALL)


def _no_retriever() -> Any:
    raise RuntimeError("an example reads no passages")


def main() -> None:
    """Renew the figures of every page; the ids stay as they are."""
    knowledge, personas, registry = load_knowledge(), PersonaLibrary(), build_registry()
    for page in sorted(TOOLS.glob("*/README.md")):
        head, example = page.read_text(encoding="utf-8").split("## Example", 1)

        def renewed(match: re.Match[str]) -> str:
            call = json.loads(match[1])
            declared = registry[call["tool"]]
            context = ToolContext(
                knowledge=knowledge, personas=personas, retriever=_no_retriever, seed=call.get("seed", 1)
            )
            result = declared(declared.parse(call["arguments"]), context)
            found = {estimate.id: f"{estimate.point:.4g}" for estimate in result.estimates}
            ids = [line.split(": ", 1)[0] for line in match[2].strip().splitlines()]
            ids = list(found) if ids == ["*"] else ids  # a new example: choose among them
            return match[0].replace(match[2], "".join(f"{name}: {found[name]}\n" for name in ids))

        text = f"{head}## Example{CALL.sub(renewed, example)}"
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{page.parent.name}: renewed\n")


if __name__ == "__main__":
    main()
