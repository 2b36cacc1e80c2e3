"""The settings of sstrain that are measured, each a part of a config."""

from typing import Any

from peers.tools.base import Setting

_LINEAR: dict[str, Any] = {"type": "adagrad", "schedule": "linear"}


def _sampler(samples: int, power: float = 0.75) -> dict[str, Any]:
    return {"type": "unigram", "power": power, "num_samples": samples, "share": "batch"}


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
    quick: bool = False, power: float = 0.75, dropout: float = 0.0, batch: int = 512,
    **optimizer: Any,
) -> Setting:  # fmt: skip
    """Return a low-rank model's setting."""
    options: dict[str, Any] = {
        "train": {"min_feature_count": 2},
        "model": {"type": "low_rank", "rank": rank, "dropout": dropout},
        "objective": {"type": "importance" if samples else "exact"},
        "optimizer": _LINEAR | {"learning_rate": rate} | optimizer,
        "training": {"epochs": epochs, "batch_size": batch},
    }
    if samples:
        options["sampler"] = _sampler(samples, power)
    gradient = f"K = {samples}" if samples else "exact"
    name = f"low-rank {rank}, {gradient}, epochs {epochs}"
    if batch != 512:
        name += f", batch {batch}"
    if decay := optimizer.get("l2"):
        name += f", l2 {decay:g}"
    return Setting(name, reason, options, sets, quick)


def _hashed(
    sets: tuple[str, ...], bits: int, samples: int, epochs: int, rate: float, reason: str,
    batch: int = 128, **optimizer: Any,
) -> Setting:  # fmt: skip
    """Return a hashed model's setting."""
    options: dict[str, Any] = {
        "train": {"min_feature_count": 2},
        "model": {"type": "hashed", "bits": bits},
        "objective": {"type": "importance"},
        "sampler": _sampler(samples),
        "optimizer": _LINEAR | {"learning_rate": rate} | optimizer,
        "training": {"epochs": epochs, "batch_size": batch},
    }
    return Setting(f"hashed 2^{bits}, K = {samples}, epochs {epochs}", reason, options, sets)


_KJV, _NOVELS, _PLACES = ("kjv",), ("novels",), ("placenames",)
_CHEAP = "as cheap as fastText's figures allow"
_SHORT = "the low-rank config, cheaper"
_LONG = "the low-rank config with weight decay, which lets it train longer"
_DROPOUT = "more numbers in a vector, which dropout keeps from over-fitting"

SETTINGS = (
    _dense(20, 1, "configs/quickstart.yaml, the fewest samples", quick=True),
    _dense(64, 3, "configs/quickstart.yaml", quick=True),
    _dense(None, 1, "the exact gradient", type="rowwise_adagrad", learning_rate=3.0),
    _low_rank(_KJV, 24, 256, 1, 0.3, _CHEAP, batch=1024),
    _low_rank(_KJV, 24, 192, 1, 0.35, _CHEAP, quick=True),
    _low_rank(_KJV, 32, 256, 1, 0.3, _CHEAP),
    _low_rank(_KJV, 48, 256, 1, 0.3, _CHEAP),
    _low_rank(_KJV, 64, 256, 1, 0.3, _SHORT, quick=True),
    _low_rank(_KJV, 64, 384, 1, 0.3, _SHORT),
    _low_rank(_KJV, 128, 512, 2, 0.25, _LONG, l2=1e-3),
    _low_rank(_KJV, 128, 512, 4, 0.2, "configs/low_rank.yaml", l2=2e-3, quick=True),
    _low_rank(_KJV, 200, 1024, 4, 0.2, _DROPOUT, l2=2e-3, dropout=0.2),
    _low_rank(_KJV, 300, 1024, 4, 0.2, _DROPOUT, l2=2e-3, dropout=0.3),
    _low_rank(_KJV, 128, None, 1, 0.2, "the exact gradient"),
    _hashed(_KJV, 26, 256, 2, 3.0, "a table of fixed size", batch=512, l2=3e-5),
    _low_rank(_NOVELS, 16, 128, 1, 0.3, _CHEAP),
    _low_rank(_NOVELS, 24, 128, 1, 0.3, _CHEAP),
    _low_rank(_NOVELS, 64, 512, 2, 0.25, _LONG, l2=2e-3),
    _low_rank(_NOVELS, 128, 512, 1, 0.25, _LONG, l2=2e-3),
    _low_rank(_NOVELS, 128, 512, 2, 0.25, _LONG, l2=2e-3),
    _low_rank(_NOVELS, 200, 1024, 2, 0.25, _DROPOUT, l2=2e-3, dropout=0.2),
    _hashed(_NOVELS, 26, 64, 1, 0.5, "benchmarks/layouts.py, cheaper"),
    _low_rank(_PLACES, 32, 192, 1, 0.5, _CHEAP),
    _low_rank(_PLACES, 64, 192, 2, 0.4, _SHORT, l2=8e-4),
    _low_rank(_PLACES, 128, 512, 2, 0.5, _LONG, l2=1e-3),
    _low_rank(_PLACES, 128, 512, 3, 0.5, _LONG, l2=1e-3),
    _low_rank(_PLACES, 200, 512, 4, 0.5, _LONG, l2=8e-4),
    _hashed(_PLACES, 26, 64, 2, 4.0, "configs/placenames.yaml", initial_accumulator=2e-6),
)
