"""The settings of sstrain that are measured, each a part of a config."""

from typing import Any

from peers.tools.base import Setting

_LINEAR: dict[str, Any] = {"type": "adagrad", "schedule": "linear"}


def _sampler(samples: int) -> dict[str, Any]:
    return {"type": "unigram", "power": 0.75, "num_samples": samples, "share": "batch"}


def _dense(
    samples: int | None, epochs: int, reason: str, quick: bool = False, **optimizer: Any
) -> Setting:
    """Return a dense model's setting; without samples its gradient is exact."""
    options: dict[str, Any] = {
        "train": {"min_feature_count": 5},
        "model": {"type": "dense", "bias_init": "log_prior"},
        "objective": {"type": "importance" if samples else "exact"},
        "optimizer": _LINEAR | {"learning_rate": 0.5} | optimizer,
        "training": {"epochs": epochs, "batch_size": 128},
    }
    if samples:
        options["sampler"] = _sampler(samples)
    gradient = f"K = {samples}" if samples else "exact"
    name = f"dense, {options['optimizer']['type']}, {gradient}, epochs {epochs}"
    return Setting(name, reason, options, ("kjv",), quick)


def _low_rank(
    sets: tuple[str, ...], rank: int, samples: int | None, epochs: int, rate: float, reason: str,
    quick: bool = False, count: int = 2, **optimizer: Any,
) -> Setting:  # fmt: skip
    """Return a low-rank model's setting."""
    options: dict[str, Any] = {
        "train": {"min_feature_count": count},
        "model": {"type": "low_rank", "rank": rank},
        "objective": {"type": "importance" if samples else "exact"},
        "optimizer": _LINEAR | {"learning_rate": rate} | optimizer,
        "training": {"epochs": epochs, "batch_size": 512},
    }
    if samples:
        options["sampler"] = _sampler(samples)
    gradient = f"K = {samples}" if samples else "exact"
    name = f"low-rank {rank}, {gradient}, epochs {epochs}"
    return Setting(name, reason, options, sets, quick)


def _hashed(
    sets: tuple[str, ...], bits: int, samples: int, epochs: int, rate: float, reason: str,
    **optimizer: Any,
) -> Setting:  # fmt: skip
    """Return a hashed model's setting."""
    options: dict[str, Any] = {
        "train": {"min_feature_count": 2},
        "model": {"type": "hashed", "bits": bits},
        "objective": {"type": "importance"},
        "sampler": _sampler(samples),
        "optimizer": _LINEAR | {"learning_rate": rate} | optimizer,
        "training": {"epochs": epochs, "batch_size": 128},
    }
    return Setting(f"hashed 2^{bits}, K = {samples}, epochs {epochs}", reason, options, sets)


_KJV, _NOVELS, _PLACES = ("kjv",), ("novels",), ("placenames",)
_SHORT = "the low-rank config, cheaper"
_LONG = "the low-rank config, more numbers in a vector"

SETTINGS = (
    _dense(20, 1, "configs/quickstart.yaml, the fewest samples", quick=True),
    _dense(64, 1, "configs/quickstart.yaml, one epoch"),
    _dense(64, 2, "configs/quickstart.yaml, two epochs"),
    _dense(64, 3, "configs/quickstart.yaml", quick=True),
    _dense(None, 1, "the exact gradient", type="rowwise_adagrad", learning_rate=3.0),
    _dense(None, 2, "the exact gradient", type="rowwise_adagrad", learning_rate=3.0),
    _low_rank(_KJV, 16, 256, 1, 0.3, _SHORT),
    _low_rank(_KJV, 32, 512, 1, 0.2, _SHORT),
    _low_rank(_KJV, 64, 512, 1, 0.2, _SHORT, quick=True),
    _low_rank(_KJV, 128, 512, 1, 0.2, _SHORT),
    _low_rank(_KJV, 128, 512, 2, 0.15, "configs/low_rank.yaml", quick=True),
    _low_rank(_KJV, 300, 512, 2, 0.15, _LONG),
    _low_rank(_KJV, 300, 1024, 3, 0.15, _LONG),
    _low_rank(_KJV, 128, None, 1, 0.2, "the exact gradient"),
    _hashed(_KJV, 26, 256, 3, 0.9, "configs/kjv_conjunctions.yaml", initial_accumulator=4.9e-4),
    _low_rank(_NOVELS, 32, 512, 1, 0.15, _SHORT),
    _low_rank(_NOVELS, 64, 512, 1, 0.15, _SHORT),
    _low_rank(_NOVELS, 100, 512, 1, 0.15, _SHORT),
    _low_rank(_NOVELS, 100, 512, 2, 0.15, _SHORT),
    _low_rank(_NOVELS, 100, 512, 3, 0.1, "benchmarks/configs/novels.yaml"),
    _low_rank(_NOVELS, 300, 512, 2, 0.15, _LONG),
    _hashed(_NOVELS, 26, 64, 1, 0.5, "benchmarks/layouts.py, cheaper"),
    _low_rank(_PLACES, 64, 512, 1, 0.3, _SHORT),
    _low_rank(_PLACES, 100, 512, 2, 0.3, _SHORT),
    _low_rank(_PLACES, 100, 512, 5, 0.1, "benchmarks/configs/placenames.yaml"),
    _low_rank(_PLACES, 300, 512, 3, 0.2, _LONG),
    _low_rank(_PLACES, 300, 512, 5, 0.1, _LONG),
    _hashed(_PLACES, 26, 64, 2, 4.0, "configs/placenames.yaml", initial_accumulator=2e-6),
    _hashed(_PLACES, 28, 256, 3, 2.0, "benchmarks/layouts.py"),
)
