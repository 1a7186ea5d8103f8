"""CoSENT, CosineSimilarity and MarginMSE: values by hand and what they refuse."""

import math

import pytest
import torch

from nearer.errors import SpecError
from nearer.losses.distillation import MarginMSE
from nearer.losses.protocol import EmbeddedBatch
from nearer.losses.scored import CoSENT, CosineSimilarity


def scored(scores, seed=0):
    generator = torch.Generator().manual_seed(seed)
    query, document = torch.randn(2, len(scores), 3, generator=generator, dtype=torch.float64)
    return EmbeddedBatch(query.requires_grad_(), document, scores=torch.tensor(scores))


def cosines(batch):
    return torch.cosine_similarity(batch.query, batch.document).tolist()


def test_cosent_compares_every_two_pairs_of_unequal_score():
    batch = scored([0.1, 0.9, 0.5, 0.5])
    cosine, scores = cosines(batch), batch.scores.tolist()
    total = sum(
        math.exp(7 * (cosine[low] - cosine[high]))
        for low in range(4)
        for high in range(4)
        if scores[high] > scores[low]
    )
    assert CoSENT(scale=7)(batch).item() == pytest.approx(math.log(1 + total))


def test_cosent_sees_only_the_order_of_the_scores():
    a, b = scored([0.1, 0.9, 0.5]), scored([-3.0, 40.0, 0.0])
    assert CoSENT()(a).item() == CoSENT()(b).item()


def test_cosent_of_equal_scores_is_zero_and_has_a_gradient():
    batch = scored([0.5, 0.5])
    loss = CoSENT()(batch)
    loss.backward()
    assert loss.item() == 0
    assert not batch.query.grad.any()


def test_cosent_is_stable():
    assert CoSENT(scale=1e6)(scored([0.1, 0.9, 0.5])).isfinite()


def test_cosine_similarity_is_the_squared_error():
    batch = scored([0.1, 0.9, 0.5])
    errors = [(c - s) ** 2 for c, s in zip(cosines(batch), batch.scores.tolist(), strict=True)]
    assert CosineSimilarity()(batch).item() == pytest.approx(sum(errors) / 3)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_margin_mse_is_the_squared_error_of_the_margins(similarity):
    q, d, n = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0))
    margins = torch.tensor([1.0, -2.0, 0.0, 5.0])
    loss = MarginMSE(similarity)(EmbeddedBatch(q, d, (n,), scores=margins))
    own, other = (1.0, 1.0)
    if similarity == "cosine":
        own, other = (q.norm(dim=1) * x.norm(dim=1) for x in (d, n))
    predicted = (q * d).sum(1) / own - (q * n).sum(1) / other
    assert loss.item() == pytest.approx(((predicted - margins) ** 2).mean().item(), rel=1e-5)


@pytest.mark.parametrize("columns", [0, 2])
def test_margin_mse_wants_one_negatives_column(columns):
    eye = torch.eye(2)
    batch = EmbeddedBatch(eye, eye, (eye,) * columns, scores=torch.zeros(2))
    with pytest.raises(SpecError, match=f"exactly one negatives column.* has {columns}"):
        MarginMSE()(batch)


def test_what_is_refused():
    with pytest.raises(SpecError, match="scale must be a number above 0"):
        CoSENT(scale=-1)
    with pytest.raises(SpecError, match="similarity must be cosine or dot"):
        MarginMSE(similarity="l2")
    with pytest.raises(SpecError, match="loss CosineSimilarity needs scores"):
        CosineSimilarity()(EmbeddedBatch(torch.eye(2), torch.eye(2)))
