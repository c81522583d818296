"""Finding the headings of a paper whose text has lost its layout (PDF, plain text)."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = r"(?:(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,4}\.)\s+)?"
_NAMES: Final = (
    r"abstract|summary|(?:plain language )?summary|background|introduction|rationale|"
    r"(?:aims?|objectives?|purpose)(?: and (?:aims?|objectives?|methods?))?|(?:background|introduction) and (?:aims?|objectives?|purpose)|"
    r"methods?|materials? and methods|methods and materials|patients and methods|subjects and methods|"
    r"research design and methods|study design(?: and \w+)?|study population|participants|patients|interventions?|"
    r"outcomes?|outcome measures|statistical (?:analys[ei]s|methods)|results?|findings|main (?:results|findings)|"
    r"efficacy|safety|adverse events|harms|sub-?group analys[ei]s|discussion|results and discussion|strengths and limitations|"
    r"limitations?|conclusions?|discussion and conclusions?|interpretation|implications"
)
_BACK: Final = (
    r"references|bibliography|literature cited|acknowledge?ments?|funding|financial support|author contributions|"
    r"contributors|(?:conflicts?|declarations?) of (?:competing )?interests?|competing interests|disclosures?|"
    r"data (?:availability|sharing)(?: statement)?|supplementary (?:materials?|data|information|appendix)|"
    r"ethics (?:statement|approval)|orcid(?: ids?)?|publisher'?s note"
)
_HEADING: Final = re.compile(rf"{_NUMBER}({_NAMES}|{_BACK})\s*[:.]?", re.IGNORECASE)
_BACK_MATTER: Final = re.compile(_BACK, re.IGNORECASE)
_NUMBERED: Final = re.compile(r"\d{1,2}(?:\.\d{1,2}){1,3}\.?\s+([A-Z][^.!?]{2,70})")


def heading_of(line: str) -> str:
    """The heading that a line is, without its number; empty when the line is text."""
    line = line.strip()
    match = _HEADING.fullmatch(line)
    if match is not None and line[0] not in "abcdefghijklmnopqrstuvwxyz":
        return match.group(1).capitalize()
    numbered = _NUMBERED.fullmatch(line)
    return numbered.group(1).strip() if numbered is not None and len(line.split()) <= 10 else ""


def is_back_matter(heading: str) -> bool:
    """True for what follows a paper's last words: references, thanks, declarations."""
    return _BACK_MATTER.fullmatch(heading) is not None
