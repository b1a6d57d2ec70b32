"""One case per explorable: tests/browser/cases/NAME.py for helpers/widgets/NAME.py.

- `example()` makes an explorable from data that is made here.
- `arithmetic(evaluate, rng)` compares every function that NAME.js exports with torch;
  `evaluate(name, *arguments)` calls one in the browser.
- `at_load(root, explorable)` compares what the untouched page shows with Python's answer.
- `changes(rng)` lists (trait, value) pairs whose effect on the page is timed.
- `operate(page, root)` moves the explorable by keyboard and by pointer and compares the numbers
  that it shows with torch. `root` is the Locator of its outermost element; nothing else about the
  page is assumed, so the same function drives a bare page, the built site and JupyterLab.
"""

import base64

import numpy as np
import torch
from playwright.sync_api import Locator


def pixels(picture: Locator) -> torch.Tensor:
    """A canvas or image as the browser has it: uint8 (height, width, 3), red green blue."""
    script = """node => {
        const width = node.naturalWidth ?? node.width, height = node.naturalHeight ?? node.height;
        const canvas = Object.assign(document.createElement("canvas"), { width, height });
        const context = canvas.getContext("2d");
        context.drawImage(node, 0, 0);
        const bytes = context.getImageData(0, 0, width, height).data;
        let text = "";  // base64: lists of numbers take the browser's driver a second
        for (const byte of bytes) text += String.fromCharCode(byte);
        return [height, width, btoa(text)];
    }"""
    height, width, text = picture.evaluate(script)
    data = np.frombuffer(base64.b64decode(text), dtype=np.uint8).reshape(height, width, 4)
    return torch.from_numpy(data[..., :3].copy())


def number(text: str) -> float:
    """A number as an explorable writes it, with a true minus sign."""
    return float(text.replace("−", "-"))
