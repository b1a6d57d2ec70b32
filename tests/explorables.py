"""What the tests of all explorables have in common."""

import copy

import pytest

from helpers.widgets import Explorable


def assert_refused(explorable: Explorable, trait: str, value, message: str, error=ValueError):
    """The message says what came, and the trait stays as it was."""
    before = copy.deepcopy(getattr(explorable, trait))
    with pytest.raises(error, match=message):
        setattr(explorable, trait, value)
    assert getattr(explorable, trait) == before
