"""Ages, biomarker ranges and disease durations in a sentence, as restrictions.

Only what can be nothing else is taken: "over 30 weeks", "1 mg" and "5 % weight loss" are no ages and no biomarkers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from knowledge.errors import InvalidInput
from personas.restrictions import Operator
from personas.schemas import Restriction
from personas.units import attribute_aliases, attribute_info, attribute_label, likely_unit, to_canonical_unit

_UNITS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TENS = {word: 10 * (index + 2) for index, word in enumerate(_UNITS)}
_ONES = {w: i + 1 for i, w in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))}
_DECADES = {word[:-1] + "ies": value for word, value in _TENS.items()}
_ADULT, _OLDEST = 18, 110
_YOUNGEST = 10
_CHAIN_REACH = 20  # characters of "30 <= " before a name
_LIGHTEST = 50  # kg; "over 10 kg" is a change of weight

_N = rf"(?:\d{{1,3}}(?![\d.,/]*\d)|eighteen|(?:{'|'.join(_UNITS)})(?:[ -](?:{'|'.join(_ONES)}))?)"
_YEARS = r"(?:[\s-]*(?:years?|yrs?)(?:[\s-]+(?:of[\s-]+age|old|olds))?|[\s-]*y/?o)"
_YEAR_OLDS = r"[\s-]*(?:years?|yrs?)[\s-]+olds?|[\s-]*y/?o"
_AGED = r"(?:between(?:\s+the)?\s+ages(?:\s+of)?|(?:the\s+)?ages?(?:\s+of)?|aged|ageing)"
_MORE = r"(?:over|above|older\s+than|more\s+than|at\s+least|no\s+younger\s+than|upwards?\s+of|past|>=|=>|≥|>)"
_LESS = r"(?:under|below|younger\s+than|less\s+than|at\s+most|up\s+to|no\s+older\s+than|<=|=<|≤|<)"
_UPWARD = r"(?:and|or)\s+(?:over|older|above|up|more|beyond)"
_DOWNWARD = r"(?:and|or)\s+(?:under|younger|below)"
# What may not follow a bare number if it is to be an age.
_NOT_AGE = (
    r"(?!\s*(?:%|per\s*cent|percent|weeks?|wks?|months?|days?|hours?|minutes?|times|fold|mg|µg|ug|mcg|g\b|kg|lbs?\b|pounds?|stone|"
    r"units?|iu\b|u\b|ml|mmol|mm\s?hg|points?|kcal|feet|foot|ft|inch(?:es)?|cm|met(?:er|re)s?|tall|miles?|patients|people|participants|subjects|trials|studies|others|doses|"
    r"injections|dollars|percentage|of\s+(?:the|them|those)))"
)
_NUMBER = r"(\d{1,4}(?:[.,]\d{1,3})?)(?:/\d{2,3})?"
_UNIT = (
    r"(?:\s*(%|per\s?cent|percent|mmol/mol|mmol/l|mg/dl|mg/g|mg/mmol|mm\s?hg|kg/m[2²^]+|kg|lbs?|pounds?|stone|"
    r"ml/min(?:\s?/\s?1\.73\s?m[2²])?|years?))?"
)
_JOINING = (
    r"(?:,|:|\(|of|is|was|are|at|levels?|values?|score|that|a|an|baseline|between|from|in\s+the\s+range(?:\s+of)?)"
)
_JOIN = rf"(?:\s*{_JOINING}(?=[\s(]|$))*\s*=?\s*"
_ABOVE = (
    r"(?:>=|=>|≥|>|above|over|greater\s+than|higher\s+than|more\s+than|at\s+least|exceeding|no\s+less\s+than|from|"
    r"not\s+(?:below|under|less\s+than)|no\s+lower\s+than)"
)
_BELOW = (
    r"(?:<=|=<|≤|<|below|under|less\s+than|lower\s+than|at\s+most|up\s+to|no\s+more\s+than|no\s+higher\s+than|"
    r"not\s+(?:above|over|exceeding|more\s+than))"
)
_STRICT_MORE = r"(?:>|above|over|greater\s+than|higher\s+than|more\s+than|exceeding)$"
_STRICT_LESS = r"(?:<|below|under|less\s+than|lower\s+than)$"
_TO = r"\s*(?:-|to|and|through)\s*(?P<under>below\s+|under\s+|less\s+than\s+|<\s*)?"
_RANGE = (
    rf"(?P<strict>above\s+|>\s*)?{_NUMBER.replace('(', '(?P<low>', 1)}{_UNIT.replace('(%', '(?P<unit>%')}{_TO}"
    rf"{_NUMBER.replace('(', '(?P<high>', 1)}{_UNIT.replace('(%', '(?P<last_unit>%')}"
)
_AGE_AFTER = re.compile(
    rf"\s*,?\s*\(?\s*(?:between\s+)?(?P<a>[1-9]?\d)\s*(?:-|to|and(?<=\d\sand))\s*(?P<b>[1-9]?\d)(?![\w.,]*\d)(?!\w){_NOT_AGE}"
)
_LIMIT_AFTER = re.compile(
    rf"\s*,?\s*(?P<sign>{_MORE}|{_LESS})\s*(?P<a>\d{{1,2}})(?:\s*(?P<unit>months?|years?))?(?![\w.,%]*\d)(?![\w%]){_NOT_AGE}"
)
# Words without which a text holds no number.
_NUMERAL = re.compile(rf"\d|eighteen|{'|'.join(word[:-1] for word in _TENS)}")
_WEIGHTS = re.compile(
    rf"(?<![\w.,%-])(?P<sign>{_ABOVE}|{_BELOW})?\s*(?P<a>\d{{2,3}})(?:\s*(?:-|to|and)\s*(?P<b>\d{{2,3}}))?\s*"
    r"(?P<unit>kg|lbs?|pounds|stone)(?![\w/])(?!\s+(?:of\s+)?(?:weight|body|loss|lost|lighter|less|heavier|more|gain|decrease|"
    r"reduction|drop))"
)


@dataclass(frozen=True)
class Quantity:
    """A number in the text that limits an attribute.

    `comparisons` are (operator, value, unit as written), none for a single value; `people` is True when the words name
    people ("65-year-olds").
    """

    start: int
    end: int
    attribute: str
    comparisons: tuple[tuple[Operator, float, str], ...]
    people: bool = False

    def restrictions(self) -> tuple[Restriction, ...]:
        """In the attribute's own unit. InvalidInput when no person can have such a value."""
        found = []
        values = [limit for _, limit, _ in self.comparisons]
        if values != sorted(values):
            label = attribute_label(self.attribute)
            raise InvalidInput(
                f"The range of {label} from {values[0]:g} to {values[1]:g} runs backwards.",
                f"Write it from low to high: {label} {values[1]:g} to {values[0]:g}.",
            )
        for operator, value, unit in self.comparisons:
            given = unit or likely_unit(self.attribute, value)
            held = to_canonical_unit(self.attribute, value, given)
            found.append(Restriction(attribute=self.attribute, operator=operator, value=held))
        return tuple(found)


def find_quantities(text: str) -> tuple[Quantity, ...]:
    """All quantities in lower-case `text`, biomarkers first; none overlaps another."""
    found: list[Quantity] = []
    if _NUMERAL.search(text) is None:
        return ()
    for candidate in (*_biomarkers(text), *_durations(text), *_weights(text), *_ages(text)):
        if all(candidate.end <= other.start or candidate.start >= other.end for other in found):
            found.append(candidate)
    return tuple(sorted(found, key=lambda quantity: quantity.start))


def age_after(text: str, position: int, youngest: float = _YOUNGEST) -> Quantity | None:
    """The age in "women 45-55", "women (45 to 55)" or "women, 45-55," just after `position`; None without one.

    Below `youngest` years it is no age: "T2D 5-7 ..." counts something.
    """
    match = _AGE_AFTER.match(text, position)
    if match is None:
        return None
    comparisons = _age_comparisons("range", match)
    if not all(youngest <= value <= _OLDEST for _, value, _ in comparisons):
        return None
    return Quantity(match.start("a"), match.end("b"), "age", comparisons)


def age_limit_after(text: str, position: int) -> Quantity | None:
    """The age in "boys under 1", "infants under 6 months" just after `position`; None without one."""
    match = _LIMIT_AFTER.match(text, position)
    if match is None:
        return None
    less = re.fullmatch(_LESS, match["sign"]) is not None
    inclusive = re.fullmatch(r"up\s+to|at\s+most|no\s+older\s+than|<=|=<|≤", match["sign"]) is not None
    # As with ages in years, "over 5" includes those who are 5, and only the sign ">" does not.
    operator: Operator = ("<=" if inclusive else "<") if less else (">" if match["sign"] == ">" else ">=")
    unit = "months" if (match["unit"] or "").startswith("month") else ""
    return Quantity(match.start("sign"), match.end(), "age", ((operator, float(match["a"]), unit),))


def _weights(text: str) -> Iterator[Quantity]:
    """'100-120 kg', 'over 120 kg' of people: no weight that is lost or gained."""
    for match in _WEIGHTS.finditer(text):
        low, high, unit = _number(match["a"]), match["b"], match["unit"]
        if high is not None:
            yield Quantity(match.start(), match.end(), "weight", ((">=", low, unit), ("<", _number(high), unit)))
        elif match["sign"] and low >= _LIGHTEST:
            comparisons = _biomarker_sign(match["sign"], low, unit)
            yield Quantity(match.start(), match.end(), "weight", comparisons)


def _ages(text: str) -> Iterator[Quantity]:
    for pattern, kind in _age_patterns():
        for match in pattern.finditer(text):
            comparisons = _age_comparisons(kind, match)
            values = [value for _, value, _ in comparisons]
            spelt = re.search(r"age|old", match.group()) is not None
            # "> 10 years" lasts, "over 10 years old" ages; a bare 200 is no age, "aged 200" is a wrong one.
            plausible = all(spelt or _ADULT <= value <= _OLDEST for value in values)
            if comparisons and plausible:
                people = kind in ("decade", "exact", "over_65s") or "old" in match.group()
                yield Quantity(match.start(), match.end(), "age", comparisons, people)


@lru_cache(maxsize=1)
def _age_patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Most telling first; a later pattern loses where it overlaps."""
    edge, to = r"(?<![\w.,%-])", r"\s*(?:-|to|and|through)\s*"
    lasting = r"(?<!for\s)(?<!after\s)(?<!within\s)(?<!in\s)(?<!lasting\s)"
    sources = (
        (
            rf"{edge}(?:{_AGED}\s*(?:between\s+|from\s+)?(?P<strict>>\s*)?(?P<a>{_N}){to}"
            rf"(?P<under>(?:below|under)\s+)?(?P<b>{_N})(?:{_YEARS})?)(?![\w%])",
            "range",
        ),
        (
            rf"{edge}(?:between\s+|from\s+)?(?P<a>{_N}){to}(?P<b>{_N})(?:{_YEAR_OLDS}|\s+years\s+of\s+age)(?!\w)",
            "range",
        ),
        (rf"{edge}between\s+(?P<a>{_N})\s+and\s+(?P<b>{_N})(?:\s*years)?(?!\w){_NOT_AGE}", "range"),
        (rf"{edge}(?P<a>[1-9]\d){to}(?P<b>[1-9]\d)\s+years(?!\w)(?!\s+(?:of\s+(?!age)|follow|later|after))", "range"),
        (rf"{edge}in\s+(?:their|his|her)\s+(?P<part>early|mid|late)?[\s-]*(?P<decade>\d0)'?s(?!\w)", "decade"),
        (
            rf"{edge}in\s+(?:their|his|her)\s+(?P<part>early|mid|late)?[\s-]*(?P<decade>{'|'.join(_DECADES)})(?!\w)",
            "decade",
        ),
        (rf"{edge}{_MORE}[\s-]?(?:the\s+)?(?:age[\s-]+(?:of[\s-]+)?)?(?P<a>{_N})'?s(?!\w)", "over_65s"),
        (rf"{edge}{_LESS}[\s-]?(?:the\s+)?(?:age[\s-]+(?:of[\s-]+)?)?(?P<b>{_N})'?s(?!\w)", "under_40s"),
        (rf"{edge}(?:{_AGED}\s*)?(?P<a>{_N})(?:{_YEARS})?\s+{_UPWARD}(?!\w)(?!\s*\d)", "more"),
        (rf"{edge}(?:{_AGED}\s*)?(?P<b>{_N})(?:{_YEARS})?\s+{_DOWNWARD}(?!\w)(?!\s*\d)", "less"),
        (rf"{edge}(?:{_AGED}\s*)?(?P<a>{_N})\s?\+(?:{_YEARS})?(?!\w){_NOT_AGE}", "more"),
        (
            rf"{edge}{lasting}(?:{_AGED}\s*(?:is\s+)?)?(?P<sign>{_MORE})\s*(?:the\s+)?(?:age\s+(?:of\s+)?)?(?P<a>{_N})(?:{_YEARS})?(?![\w%])"
            rf"{_NOT_AGE}",
            "more",
        ),
        (
            rf"{edge}{lasting}(?:{_AGED}\s*(?:is\s+)?)?(?P<sign>{_LESS})\s*(?:the\s+)?(?:age\s+(?:of\s+)?)?(?P<b>{_N})(?:{_YEARS})?(?![\w%])"
            rf"{_NOT_AGE}",
            "less",
        ),
        (rf"{edge}(?P<a>{_N})(?:{_YEAR_OLDS})(?!\w)", "exact"),
        (rf"(?<!\w)who(?:'s|\s+is|\s+are)\s+(?P<a>{_N})(?!\w){_NOT_AGE}", "exact"),
        (rf"{edge}(?:aged|age)\s+(?P<a>{_N})(?:\s+years)?(?!\w){_NOT_AGE}", "exact"),
    )
    return tuple((re.compile(source), kind) for source, kind in sources)


def _age_comparisons(kind: str, match: re.Match[str]) -> tuple[tuple[Operator, float, str], ...]:
    groups = match.groupdict()
    low, high = _number_word(groups.get("a")), _number_word(groups.get("b"))
    sign = (groups.get("sign") or "").replace(" ", "")
    if kind == "range" and low is not None and high is not None:
        first: Operator = ">" if groups.get("strict") else ">="
        return ((first, low, ""), ("<" if groups.get("under") else "<=", high, ""))
    if kind == "decade":
        start = float(_DECADES.get(match["decade"], 0) or _number_word(match["decade"]) or 0)
        begin, end = {"early": (0, 4), "mid": (4, 7), "late": (7, 10)}.get(match["part"] or "", (0, 10))
        return ((">=", start + begin, ""), ("<", start + end, ""))
    if kind == "exact" and low is not None:
        return ((">=", low, ""), ("<", low + 1, ""))
    if kind in ("more", "over_65s") and low is not None:
        return ((">" if sign == ">" else ">=", low, ""),)
    if high is not None:
        # "65 and younger" and "up to 65" include the year, "under 65" does not.
        inclusive = bool(re.search(_DOWNWARD + r"$|younger$|up\s+to|at\s+most|no\s+older|<=|=<|≤", match.group()))
        inclusive = inclusive and "younger than" not in match.group()
        return (("<=" if inclusive else "<", high, ""),)
    return ()


def _number_word(word: str | None) -> float | None:
    if not word:
        return None
    if word.isdigit():
        return float(word)
    if word == "eighteen":
        return 18.0
    ten, _, one = word.replace("-", " ").partition(" ")
    return float(_TENS.get(ten, 0) + _ONES.get(one.strip(), 0))


# "8 or more migraine days a month": what is counted stands after its number.
_COUNTED = frozenset({"days", "joints", "cigarettes/day", "per year", "contacts per day"})
_COUNT_REACH = 30  # characters of "no more than 12 or fewer "
_COUNT_HEAD = re.compile(
    rf"(?<![\w.,%-])(?:(?P<sign>{_ABOVE}|{_BELOW})\s*(?P<a>\d{{1,3}})|(?P<b>\d{{1,3}})\s*"
    r"(?P<word>\+|or\s+(?:more|fewer|less)))\s+$"
)
_CHAIN_HEAD = re.compile(rf"(?<![\d.,]){_NUMBER}\s*(?P<first><=|≤|<)\s*$")


@lru_cache(maxsize=1)
def _biomarker_names() -> re.Pattern[str]:
    names = sorted(
        (alias for alias, name in attribute_aliases().items() if name != "age" and _numeric(name)),
        key=len,
        reverse=True,
    )
    return re.compile(rf"(?<![\w-])(?:{'|'.join(re.escape(alias) for alias in names)})(?!\w)")


@lru_cache(maxsize=1)
def _biomarker_patterns() -> tuple[tuple[re.Pattern[str], Literal["chain", "range", "sign", "word", "exact"]], ...]:
    """What may follow the name of a biomarker."""
    sign = rf"(?P<sign>{_ABOVE}|{_BELOW})"
    return (
        (re.compile(rf"\s*(?P<second><=|≤|<)\s*{_NUMBER}{_UNIT}"), "chain"),
        (re.compile(rf"{_JOIN}{_RANGE}(?![\w.])(?P<inclusive>\s+inclusive)?"), "range"),
        # "BMI under 27 or over 35" is no one range: it is given back unread, like a single value.
        (
            re.compile(
                rf"{_JOIN}(?:{_ABOVE}|{_BELOW})\s*{_NUMBER}{_UNIT}\s*,?\s*or\s+(?:{_ABOVE}|{_BELOW})\s*{_NUMBER}{_UNIT}(?!\w)"
            ),
            "exact",
        ),
        (re.compile(rf"{_JOIN}{sign}\s*{_NUMBER}{_UNIT}(?![\w])(?!\.\d)"), "sign"),
        (
            re.compile(
                rf"{_JOIN}{_NUMBER}{_UNIT}\s*(?P<word>\+|(?:or|and)\s+(?:higher|above|more|over|greater|lower|less|below|under))"
            ),
            "word",
        ),
        (re.compile(rf"{_JOIN}{_NUMBER}{_UNIT}(?![\w])(?!\.\d)"), "exact"),
    )


def _biomarkers(text: str) -> Iterator[Quantity]:
    names = list(_biomarker_names().finditer(text))
    for name in names:
        head = _COUNT_HEAD.search(text[max(0, name.start() - _COUNT_REACH) : name.start()])
        attribute = attribute_aliases()[name.group()]
        info = attribute_info(attribute)
        if head is not None and info is not None and info.unit in _COUNTED:
            if head["sign"]:
                comparisons = _biomarker_sign(head["sign"], float(head["a"]), "")
            else:
                down = re.search(r"fewer|less", head["word"]) is not None
                comparisons = (("<=" if down else ">=", float(head["b"]), ""),)
            yield Quantity(name.start() - len(head.group()), name.end(), attribute, comparisons)
    for pattern, kind in _biomarker_patterns():
        for name in names:
            match = pattern.match(text, name.end())
            head = (
                _CHAIN_HEAD.search(text[max(0, name.start() - _CHAIN_REACH) : name.start()])
                if kind == "chain"
                else None
            )
            if match is None or (kind == "chain" and head is None):
                continue
            start = name.start() - len(head.group()) if head is not None else name.start()
            comparisons = _biomarker_comparisons(kind, match, head)
            yield Quantity(start, match.end(), attribute_aliases()[name.group()], comparisons)


def _biomarker_comparisons(
    kind: str, match: re.Match[str], head: re.Match[str] | None
) -> tuple[tuple[Operator, float, str], ...]:
    if head is not None:
        low, high, unit = _number(head[1]), _number(match[2]), match[3] or ""
        first: Operator = ">" if head["first"] == "<" else ">="
        second: Operator = "<" if match["second"] == "<" else "<="
        return ((first, low, unit), (second, high, unit))
    if kind == "range":
        # Half-open like the GFR categories of KDIGO, so that neighbouring ranges do not share anybody.
        unit = match["unit"] or match["last_unit"] or ""
        above: Operator = ">" if match["strict"] else ">="
        below: Operator = "<=" if match["inclusive"] else "<"
        return ((above, _number(match["low"]), unit), (below, _number(match["high"]), unit))
    if kind == "sign":
        return _biomarker_sign(match["sign"], _number(match[2]), match[3] or "")
    if kind == "exact":
        return ()  # a single value is no range; the caller says so
    value, unit, word = _number(match[1]), match[2] or "", match["word"]
    upward = word == "+" or re.search(r"higher|above|more|over|greater", word) is not None
    return ((">=" if upward else "<=", value, unit),)


def _biomarker_sign(sign: str, value: float, unit: str) -> tuple[tuple[Operator, float, str], ...]:
    if re.match(_ABOVE + r"$", sign):
        return ((">" if re.match(_STRICT_MORE, sign) else ">=", value, unit),)
    return (("<" if re.match(_STRICT_LESS, sign) else "<=", value, unit),)


def _durations(text: str) -> Iterator[Quantity]:
    """'for more than 10 years' after the name of a long-lasting disease; whose duration it is, the caller knows."""
    pattern = r"for\s+(?P<sign>over|more\s+than|at\s+least|longer\s+than|less\s+than|under)\s+(?P<a>\d{1,2})\s+years"
    for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", text):
        less = match["sign"].startswith(("less", "under"))
        yield Quantity(match.start(), match.end(), "duration", (("<" if less else ">=", float(match["a"]), ""),))


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _numeric(attribute: str) -> bool:
    info = attribute_info(attribute)
    return info is not None and info.numeric
