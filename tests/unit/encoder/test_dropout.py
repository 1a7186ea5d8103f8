"""Quick dropout: the distribution of torch's, replayed by its generator, with a right gradient."""

import pytest
import torch

from nearer.encoder.dropout import quick_dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_share_of_zeros_and_the_scale(probability, dtype):
    torch.manual_seed(0)
    count = 400_003
    dropped = quick_dropout(torch.ones(count, dtype=dtype), probability)
    assert dropped.dtype is dtype
    share = (dropped == 0).double().mean().item()
    five_sigma = 5 * (probability * (1 - probability) / count) ** 0.5
    assert abs(share - probability) < five_sigma + 1 / 65536
    kept = dropped[dropped != 0].double()
    assert kept.min() == kept.max()
    assert kept[0].item() == pytest.approx(
        1 / (1 - probability), rel=1e-2 if dtype.itemsize == 2 else 1e-4
    )


def test_neighbours_are_independent():
    """Four elements share one draw; none of them may follow from another."""
    torch.manual_seed(1)
    zero = (quick_dropout(torch.ones(400_000), 0.5) == 0).double().view(-1, 4)
    assert (torch.corrcoef(zero.T) - torch.eye(4, dtype=torch.float64)).abs().max() < 0.02


def test_a_state_that_is_put_back_gives_the_same_mask():
    values = torch.randn(37, 11)
    state = torch.get_rng_state()
    first, other = quick_dropout(values, 0.3), quick_dropout(values, 0.3)
    torch.set_rng_state(state)
    assert torch.equal(quick_dropout(values, 0.3), first)
    assert not torch.equal(first, other)


def test_the_gradient_goes_where_the_value_went():
    values = torch.randn(50, 7, requires_grad=True)
    dropped = quick_dropout(values, 0.4)
    dropped.sum().backward()
    torch.testing.assert_close(values.grad * values.detach(), dropped.detach())
