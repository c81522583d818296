"""Links 3 and 4: what the treatment costs for the health it gives, and the clinic visits it adds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tools.policy.filling import Matrix, sheet
from tools.policy.model import VisitPlan, by_month, monthly_profile, utility_years, visits_until, years_on
from tools.policy.response_link import Response
from tools.policy.schemas import PolicyInput
from tools.policy.totals import MONTHS
from tools.policy.uptake_link import Uptake
from tools.uptake.funnel import Counts

FloatArray = npt.NDArray[np.float64]
COST, VISITS = "cost", "visits"
# Area whose prices and visits the sheets know.
OBESITY = "obesity"
MAX_MONEY = 1e7
MAX_VISITS = 400.0
MAX_MINUTES = 600.0
# Change of BMI for one unit of a weight endpoint, from the cohort's means.
WEIGHT_ENDPOINTS = ("weight_percent_change", "weight_change", "bmi_percent_change", "bmi_change")
PRICE, REBATE, FEE, UTILITY = "price", "rebate", "cost of a visit", "utility for a unit of change"


@dataclass(frozen=True)
class Visits:
    """Expected visits of a starter by the horizon (D,), those of all starters by rule and month, minutes each (D,)."""

    plan: VisitPlan
    minutes: FloatArray
    per_starter: FloatArray
    by_month: tuple[FloatArray, ...]
    before: FloatArray | None


@dataclass(frozen=True)
class Cost:
    """Cost and QALYs of a starter against no treatment, (D,); None where a price or a utility is missing.

    `drug` and `visits` are parts of `cost`, discounted; `budget` is the payer's by rule, (D, R, M), undiscounted.
    """

    drug: FloatArray | None
    visits: FloatArray
    cost: FloatArray | None
    qaly: FloatArray | None
    budget: tuple[FloatArray, ...]
    before: FloatArray | None
    threshold: float
    missing: str


def run_visits(request: PolicyInput, uptake: Uptake, area: str, months: int, matrix: Matrix) -> Visits:
    """Visits of all starters under each rule."""
    if area != OBESITY and (request.early_visits_per_month is None or request.later_visits_per_year is None):
        matrix.warnings.append(
            "How often people are seen is taken from the guideline on weight-loss medicines; give "
            "'early_visits_per_month' and 'later_visits_per_year' for this treatment."
        )
    early_months = matrix.row(VISITS, "months of early visits", "policy", "early_months")
    plan = VisitPlan(
        initiation=matrix.take(
            VISITS, "visits at the start", request.initiation_visits, "visits per starter", "initiation_visits", high=MAX_VISITS
        ),
        early=MONTHS
        * matrix.take(
            VISITS, "early visits per month", request.early_visits_per_month, "visits per month on treatment",
            "early_visits_per_month", high=MAX_VISITS,
        ),
        later=matrix.take(
            VISITS, "later visits per year", request.later_visits_per_year, "visits per year on treatment",
            "later_visits_per_year", high=MAX_VISITS,
        ),
        early_years=float(early_months[0]) / MONTHS,
    )  # fmt: skip
    minutes = matrix.take(
        VISITS, "minutes per visit", request.visit_minutes, "minutes", "visit_minutes", low=1e-6, high=MAX_MINUTES
    )
    until = partial(visits_until, uptake.persistence, plan=plan)
    profile = monthly_profile(until, months)
    before = uptake.before
    return Visits(
        plan=plan,
        minutes=minutes,
        per_starter=until(months / MONTHS),
        by_month=tuple(by_month(_people(counts), profile) for counts in uptake.counts),
        before=None if before is None else by_month(_people(before), profile),
    )


def run_cost(
    request: PolicyInput, uptake: Uptake, response: Response, visits: Visits, months: int, drug: str, matrix: Matrix
) -> Cost:
    """Cost and QALYs of a starter, and the payer's budget under each rule."""
    stay, years = uptake.persistence, months / MONTHS
    rate = request.discount_rate
    if rate is None:
        rate = float(matrix.row(COST, "discount rate", "cost_effectiveness", "discount_rate")[0])
    threshold = request.threshold
    if threshold is None:
        threshold = float(matrix.row(COST, "willingness to pay", "cost_effectiveness", "threshold_per_qaly")[0])
    obesity = response.cohort.persona.area == OBESITY
    price, missing = _price(request, drug, obesity, matrix)
    fee = _fee(request, matrix)
    visit_cost = fee * visits_until(stay, years, visits.plan, discount=rate)
    utility, why = _utility(request, response, matrix)
    drug_cost = None if price is None else price * MONTHS * years_on(stay, 0.0, years, discount=rate)
    profile = monthly_profile(lambda when: years_on(stay, 0.0, max(when, 0.0)), months)

    def paid(started: FloatArray, by_month_visits: FloatArray, copay: FloatArray | None) -> FloatArray | None:
        if price is None:
            return None
        each = np.maximum(price - (0.0 if copay is None else copay), 0.0) * MONTHS
        return np.asarray(
            each[:, None, None] * by_month(started, profile) + fee[:, None, None] * by_month_visits, dtype=np.float64
        )

    made = [
        paid(_people(counts), seen, copay)
        for counts, seen, copay in zip(uptake.counts, visits.by_month, uptake.copays, strict=True)
    ]
    before = uptake.before
    return Cost(
        drug=drug_cost,
        visits=visit_cost,
        cost=None if drug_cost is None else drug_cost + visit_cost,
        qaly=None if utility is None else utility_years(response.gain, utility, discount=rate),
        budget=tuple(one for one in made if one is not None),
        before=None
        if before is None or visits.before is None
        else paid(_people(before), visits.before, uptake.copay_before),
        threshold=threshold,
        missing=" ".join(filter(None, [missing, why])),
    )


def _people(counts: Counts) -> FloatArray:
    """(D, R, M) people who start in each month."""
    return counts.started[:, :, 0].astype(np.float64)


def _price(request: PolicyInput, drug: str, obesity: bool, matrix: Matrix) -> tuple[FloatArray | None, str]:
    """(D,) US$ per month after rebate, or why there is none."""
    key = f"list_price_{drug.replace(' ', '_')}"
    if request.price_per_month is not None:
        price = matrix.given(COST, PRICE, request.price_per_month, "US$ per month", 0.0, MAX_MONEY)
    elif obesity and key in sheet("cost_effectiveness"):
        price = matrix.row(COST, PRICE, "cost_effectiveness", key) / MONTHS
        matrix.columns[PRICE] = price
    else:
        return (
            None,
            f"No cost per QALY, as no source here gives the price of {drug} for this use: give 'price_per_month'.",
        )
    if request.rebate is not None:
        return price * (1 - matrix.given(COST, REBATE, request.rebate, "share of the price")), ""
    if request.price_per_month is not None:
        matrix.assumptions.append("The price that was given is taken as what is paid, without a further rebate.")
        return price, ""
    if request.payer.lower() == "medicaid":
        return price * (1 - matrix.row(COST, REBATE, "policy", "medicaid_rebate", 0.0, 1.0)), ""
    matrix.warnings.append(
        f"The list price is taken, as no source gives the rebate that {request.payer} gets; what is paid is lower. Give "
        "'rebate' or 'price_per_month'."
    )
    return price, ""


def _fee(request: PolicyInput, matrix: Matrix) -> FloatArray:
    """(D,) US$ per visit."""
    if request.visit_cost is not None:
        return matrix.given(COST, FEE, request.visit_cost, "US$ per visit", 0.0, MAX_MONEY)
    fee = matrix.row(COST, FEE, "policy", "medicare_visit_fee", 0.0)
    payer = request.payer.lower()
    if payer == "medicaid":
        return fee * matrix.row(COST, "Medicaid's fees against Medicare's", "policy", "medicaid_fee_ratio", 0.0, 1.0)
    if payer != "medicare":
        matrix.assumptions.append(
            f"A visit costs {request.payer} what Medicare pays for it; 'visit_cost' changes that."
        )
    return fee


def _utility(request: PolicyInput, response: Response, matrix: Matrix) -> tuple[FloatArray | None, str]:
    """(D,) utility for one unit of change of the endpoint, signed, or why there is none."""
    endpoint, cohort = response.endpoint, response.cohort
    if request.utility_gain is not None:
        return response.sign * matrix.given(COST, UTILITY, request.utility_gain, f"utility per {endpoint.unit}"), ""
    if endpoint.endpoint_id not in WEIGHT_ENDPOINTS:
        return None, (
            f"Cost per QALY not computed because no source here tells what {endpoint.label} is worth in utility: give "
            "'utility_gain'."
        )
    bmi, weight = cohort.mean("bmi"), cohort.mean("weight")
    per_unit = {
        "weight_percent_change": None if bmi is None else bmi / 100,
        "bmi_percent_change": None if bmi is None else bmi / 100,
        "weight_change": None if bmi is None or not weight else bmi / weight,
        "bmi_change": 1.0,
    }[endpoint.endpoint_id]
    if per_unit is None:
        return None, "Cost per QALY not computed because the cohort does not tell its BMI: give 'utility_gain'."
    matrix.assumptions.append(
        f"One {endpoint.unit} of {endpoint.label} is {per_unit:.3g} kg/m2 of BMI, from the cohort's mean"
        + (f" BMI of {bmi:.1f}." if bmi is not None else ".")
    )
    return matrix.row(COST, UTILITY, "cost_effectiveness", "utility_per_bmi_unit") * per_unit, ""
