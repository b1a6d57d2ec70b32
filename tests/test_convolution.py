"""The three ways to compute a convolution equal PyTorch's, for every setting that they take.

python -m pytest tests/test_convolution.py
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from helpers.convolution import conv2d_fft, conv2d_loops, conv2d_unfold

WAYS = (conv2d_loops, conv2d_unfold, conv2d_fft)
every_way = pytest.mark.parametrize("way", WAYS)


@st.composite
def cases(draw):
    """Images, weight, bias, stride, padding, dilation, groups that fit together, in float64."""
    groups, dilation, padding = (draw(st.integers(low, 3)) for low in (1, 1, 0))
    channels, out_channels = (groups * draw(st.integers(1, 2)) for _ in range(2))
    kernel = [draw(st.integers(1, 4)) for _ in range(2)]
    covered = [dilation * (k - 1) + 1 for k in kernel]
    size = [max(c - 2 * padding, 1) + draw(st.integers(0, 5)) for c in covered]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    shapes = [
        (draw(st.integers(1, 3)), channels, *size),
        (out_channels, channels // groups, *kernel),
        (out_channels,),
    ]
    tensors = [torch.randn(s, dtype=torch.float64, generator=generator) for s in shapes]
    return *tensors, draw(st.integers(1, 4)), padding, dilation, groups


@every_way
@given(cases())
def test_equals_pytorch_in_double_precision(way, case):
    torch.testing.assert_close(way(*case), conv2d(*case), rtol=0, atol=1e-10)


@every_way
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_precision_that_it_is_given(way, dtype):
    images, weight, bias = torch.ones(1, 2, 5, 5), torch.ones(3, 2, 3, 3), torch.ones(3)
    result = way(*(tensor.to(dtype) for tensor in (images, weight, bias)))
    torch.testing.assert_close(result, torch.full((1, 3, 3, 3), 19, dtype=dtype))


@every_way
def test_gradients_flow_through(way):
    """What is built from PyTorch's operations is differentiated by PyTorch."""
    shapes = [(2, 2, 5, 4), (2, 1, 3, 2), (2,)]
    inputs = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(lambda *t: way(*t, 2, 1, 1, 2), inputs)
