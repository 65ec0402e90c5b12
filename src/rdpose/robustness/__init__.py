"""How a network stands up to crowds: AP, misassignment and anchors against disturbed boxes, anchors and hidden joints.

    benchmark = read("coco crowded", annotations, images, skeleton=COCO_17, min_crowd_index=0.1)
    figures = table_figures(network, benchmark, settings) | curve_figures(network, benchmark, settings)
    figures["coco crowded/box noise 0.12/misassigned"]

Figures are flat, `benchmark/condition/measure`, so that networks and seeds compare key by key.
"""

from rdpose.robustness.benchmarks import Benchmark, read
from rdpose.robustness.comparison import Comparison, compare
from rdpose.robustness.figures import curve_figures, table_figures
from rdpose.robustness.looking import Seen, cost, look
from rdpose.robustness.measures import measure, measure_by_hidden_share

__all__ = [
    "Benchmark",
    "Comparison",
    "Seen",
    "compare",
    "cost",
    "curve_figures",
    "look",
    "measure",
    "measure_by_hidden_share",
    "read",
    "table_figures",
]
