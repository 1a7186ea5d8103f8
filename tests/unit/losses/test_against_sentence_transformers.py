"""Our losses give the values and gradients of sentence-transformers on the same embeddings.

Its losses are bound to a model; the stub is never called, as they are given embeddings.
"""

import pytest
import torch

from nearer.losses.contrastive import InfoNCE
from nearer.losses.distillation import MarginMSE
from nearer.losses.matryoshka import Matryoshka
from nearer.losses.protocol import EmbeddedBatch
from nearer.losses.scored import CoSENT, CosineSimilarity
from nearer.losses.triplet import Triplet

STUB = torch.nn.Identity()


@pytest.fixture(scope="module")
def theirs():
    from sentence_transformers.sentence_transformer import losses

    return losses


@pytest.fixture
def columns():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(16, 8, generator=generator, requires_grad=True) for _ in range(4)]


def same(ours, reference, columns):
    torch.testing.assert_close(ours, reference, atol=1e-6, rtol=1e-6)
    mine = torch.autograd.grad(ours, columns)
    other = torch.autograd.grad(reference, columns)
    torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("used", [2, 3, 4])
def test_multiple_negatives_ranking(theirs, columns, used):
    columns = columns[:used]
    reference = theirs.MultipleNegativesRankingLoss(STUB, scale=20)
    query, document, *negatives = columns
    batch = EmbeddedBatch(query, document, tuple(negatives))
    same(InfoNCE()(batch), reference.compute_loss_from_embeddings(columns, None), columns)


def test_symmetric_ranking(theirs, columns):
    reference = theirs.MultipleNegativesRankingLoss(
        STUB, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )
    query, document, negative, _ = columns
    value = InfoNCE(symmetric=True)(EmbeddedBatch(query, document, (negative,)))
    same(value, reference.compute_loss_from_embeddings(columns[:3], None), columns[:3])


def test_cosent_and_cosine_similarity(theirs, columns):
    columns = columns[:2]
    scores = torch.linspace(0, 1, 16).round(decimals=1)
    batch = EmbeddedBatch(*columns, scores=scores)
    for ours, reference in (
        (CoSENT(), theirs.CoSENTLoss(STUB)),
        (CosineSimilarity(), theirs.CosineSimilarityLoss(STUB)),
    ):
        same(ours(batch), reference.compute_loss_from_embeddings(columns, scores), columns)


@pytest.mark.parametrize(("distance", "metric"), [("cosine", "COSINE"), ("euclidean", "EUCLIDEAN")])
def test_triplet(theirs, columns, distance, metric):
    columns = columns[:3]
    metric = getattr(theirs.TripletDistanceMetric, metric)
    reference = theirs.TripletLoss(STUB, distance_metric=metric, triplet_margin=0.4)
    query, document, negative = columns
    value = Triplet(margin=0.4, distance=distance)(EmbeddedBatch(query, document, (negative,)))
    # It adds 1e-6 to euclidean differences, which ours does not.
    expected = reference.compute_loss_from_embeddings(columns, None)
    torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-5)


def test_margin_mse(theirs, columns):
    columns = columns[:3]
    query, document, negative = columns
    scores = torch.linspace(-3, 5, 16)
    reference = theirs.MarginMSELoss(STUB)
    value = MarginMSE()(EmbeddedBatch(query, document, (negative,), scores=scores))
    same(value, reference.compute_loss_from_embeddings(columns, scores), columns)


def test_matryoshka_is_theirs_divided_by_the_weights(theirs, columns):
    columns = columns[:2]
    reference = theirs.MultipleNegativesRankingLoss(STUB)
    expected = sum(
        reference.compute_loss_from_embeddings([c[:, :dim] for c in columns], None)
        for dim in (8, 4, 2)
    )
    value = Matryoshka(InfoNCE(), [8, 4, 2])(EmbeddedBatch(*columns))
    same(value, expected / 3, columns)
