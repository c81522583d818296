"""Arithmetic that users write in a model's cells ("(1 - p_HD) * p_HS1"), computed on whole arrays of draws.

Only numbers, names, + - * / **, comparisons (1 where they hold, else 0), `a if condition else b` and the functions below
are understood; nothing else of Python is reachable from an expression.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
Function = Callable[..., FloatArray]
MAX_LENGTH, MAX_NODES = 1000, 300


def rate_to_probability(rate: npt.ArrayLike, time: npt.ArrayLike = 1.0) -> FloatArray:
    """1 − exp(−rate · time); rate a year, time in years."""
    return np.asarray(-np.expm1(-np.asarray(rate, dtype=np.float64) * np.asarray(time, dtype=np.float64)))


def probability_to_rate(probability: npt.ArrayLike, time: npt.ArrayLike = 1.0) -> FloatArray:
    """−ln(1 − probability) / time."""
    return np.asarray(-np.log1p(-np.asarray(probability, dtype=np.float64)) / np.asarray(time, dtype=np.float64))


FUNCTIONS: Mapping[str, Function] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "floor": np.floor,
    "rate_to_probability": rate_to_probability,
    "probability_to_rate": probability_to_rate,
}
_BINARY: Mapping[type[ast.operator], Function] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[..., npt.NDArray[np.bool_]]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"An expression has {len(text)} characters; at most {MAX_LENGTH} are read.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidInput(f"'{_short(text)}' is not arithmetic.", "Write it like (1 - p_die) * p_sick.") from error
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise InvalidInput(f"'{_short(text)}' is too long.", "Name its parts as parameters.")
    return tree


def names_in(text: str) -> frozenset[str]:
    """Names that an expression uses (without functions)."""
    tree = _parsed(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called)


def evaluate(
    expression: float | str, names: Mapping[str, FloatArray], functions: Mapping[str, Function] = FUNCTIONS
) -> FloatArray:
    """Value of a number or an expression; arrays among `names` broadcast.

    Raises
    ------
    InvalidInput
        What is written is not arithmetic, uses an unknown name or function, or its value is not a finite number.
    """
    if not isinstance(expression, str):
        return np.asarray(expression, dtype=np.float64)
    with np.errstate(all="ignore"):
        value = np.asarray(_value(_parsed(expression), names, functions, expression), dtype=np.float64)
    if not np.isfinite(value).all():
        raise InvalidInput(
            f"'{_short(expression)}' is not a finite number for some draws.", "Check divisions and logarithms."
        )
    return value


def _value(node: ast.expr, names: Mapping[str, FloatArray], functions: Mapping[str, Function], text: str) -> FloatArray:
    def part(child: ast.expr) -> FloatArray:
        return _value(child, names, functions, text)

    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return np.asarray(node.value, dtype=np.float64)
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise InvalidInput(
                f"'{_short(text)}' uses '{node.id}', which is not a parameter.",
                f"There are: {', '.join(sorted(names))}.",
            )
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](part(node.left), part(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = np.asarray(part(node.operand), dtype=np.float64)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        return _COMPARE[type(node.ops[0])](part(node.left), part(node.comparators[0])).astype(np.float64)
    if isinstance(node, ast.IfExp):
        return np.where(part(node.test) != 0, part(node.body), part(node.orelse))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in functions:
            raise InvalidInput(
                f"'{_short(text)}' uses the unknown function '{node.func.id}'.",
                f"There are: {', '.join(sorted(functions))}.",
            )
        try:
            return functions[node.func.id](*(part(argument) for argument in node.args))
        except TypeError as error:
            raise InvalidInput(f"'{_short(text)}': {node.func.id} takes another number of arguments.") from error
    raise InvalidInput(
        f"'{_short(text)}' is more than arithmetic.", "Use numbers, parameters, + - * / **, if and else."
    )


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "…"
