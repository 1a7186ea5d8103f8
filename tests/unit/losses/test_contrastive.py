"""InfoNCE: values by hand, masks, both directions, the learned temperature."""

import math

import pytest
import torch

from nearer.errors import SpecError
from nearer.losses.contrastive import InfoNCE
from nearer.losses.protocol import EmbeddedBatch


def embeddings(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def by_loops(query, candidates, known=None, temperature=0.05):
    losses = []
    for i, q in enumerate(query):
        terms = {
            j: math.exp(float(q @ c / (q.norm() * c.norm())) / temperature)
            for j, c in enumerate(candidates)
            if j == i or known is None or not known[i, j]
        }
        losses.append(-math.log(terms[i] / sum(terms.values())))
    return sum(losses) / len(losses)


def test_two_orthogonal_pairs_by_hand():
    loss = InfoNCE(temperature=0.5)(EmbeddedBatch(torch.eye(2) * 3, torch.eye(2)))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_every_negative_of_every_row_is_a_candidate_of_every_query():
    q, d, n, m = (embeddings(4, 3, seed=s).detach() for s in range(4))
    loss = InfoNCE()(EmbeddedBatch(q, d, negatives=(n, m)))
    assert loss.item() == pytest.approx(by_loops(q, torch.cat([d, n, m])))


def test_known_candidates_are_left_out_but_never_the_own_document():
    q, d, n = (embeddings(4, 3, seed=s).detach() for s in range(3))
    known = torch.rand(4, 8, generator=torch.Generator().manual_seed(1)) < 0.5
    known[0, 0] = True
    loss = InfoNCE()(EmbeddedBatch(q, d, negatives=(n,), known=known))
    assert loss.item() == pytest.approx(by_loops(q, torch.cat([d, n]), known))


def test_a_row_with_all_others_known_has_no_loss():
    q, d = embeddings(3, 4), embeddings(3, 4, seed=1)
    known = ~torch.eye(3, dtype=torch.bool)
    loss = InfoNCE()(EmbeddedBatch(q, d, known=known))
    loss.backward()
    assert loss.item() == 0
    assert not q.grad.any()


def test_a_known_candidate_gets_exactly_no_gradient_from_that_row():
    q, d, n = (embeddings(3, 4, seed=s) for s in range(3))
    known = torch.zeros(3, 6, dtype=torch.bool)
    known[0, 2] = known[1, 2] = known[0, 4] = known[1, 4] = known[2, 4] = True
    InfoNCE()(EmbeddedBatch(q, d, negatives=(n,), known=known)).backward()
    assert not n.grad[1].any()
    assert n.grad[0].any()
    # Document 2 is left with its own row alone: the same gradient as a batch without rows 0 and 1.
    alone = d.detach().clone().requires_grad_()
    masked = torch.zeros(3, 6, dtype=torch.bool)
    masked[:, 4] = True
    logits = torch.nn.functional.cosine_similarity(
        q.detach()[2:3], torch.cat([alone, n.detach()]), dim=1
    )
    logits = (logits * 20).masked_fill(masked[2], -math.inf)
    (-logits.log_softmax(0)[2] / 3).backward()
    torch.testing.assert_close(d.grad[2], alone.grad[2])


def test_symmetric_averages_both_directions_with_the_mask_turned():
    q, d, n = (embeddings(3, 4, seed=s).detach() for s in range(3))
    known = torch.zeros(3, 6, dtype=torch.bool)
    known[0, 1] = known[2, 5] = True
    loss = InfoNCE(symmetric=True)(EmbeddedBatch(q, d, negatives=(n,), known=known))
    there = by_loops(q, torch.cat([d, n]), known)
    back = by_loops(d, q, known[:, :3].T)
    assert loss.item() == pytest.approx((there + back) / 2)


def test_dot_does_not_normalise():
    q, d = torch.tensor([[2.0], [0.0]]), torch.tensor([[3.0], [1.0]])
    loss = InfoNCE(temperature=1, similarity="dot")(EmbeddedBatch(q, d))
    expected = (math.log(1 + math.exp(2 - 6)) + math.log(2)) / 2
    assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("size", [1e-20, 1e4])
def test_stable_for_any_length_and_a_cold_temperature(size):
    q = (embeddings(4, 3).detach() * size).requires_grad_()
    loss = InfoNCE(temperature=1e-4)(EmbeddedBatch(q, embeddings(4, 3, seed=1).detach()))
    loss.backward()
    assert loss.isfinite()
    assert q.grad.isfinite().all()


def test_zero_embeddings_and_half_precision_are_finite():
    zero = torch.zeros(3, 4, dtype=torch.bfloat16, requires_grad=True)
    loss = InfoNCE()(EmbeddedBatch(zero, zero))
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(3))
    assert zero.grad.isfinite().all()


def test_a_learned_temperature_begins_the_same_and_moves():
    batch = EmbeddedBatch(embeddings(4, 3).detach(), embeddings(4, 3, seed=1).detach())
    loss = InfoNCE(temperature=0.1, learn_temperature=True)
    value = loss(batch)
    assert value.item() == pytest.approx(InfoNCE(temperature=0.1)(batch).item())
    before = loss.temperature
    value.backward()
    torch.optim.SGD(loss.parameters(), lr=0.01).step()
    assert loss.temperature != before
    assert loss(batch) < value


def test_a_learned_temperature_stays_in_bounds_and_can_come_back():
    loss = InfoNCE(learn_temperature=True)
    batch = EmbeddedBatch(embeddings(4, 3).detach(), embeddings(4, 3, seed=1).detach())
    for wild, bound in ((50.0, 0.01), (-50.0, 1.0)):
        with torch.no_grad():
            loss.log_scale.fill_(wild)
        loss.zero_grad()
        loss(batch).backward()
        assert loss.temperature == pytest.approx(bound)
        assert loss.log_scale.grad.abs() > 0


def test_a_fixed_temperature_has_no_parameter():
    assert not list(InfoNCE().parameters())
    assert InfoNCE().temperature == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temperature": 0}, "temperature must be a number above 0, not 0"),
        ({"temperature": math.nan}, "above 0"),
        ({"temperature": "warm"}, "above 0, not 'warm'"),
        ({"similarity": "cosin"}, 'Did you mean "cosine"'),
        ({"temperature": 2.0, "learn_temperature": True}, "begins between 0.01 and 1.0, not at 2"),
        ({"temperature": -1, "similarity": "l2"}, "2 faults"),
    ],
)
def test_bad_options(options, says):
    with pytest.raises(SpecError, match=says):
        InfoNCE(**options)


def test_a_batch_without_documents():
    with pytest.raises(SpecError, match="loss InfoNCE needs document"):
        InfoNCE()(EmbeddedBatch(torch.eye(2)))
