"""The explorables: figures that answer to the reader's hand; the reader's browser does the sums.

One explorable is one class in NAME.py (what it holds) and one module NAME.js (how it behaves).

>>> from helpers.widgets import KernelLab, show
>>> show(KernelLab({"cat": photo}))  # photo: uint8 (height, width)
"""

from helpers.widgets.attention_lab import AttentionLab
from helpers.widgets.augmentation_lab import AugmentationLab
from helpers.widgets.base import Explorable, show, static_html
from helpers.widgets.broadcasting import Broadcasting
from helpers.widgets.diagnosis_game import DiagnosisGame
from helpers.widgets.frame_player import FramePlayer
from helpers.widgets.kernel_lab import KernelLab
from helpers.widgets.ladder_explorer import LadderExplorer
from helpers.widgets.next_token import NextToken
from helpers.widgets.optimizer_race import OptimizerRace
from helpers.widgets.receptive_field import ReceptiveField
from helpers.widgets.rotary_arrows import RotaryArrows
from helpers.widgets.schedule_composer import ScheduleComposer
from helpers.widgets.sliding_window import SlidingWindow
from helpers.widgets.text_writer import TextWriter
from helpers.widgets.tokenizer_playground import TokenizerPlayground

__all__ = [
    "AttentionLab",
    "AugmentationLab",
    "Broadcasting",
    "DiagnosisGame",
    "Explorable",
    "FramePlayer",
    "KernelLab",
    "LadderExplorer",
    "NextToken",
    "OptimizerRace",
    "ReceptiveField",
    "RotaryArrows",
    "ScheduleComposer",
    "SlidingWindow",
    "TextWriter",
    "TokenizerPlayground",
    "show",
    "static_html",
]
