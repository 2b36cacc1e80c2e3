"""The plots of a comparison, each a PNG in its folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sstrain.comparison.curve_plots import draw_curves
from sstrain.comparison.diagnostic_plots import draw_bias_and_variance
from sstrain.comparison.ranking_plots import draw_pareto, draw_ranking
from sstrain.disk import replacing

if TYPE_CHECKING:
    from sstrain.comparison.ranking import Ranking
    from sstrain.comparison.records import CellRecord

__all__ = ["write_plots"]


def write_plots(
    folder: Path, records: "Sequence[CellRecord]", ranking: "Ranking"
) -> dict[str, Path]:
    """Draw what there is to draw.

    Parameters
    ----------
    folder : Path
        Takes ``ranking.png``, ``curves.png``, ``pareto.png`` and ``bias_variance.png``; one for
        which nothing was measured is left out, and an old one removed.
    records : sequence of CellRecord
        In the order of the grid.
    ranking : Ranking

    Returns
    -------
    dict
        The paths by name without suffix, in the order of the report.

    Raises
    ------
    OSError
        If one cannot be written.
    """
    pictures = {
        "ranking": draw_ranking(ranking),
        "curves": draw_curves(records),
        "pareto": draw_pareto(records, ranking),
        "bias_variance": draw_bias_and_variance(records),
    }
    written = {}
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        if picture is None:
            path.unlink(missing_ok=True)
            continue
        with replacing(path) as temporary:
            temporary.write_bytes(picture)
        written[name] = path
    return written
