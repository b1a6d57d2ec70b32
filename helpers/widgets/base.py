"""What every explorable shares: one JavaScript module, one stylesheet, one table of texts.

- An anywidget carries a single ES module without imports, so `_common.js` is put in front of
  NAME.js (and `_pictures.js`, where grey pictures are shown).
- Every text that a reader sees comes from `STRINGS`, synced as `strings`: translations replace it.
- Beside each explorable stands a static picture of it, for print and for screen readers.
- The same object lives in JupyterLab, in Colab (anywidget 0.9, ipywidgets 7) and on the website.
"""

import base64
import html
import inspect
import io
from pathlib import Path
from typing import ClassVar

import anywidget
import traitlets
from matplotlib.figure import Figure

SHARED = Path(__file__).parent
# Of the static pictures: blue and orange are the first two of `helpers.plotting.PALETTE`, which
# would bring pyplot along; orange is the accent of `_common.css`.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#7A7F87"

# Screen readers find the picture while the explorable is on screen; in print and without JavaScript
# it takes its place. The style travels along: Colab and JupyterLab load no stylesheet of ours.
STATIC_STYLE = """<style>
.lm-static { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media print { .lm-static { position: static; width: auto; height: auto; clip-path: none; } }
</style><noscript><style>
.lm-static { position: static; width: auto; height: auto; clip-path: none; }
</style></noscript>"""


class Explorable(anywidget.AnyWidget):
    """A widget whose arithmetic runs in the browser; subclasses set `module_name` and `STRINGS`.

    Traits:
        strings: key -> text. `strings={"play": "播放"}` replaces single entries.

    Raises:
        ValueError: `strings` has a key that the explorable does not use.
    """

    module_name: str
    shared = ("_common",)  # JavaScript files that stand before NAME.js, in this order
    STRINGS: ClassVar[dict[str, str]] = {}

    strings = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs) -> None:
        super().__init_subclass__(**kwargs)
        # Only for a class that names its module: traitlets makes a new subclass of each object.
        if "module_name" in cls.__dict__:
            own = Path(inspect.getfile(cls)).parent / cls.module_name
            shared = [SHARED / f"{name}.js" for name in cls.shared]
            cls._esm = _joined(*shared, own.with_suffix(".js"))
            cls._css = _joined(SHARED / "_common.css", own.with_suffix(".css"))

    def __init__(self, *, strings: dict[str, str] | None = None, **traits) -> None:
        super().__init__(strings={**self.STRINGS, **(strings or {})}, **traits)

    @traitlets.validate("strings")
    def _check_strings(self, proposal):
        unknown = sorted(set(proposal["value"]) - set(self.STRINGS))
        if unknown:
            known = ", ".join(sorted(self.STRINGS))
            raise ValueError(f"strings should use the keys {known}; got {', '.join(unknown)}.")
        return proposal["value"]

    def static_figure(self) -> Figure:
        """What the explorable shows now, as a matplotlib figure on white."""
        raise NotImplementedError(f"{type(self).__name__} should define static_figure().")

    def alt_text(self) -> str:
        """What is to be seen in the static picture, in at least eight words."""
        raise NotImplementedError(f"{type(self).__name__} should define alt_text().")


def static_html(explorable: Explorable) -> str:
    """The static picture as HTML: a `<figure class="lm-static">` with its own style.

    >>> static_html(lab).startswith("<style>")
    True
    """
    buffer = io.BytesIO()
    figure = explorable.static_figure()
    figure.savefig(buffer, format="png", dpi=110, facecolor="white", bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    alt = html.escape(explorable.alt_text(), quote=True)
    picture = f'<img alt="{alt}" src="data:image/png;base64,{data}" style="max-width: 100%">'
    return f'{STATIC_STYLE}<figure class="lm-static">{picture}</figure>'


def show(explorable: Explorable) -> None:
    """Display an explorable, and its picture for print, screen readers and pages without scripts.

    >>> show(KernelLab({"cat": photo}))
    """
    from IPython.display import HTML, display

    display(explorable)
    display(HTML(static_html(explorable)))


def format_number(value: float, spec: str = "") -> str:
    """A number with a true minus sign, and no "−0.00", as `formatNumber` in `_common.js`.

    >>> format_number(-2), format_number(-0.001, ".2f"), format_number(1234.5, "+,.1f")
    ('−2', '0.00', '+1,234.5')
    """
    text = format(value, spec).replace("-", "−")
    return text if text.strip("+−0.,") else text.lstrip("+−")


def _joined(*files: Path) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.exists())
