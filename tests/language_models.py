"""Small language models in the form of `helpers.data.play_model`, with weights drawn at random."""

import torch

from helpers.data import PlayModel
from helpers.models.transformer import Llama, attend_back, rotate, split_heads
from helpers.widgets._language_model import forward, model_traits

LETTERS = "\n !',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def random_play_model(characters: str = LETTERS, *, seed: int = 0, **given) -> PlayModel:
    """Matrices as int8 levels with one factor per row, drawn large enough for uneven attention."""
    sizes = {"context": 70, "hidden_dim": 24, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2}
    settings = {"vocab_size": len(characters), **sizes, "mlp_dim": 40} | given
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, weight in Llama(**settings).state_dict().items():
        drawn = torch.randn(weight.shape, generator=generator)
        if weight.ndim == 2:
            size = 0.05 if "embed" in name else 1.5 * weight.shape[1] ** -0.5
            drawn = rounded_rows(drawn * size)
        weights[name] = 20 * drawn if name == "norm.weight" else drawn
    return PlayModel(settings, characters, weights)


def rounded_rows(matrix: torch.Tensor) -> torch.Tensor:
    """Each row as whole numbers −127…127 times one factor, as in tools/make_model.py."""
    factor = matrix.abs().amax(dim=1, keepdim=True) / 127
    return (matrix / factor).round() * factor


def torch_model(play_model: PlayModel) -> Llama:
    model = Llama(**play_model.settings)
    model.load_state_dict(play_model.weights)
    return model.eval()


@torch.no_grad()
def torch_pass(model: Llama, ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (time, vocab_size) and attention weights (n_layers, n_heads, time, time).

    The weights of a head are read off torch's own attention: it gets unit vectors as values.
    """
    looks = []

    def record(layer, given):
        x, cos, sin = given[:3]
        looks.append(attention_of(layer, x, cos, sin))

    hooks = [layer.self_attn.register_forward_pre_hook(record) for layer in model.layers]
    logits = model(torch.tensor([ids]))[0]
    for hook in hooks:
        hook.remove()
    return logits, torch.stack(looks)


def attention_of(layer, x, cos, sin) -> torch.Tensor:
    """(n_heads, time, time): what the layer's queries take from a one-hot value at each key."""
    queries = rotate(split_heads(layer.q_proj(x), layer.n_heads), cos, sin)
    keys = rotate(split_heads(layer.k_proj(x), layer.n_kv_heads), cos, sin)
    unit = torch.eye(x.shape[1], dtype=x.dtype).expand(1, layer.n_kv_heads, -1, -1)
    return attend_back(queries, keys, unit)[0]


def numpy_pass(play_model: PlayModel, ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """The same by `helpers.widgets._language_model.forward`."""
    traits = model_traits(play_model)
    return tuple(map(torch.from_numpy, forward(traits["settings"], traits["weights"], ids)))
