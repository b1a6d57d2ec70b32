"""GPT and Llama against the independent models of `transformers`, and their parts against torch.

python -m pytest tests/test_transformer.py
"""

import math

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from transformers.generation import logits_process

from helpers.generation import generate, next_token_probabilities
from helpers.models.transformer import (
    GPT,
    Cache,
    GroupedAttention,
    Llama,
    RMSNorm,
    attend,
    attend_back,
    attention_weights,
    causal_mask,
    rotary_table,
    rotate,
)

transformers.utils.logging.set_verbosity_error()
N = 29  # tokens in the vocabulary

# hidden_dim, n_layers, n_heads, n_kv_heads, mlp_dim: odd shapes, so that no axis fits another.
SHAPES = [(12, 1, 3, 1, 20), (40, 3, 5, 5, 24), (48, 2, 6, 2, 70)]


def draw_all(model, seed=0):
    """Every parameter, norms and biases included, at random, and the largest logit above 5.

    Embeddings are small, as trained ones are: the first norm then shows a wrong epsilon.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            part = name.split(".")[-2]
            embeds = part in ("wte", "wpe", "embed_tokens")
            size = 1 if weight.ndim == 1 else 0.05 if embeds else weight.shape[-1] ** -0.5
            weight.copy_(size * torch.randn(weight.shape, generator=generator))
            if part in ("ln_f", "norm"):
                weight *= 40
    return model.eval()


def gpt2(hidden_dim, n_layers, n_heads, **more):
    config = transformers.GPT2Config(
        vocab_size=N, n_positions=17, n_embd=hidden_dim, n_layer=n_layers, n_head=n_heads,
        bos_token_id=0, eos_token_id=0, **more,
    )  # fmt: skip
    return draw_all(transformers.GPT2LMHeadModel(config))


def llama(hidden_dim, n_layers, n_heads, n_kv_heads, mlp_dim):
    config = transformers.LlamaConfig(
        vocab_size=N, hidden_size=hidden_dim, intermediate_size=mlp_dim, rms_norm_eps=1e-5,
        num_hidden_layers=n_layers, num_attention_heads=n_heads, num_key_value_heads=n_kv_heads,
        max_position_embeddings=17, tie_word_embeddings=True,
    )  # fmt: skip
    return draw_all(transformers.LlamaForCausalLM(config))


def our_gpt(reference):
    """The book's model with the weights of theirs; their `Conv1D` keeps matrices transposed."""
    settings = reference.config
    model = GPT(N, context=17, hidden_dim=settings.n_embd, n_layers=settings.n_layer,
                n_heads=settings.n_head)  # fmt: skip
    weights = {
        name.removeprefix("transformer."): weight.mT
        if ".c_" in name and weight.ndim == 2
        else weight
        for name, weight in reference.state_dict().items()
        if name != "lm_head.weight"
    }
    model.load_state_dict(weights)
    return model.eval()


def our_llama(reference):
    settings = reference.config
    model = Llama(
        N, context=17, hidden_dim=settings.hidden_size, n_layers=settings.num_hidden_layers,
        n_heads=settings.num_attention_heads, n_kv_heads=settings.num_key_value_heads,
        mlp_dim=settings.intermediate_size,
    )  # fmt: skip
    weights = {
        name.removeprefix("model."): weight
        for name, weight in reference.state_dict().items()
        if name != "lm_head.weight"
    }
    model.load_state_dict(weights)
    return model.eval()


def some_ids(batch=3, time=17):
    return torch.randint(N, (batch, time), generator=torch.Generator().manual_seed(1))


def relative(ours, theirs):
    """The largest difference of logits, as a share of the largest logit."""
    assert theirs.abs().max() > 5
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


PAIRS = [(gpt2(*shape[:3]), our_gpt) for shape in SHAPES]
PAIRS += [(llama(*shape), our_llama) for shape in SHAPES]


@pytest.mark.parametrize(("reference", "ours"), PAIRS)
@torch.no_grad()
def test_logits_equal_the_independent_model(reference, ours):
    ids = some_ids()
    assert relative(ours(reference)(ids), reference(ids).logits) < 1e-5


def interleaved(x, cos, sin):
    """The other layout of rotary positions: neighbours are paired."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)


def with_exact_gelu(model, monkeypatch):
    gelu = torch.nn.functional.gelu
    monkeypatch.setattr("helpers.models.transformer.gelu", lambda x, approximate: gelu(x))


def with_interleaved_pairs(model, monkeypatch):
    monkeypatch.setattr("helpers.models.transformer.rotate", interleaved)


def with_another_eps(model, monkeypatch):
    for part in model.modules():
        if isinstance(part, RMSNorm):
            part.eps = 1e-6


def with_biases_swapped(model, monkeypatch):
    with torch.no_grad():
        for block in model.h:
            attention, mlp = block.attn.c_proj.bias, block.mlp.c_proj.bias
            attention.data, mlp.data = mlp.data, attention.data


@pytest.mark.parametrize(
    ("reference", "ours", "mistake"),
    [
        (PAIRS[1][0], our_gpt, with_exact_gelu),
        (PAIRS[1][0], our_gpt, with_biases_swapped),
        (PAIRS[5][0], our_llama, with_interleaved_pairs),
        (PAIRS[5][0], our_llama, with_another_eps),
    ],
)
@torch.no_grad()
def test_a_wrong_variant_is_far_outside(reference, ours, mistake, monkeypatch):
    """Or the equality above would prove little. The two GELUs differ least: by 5e-4 at most."""
    model, ids, logits = ours(reference), some_ids(), reference(some_ids()).logits
    right = relative(model(ids), logits)
    mistake(model, monkeypatch)
    assert relative(model(ids), logits) > max(5e-5, 100 * right)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_attention_by_hand_equals_torchs(n_queries, extra, head_dim, masked):
    generator = torch.Generator().manual_seed(n_queries + 10 * extra)
    n_keys = n_queries + extra - 1
    queries, keys, values = (
        torch.randn(2, n, head_dim, generator=generator, dtype=torch.float64)
        for n in (n_queries, n_keys, n_keys)
    )
    mask = causal_mask(n_queries, n_keys) if masked else None
    theirs = scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    torch.testing.assert_close(attend(queries, keys, values, mask), theirs, rtol=0, atol=1e-12)
    if masked:
        fast = attend_back(queries[:, None], keys[:, None], values[:, None])[:, 0]
        torch.testing.assert_close(fast, theirs, rtol=0, atol=1e-12)


def test_weights_sum_to_one_and_never_look_ahead():
    weights = attention_weights(torch.randn(5, 4), torch.randn(5, 4), causal_mask(5, 5))
    torch.testing.assert_close(weights.sum(-1), torch.ones(5))
    assert (weights.triu(1) == 0).all()


def test_rms_norm_equals_torchs():
    norm = RMSNorm(7)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(3, 7)
    torch.testing.assert_close(norm(x), torch.nn.functional.rms_norm(x, (7,), norm.weight, 1e-5))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 20))
def test_rotary_products_depend_on_the_distance_alone(first, second, shift):
    cos, sin = rotary_table(64, 6)
    query, key = torch.randn(2, 6, generator=torch.Generator().manual_seed(3))

    def product(i, j):
        return rotate(query, cos[i], sin[i]) @ rotate(key, cos[j], sin[j])

    torch.testing.assert_close(
        product(first, second), product(first + shift, second + shift), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(("reference", "ours"), PAIRS[2::3])
@torch.no_grad()
def test_a_cache_gives_the_same_logits(reference, ours):
    """Read in pieces of several sizes, or whole."""
    model, ids, cache = ours(reference).double(), some_ids(), Cache()
    pieces = [model(piece, cache) for piece in ids.split([5, 1, 1, 7, 3], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), model(ids), rtol=1e-10, atol=1e-10)
    assert len(cache) == 17


@pytest.mark.parametrize("n_tokens", [0, 1, 9, 40])
@pytest.mark.parametrize("time", [1, 17, 25])
@pytest.mark.parametrize(("reference", "ours"), PAIRS[2::3])
def test_generation_with_and_without_cache_draws_the_same_tokens(reference, ours, time, n_tokens):
    """Also past the end of the context, and from a prompt that is longer."""
    model, ids = ours(reference), some_ids(time=time)
    texts = [
        generate(model, ids, n_tokens, cached=cached, generator=torch.Generator().manual_seed(0))
        for cached in (True, False)
    ]
    assert torch.equal(*texts)
    assert texts[0].shape == (3, time + n_tokens)
    assert torch.equal(texts[0][:, :time], ids)


def test_temperature_zero_takes_the_likeliest():
    model, ids = our_llama(PAIRS[5][0]), some_ids(time=4)
    texts = [
        generate(model, ids, 5, temperature=0, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 1)
    ]
    assert torch.equal(*texts)
    assert torch.equal(texts[0][:, 4], model(ids)[:, -1].argmax(-1))


def theirs(logits, temperature, top_k, top_p):
    """The same three steps in `transformers`."""
    steps = [logits_process.TemperatureLogitsWarper(temperature)]
    steps += [logits_process.TopKLogitsWarper(top_k)] if top_k else []
    steps += [logits_process.TopPLogitsWarper(top_p)] if top_p else []
    for step in steps:
        logits = step(None, logits)
    return logits.softmax(-1)


@given(
    st.integers(0, 10**6),
    st.floats(0.1, 3),
    st.none() | st.integers(1, 12),
    st.none() | st.floats(0.05, 0.95),
)
def test_sampling_equals_transformers(seed, temperature, top_k, top_p):
    logits = 3 * torch.randn(2, 9, generator=torch.Generator().manual_seed(seed)).double()
    ours = next_token_probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)
    torch.testing.assert_close(ours, theirs(logits, temperature, top_k, top_p))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1}, "temperature must be 0 or a positive number, not -1"),
        ({"temperature": float("nan")}, "not nan"),
        ({"top_k": 0}, "top_k must be a whole number of at least 1, or None, not 0"),
        ({"top_k": True}, "or None, not True"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, or None, not 0.0"),
        ({"top_p": 1.5}, "not 1.5"),
    ],
)
def test_sampling_settings_that_leave_nothing_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        next_token_probabilities(torch.zeros(3), **settings)


@pytest.mark.parametrize(
    ("logits", "temperature"),
    [([0.0, math.nan], 1.0), ([0.0, math.inf], 0), ([-1.0, 2.0], 1e-50), ([0.0, 2.0], 1e-42)],
)
def test_logits_that_give_no_probabilities_are_named(logits, temperature):
    """In float32 the last two temperatures are 0, or so small that a logit divided by it is not."""
    with pytest.raises(ValueError, match=f"at temperature {temperature}: .* near to 0: take 0"):
        next_token_probabilities(torch.tensor(logits), temperature=temperature)


def test_a_top_p_of_1_keeps_tokens_that_no_sum_shows():
    """In float32 the largest add up to 1 before the last have come."""
    logits = 6 * torch.randn(65, generator=torch.Generator().manual_seed(0))
    probabilities = next_token_probabilities(logits, top_p=1.0)
    assert (probabilities > 0).all()
    assert torch.equal(probabilities, next_token_probabilities(logits))
    assert (next_token_probabilities(logits, top_p=1 - 2**-24) == 0).any()


@pytest.mark.parametrize("ids", [torch.zeros(3).long(), [[1, 2]], torch.zeros(1, 1, 3).long()])
def test_generation_names_what_it_cannot_go_on_from(ids):
    model = our_gpt(PAIRS[0][0])
    with pytest.raises(ValueError, match=r"ids must be \(batch, time\), as letters\.encode"):
        generate(model, ids, 1, generator=torch.Generator())


@pytest.mark.parametrize("training", [True, False])
def test_generation_leaves_the_model_in_its_mode(training):
    """A callback that writes a sample must not switch dropout off for the rest of the run."""
    model = our_gpt(PAIRS[0][0]).train(training)
    modes = []
    model.register_forward_hook(lambda *_: modes.append(model.training))
    generate(model, some_ids(time=2), 2, generator=torch.Generator())
    with pytest.raises(ValueError, match="top_k"):
        generate(model, some_ids(time=2), 2, generator=torch.Generator(), top_k=0)
    assert modes == [False] * 3
    assert model.training == training


@pytest.mark.parametrize("kind", ["gpt", "llama"])
@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (torch.zeros(1, 18).long(), ValueError, "18 tokens came, but this model has a context of"),
        (torch.tensor([[0, N]]), ValueError, f"must be 0…{N - 1}, but these are 0…{N}"),
        (torch.tensor([[-1]]), ValueError, "but these are -1…-1"),
        (torch.zeros(3).long(), ValueError, r"must be \(batch, time\)"),
        (torch.zeros(1, 0).long(), ValueError, "time > 0"),
        (torch.zeros(1, 2), TypeError, "whole numbers .* not torch.float32"),
        ([[1, 2]], TypeError, "not list"),
    ],
)
def test_ids_that_do_not_fit_are_named(kind, ids, error, message):
    model = our_gpt(PAIRS[0][0]) if kind == "gpt" else our_llama(PAIRS[3][0])
    with pytest.raises(error, match=message):
        model(ids)


@pytest.mark.parametrize("heads", [(12, 5, 5), (12, 4, 3)])
def test_heads_that_do_not_divide_are_named(heads):
    with pytest.raises(ValueError, match="n_heads must divide hidden_dim"):
        GroupedAttention(*heads)


@pytest.mark.parametrize("heads", [(9, 3, 3), (6, 6, 2)])
def test_heads_of_an_odd_width_are_named(heads):
    """Half a pair cannot be turned; with a width of 3, torch would broadcast and say nothing."""
    with pytest.raises(ValueError, match=r"hidden_dim divided by n_heads must be even, not [13]"):
        GroupedAttention(*heads)
