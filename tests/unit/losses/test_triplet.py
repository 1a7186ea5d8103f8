"""Triplet: values by hand, several negatives, the hardest of the batch, masks."""

import pytest
import torch

from nearer.errors import SpecError
from nearer.losses.protocol import EmbeddedBatch
from nearer.losses.triplet import Triplet

X, Y = [1.0, 0.0], [0.0, 1.0]
DIAGONAL = 1 - 2**-0.5
"""Cosine distance of (1, 1) to either axis."""


def test_by_hand():
    batch = EmbeddedBatch(
        query=torch.tensor([X, X, X]),
        document=torch.tensor([X, [1.0, 1.0], Y]),
        negatives=(torch.tensor([Y, [1.0, 1.0], X]),),
    )
    # Far enough; equally far: the margin; the wrong way round: 1 and the margin.
    assert Triplet(margin=0.25)(batch).item() == pytest.approx((0 + 0.25 + 1.25) / 3)


def test_euclidean_by_hand():
    batch = EmbeddedBatch(
        torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), (torch.tensor([[0.0, 4.5]]),)
    )
    assert Triplet(margin=1.0, distance="euclidean")(batch).item() == pytest.approx(1.5)


def test_several_negatives_are_averaged():
    query = torch.tensor([X, X])
    one, other = torch.tensor([Y, X]), torch.tensor([X, X])
    loss = Triplet(margin=0.5)
    both = loss(EmbeddedBatch(query, query, negatives=(one, other)))
    assert both.item() == pytest.approx(((0 + 0.5) / 2 + 0.5) / 2)


def test_known_negatives_do_not_count():
    query = torch.tensor([X, X])
    negatives = (torch.tensor([Y, X]), torch.tensor([X, Y]))
    known = torch.zeros(2, 6, dtype=torch.bool)
    known[1, 3] = True  # row 1's own first negative
    known[0, 2] = True  # row 0's own first negative: the other one is all that counts
    known[0, 3] = True  # row 1's negative is none of row 0's: changes nothing
    known[1, 1] = True  # its own document is never left out
    loss = Triplet(margin=0.5)(EmbeddedBatch(query, query, negatives, known=known))
    assert loss.item() == pytest.approx((0.5 / 1 + 0 / 1) / 2)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_without_negatives_the_nearest_other_document(distance):
    generator = torch.Generator().manual_seed(0)
    query, document = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    known = torch.rand(6, 6, generator=generator) < 0.3
    loss = Triplet(margin=0.3, distance=distance)(EmbeddedBatch(query, document, known=known))

    def apart(a, b):
        if distance == "cosine":
            return 1 - float(a @ b / (a.norm() * b.norm()))
        return float((a - b).norm())

    total = 0.0
    for i in range(6):
        others = [apart(query[i], document[j]) for j in range(6) if j != i and not known[i, j]]
        total += max(0.0, apart(query[i], document[i]) - min(others) + 0.3) if others else 0.0
    assert loss.item() == pytest.approx(total / 6)


def test_a_known_document_is_not_mined_and_gets_no_gradient():
    query = torch.tensor([X, Y], requires_grad=True)
    document = torch.tensor([[1.0, 1.0], [2.0, 1.0]], requires_grad=True)
    known = torch.tensor([[False, True], [False, False]])
    Triplet()(EmbeddedBatch(query, document, known=known)).backward()
    assert not query.grad[0].any()
    assert document.grad[1].any()  # from its own row


def test_rows_without_any_negative_count_as_zero():
    query = torch.tensor([X], requires_grad=True)
    for distance in ("cosine", "euclidean"):
        loss = Triplet(distance=distance)(EmbeddedBatch(query, query))
        loss.backward()
        assert loss.item() == 0
        assert not query.grad.any()


def test_equal_points_have_a_finite_gradient():
    query = torch.tensor([X], requires_grad=True)
    Triplet(distance="euclidean")(EmbeddedBatch(query, query, negatives=(query,))).backward()
    assert query.grad.isfinite().all()


@pytest.mark.parametrize(
    ("options", "says"),
    [({"margin": 0}, "margin must be a number above 0"), ({"distance": "dot"}, "or euclidean")],
)
def test_bad_options(options, says):
    with pytest.raises(SpecError, match=says):
        Triplet(**options)
