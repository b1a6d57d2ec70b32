"""Find the numbers that a text claims, and those that cells print."""

import re

# Not prose: code, formulas, links' targets, HTML, roles.
NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|<[^>]+>|\{[^}]*\}", flags=re.S
)
# A decimal such as 0.87, a percentage such as 90 %, a long count such as 693,962.
NUMBER = re.compile(r"(?<![\w.])[-−]?\d+\.\d+(?![\w.]*\w)|(?<![\w.,])\d+(?= ?%)|\d{1,3}(?:,\d{3})+")


def numbers_in(markdown: str) -> list[str]:
    """Decimals, percentages and counts with separators that stand in prose.

    Version numbers (1.2.3) and section numbers written in code are left out.
    """
    text = NOT_PROSE.sub(" ", markdown)
    return [match.group().replace("−", "-").replace(",", "") for match in NUMBER.finditer(text)]


def printed_numbers(output: str) -> set[str]:
    """Every number in the outputs, as written, without thousands separators."""
    text = output.replace("−", "-").replace(",", "")
    found = set(re.findall(r"-?\d+(?:\.\d+)?", text))
    return found | {number.lstrip("-") for number in found}
