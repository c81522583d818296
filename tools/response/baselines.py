"""What a prediction has to beat: grand mean, class mean and ridge meta-regression. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.response.features import Arms, FloatArray, Layout, ResponseData, background_matrix, effect_matrix

# Ridge penalties tried, by generalised cross-validation (Golub, Heath and Wahba 1979).
PENALTIES = np.logspace(-3, 3, 25)


@dataclass(frozen=True)
class Baseline:
    """Means (m,) and SDs (m,) on the model's scale, each SD that of a new published figure."""

    means: FloatArray
    sds: FloatArray


def grand_mean(data: ResponseData, arms: Arms) -> Baseline:
    """The mean over all arms, whatever they were given."""
    y = data.y[~data.contrast]
    return Baseline(np.full(len(arms), y.mean()), np.full(len(arms), _spread(y)))


def class_mean(data: ResponseData, arms: Arms) -> Baseline:
    """The mean of the arms of the same class (controls are one class); of all arms where the class has none."""
    single = ~data.contrast
    y, group = data.y[single], data.plus.drug_class[single]
    means, sds = np.full(len(arms), y.mean()), np.full(len(arms), _spread(y))
    centred = y - np.array([y[group == own].mean() for own in group])
    for index, wanted in enumerate(arms.drug_class):
        own = y[group == wanted]
        if len(own):
            means[index] = own.mean()
            sds[index] = _spread(own) if len(own) > 2 else _spread(centred)
    return Baseline(means, sds)


def ridge(data: ResponseData, layout: Layout, arms: Arms) -> Baseline:
    """Ridge meta-regression on class, drug and study covariates, penalty by generalised cross-validation.

    Rows are weighted by their sampling variance plus a common residual variance, found in two passes.
    """
    single = np.flatnonzero(~data.contrast)
    train, y = _columns(data.plus.take(single), layout), data.y[single]
    sampling = np.diag(data.sampling)[single]
    centre, scale = train.mean(axis=0), np.maximum(train.std(axis=0), 1e-9)
    used = train.std(axis=0) > 1e-9
    design = ((train - centre) / scale)[:, used]
    query = ((_columns(arms, layout) - centre) / scale)[:, used]
    residual = max(float(y.var()) - float(np.median(sampling)), 0.1 * float(y.var()), 1e-9)
    means, error = np.full(len(arms), y.mean()), _spread(y)
    for _ in range(2):
        weight = 1.0 / (sampling + residual)
        mean = float(weight @ y / weight.sum())
        root = np.sqrt(weight / weight.mean())
        left, values, right = np.linalg.svd(design * root[:, None], full_matrices=False)
        target = left.T @ (root * (y - mean))
        best = np.inf
        for penalty in PENALTIES * len(y):
            shrink = values**2 / (values**2 + penalty)
            fitted = left @ (shrink * target)
            freedom = len(y) - 1.0 - shrink.sum()
            if freedom < 1.0:
                continue
            misfit = float(np.sum((root * (y - mean) - fitted) ** 2))
            score = misfit / freedom**2
            if score < best:
                best = score
                slopes = right.T @ (values / (values**2 + penalty) * target)
                means, error = mean + query @ slopes, float(np.sqrt(misfit / freedom))
        residual = max(error**2 - float(np.median(sampling)), 1e-3 * error**2, 1e-9)
    return Baseline(means, np.full(len(arms), max(error, 1e-9)))


def _columns(arms: Arms, layout: Layout) -> FloatArray:
    """Background covariates, active, class, drug and modifiers; no dose departures, no time course."""
    effect = effect_matrix(arms, layout)
    keep = [block in ("active", "class", "drug", "modifier") for block in layout.effect_blocks()]
    return np.hstack([background_matrix(arms)[:, 1:], effect[:, keep]])


def _spread(values: FloatArray) -> float:
    """SD of a new value: sample SD widened for the uncertainty of the mean."""
    if len(values) < 2:
        return max(float(np.abs(values).max(initial=0.0)), 1.0)
    return max(float(values.std(ddof=1)) * float(np.sqrt(1.0 + 1.0 / len(values))), 1e-9)
