"""The small encoder of chapter 10 against torch's own, and what it can know of places.

python -m pytest tests/test_reversal.py
"""

import pytest
import torch
from torch import nn

from helpers.models.reversal import EncoderBlock, Reverser, reversal_accuracy, teach_reversal

NAMES = {"norm_1": "norm1", "norm_2": "norm2", "qkv.": "self_attn.in_proj_",
         "out": "self_attn.out_proj", "mlp.0": "linear1", "mlp.2": "linear2"}  # fmt: skip


def drawn(model):
    """Every parameter at random, in float64: no bias is 0 and no norm is 1."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    return model.double()


@pytest.mark.parametrize("theirs_first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_block_equals_torchs_with_the_norms_in_the_same_place(norm_first, theirs_first):
    ours = drawn(EncoderBlock(12, 3, norm_first))
    theirs = nn.TransformerEncoderLayer(
        12, 3, 48, dropout=0, batch_first=True, norm_first=theirs_first
    ).double()
    weights = ours.state_dict()
    for our_name, their_name in NAMES.items():
        weights = {name.replace(our_name, their_name): w for name, w in weights.items()}
    theirs.load_state_dict(weights)
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    gap = (ours(x) - theirs(x)).abs().max()
    assert gap < 1e-10 if norm_first == theirs_first else gap > 1e-2


@pytest.mark.parametrize("positions", ["none", "learned", "sinusoidal", "rotary"])
def test_only_positions_tell_a_shuffled_row_from_another(positions):
    torch.manual_seed(0)
    model = Reverser(positions, 9)
    ids, shuffle = torch.randint(10, (3, 9)), torch.randperm(9)
    gap = (model(ids)[:, shuffle] - model(ids[:, shuffle])).abs().max()
    assert (gap < 1e-5) == (positions == "none")


def test_a_short_row_is_learned_with_positions():
    torch.manual_seed(0)
    model = Reverser("learned", 4)
    losses = teach_reversal(model, 4, steps=100, lr=1e-2, seed=0)
    assert losses[-1] < losses[0]
    assert reversal_accuracy(model, 4) == (1.0, 1.0)
