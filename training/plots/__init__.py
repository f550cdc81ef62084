"""A checkpoint's pictures: SVG drawings that suit light and dark pages alike."""

from training.plots.comparison import draw_nll_comparison
from training.plots.curves import draw_lr_find
from training.plots.draw import draw_plots

__all__ = ["draw_lr_find", "draw_nll_comparison", "draw_plots"]
