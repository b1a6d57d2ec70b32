"""The finder of numbers in prose, on texts that are wrong in exactly one way.

pytest tests/test_prose.py
"""

import pytest

from tests.prose import numbers_in, printed_numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The loss falls to 0.53 here.", ["0.53"]),
        ("It is right in 87 % of cases, or 91%.", ["87", "91"]),
        ("The network has 693,962 parameters.", ["693962"]),
        ("The sum is −1.25.", ["-1.25"]),
        ("Two layers and 32 kernels of 3×3.", []),
        ("In code `0.5`, in a formula $0.25$, in a [link](a0.5.html).", []),
        ("Version 1.2.3 of the library.", []),
    ],
)
def test_only_claims_are_found(text, expected):
    assert numbers_in(text) == expected


def test_a_number_nobody_printed_is_missing():
    printed = printed_numbers("accuracy 0.861, 693,962 parameters, −1.25")
    assert {"0.861", "693962", "-1.25"} <= printed
    assert "0.871" not in printed
