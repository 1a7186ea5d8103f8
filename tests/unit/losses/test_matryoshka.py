"""Matryoshka: the explicit sum, the order of dimensions, and what it refuses."""

import pytest
import torch

from nearer.errors import SpecError
from nearer.losses.contrastive import InfoNCE
from nearer.losses.matryoshka import Matryoshka
from nearer.losses.metric_learning import MetricLearning
from nearer.losses.protocol import EmbeddedBatch
from nearer.losses.scored import CoSENT


def batch(dim=8):
    generator = torch.Generator().manual_seed(0)
    query, document, negative = torch.randn(3, 5, dim, generator=generator)
    return EmbeddedBatch(query, document, (negative,), known=torch.zeros(5, 10, dtype=torch.bool))


def test_it_is_the_explicit_weighted_mean():
    loss, given = InfoNCE(), batch()
    terms = [loss(given.truncated(dim)).item() for dim in (8, 4, 2)]
    assert Matryoshka(loss, [2, 8, 4])(given).item() == pytest.approx(sum(terms) / 3)
    weighted = Matryoshka(loss, [2, 8, 4], weights=[1.0, 5.0, 2.0])
    assert weighted.dims == (8, 4, 2)
    expected = (5 * terms[0] + 2 * terms[1] + 1 * terms[2]) / 8
    assert weighted(given).item() == pytest.approx(expected)


def test_only_the_full_dimension_is_the_loss_itself():
    assert Matryoshka(InfoNCE(), [8])(batch()).item() == InfoNCE()(batch()).item()


def test_what_is_cut_off_gets_no_gradient():
    query = batch().query.requires_grad_()
    Matryoshka(InfoNCE(), [2])(EmbeddedBatch(query, batch().document)).backward()
    assert query.grad[:, :2].any()
    assert not query.grad[:, 2:].any()


def test_it_needs_what_the_wrapped_loss_needs_and_trains_its_parameters():
    assert Matryoshka(CoSENT(), [2]).needs == CoSENT.needs
    assert len(list(Matryoshka(InfoNCE(learn_temperature=True), [2]).parameters())) == 1


def test_a_dimension_larger_than_the_embedding_names_both():
    with pytest.raises(SpecError, match="dimension 16 is larger than the embedding, which has 8"):
        Matryoshka(InfoNCE(), [4, 16])(batch())


@pytest.mark.parametrize(
    ("dims", "weights", "says"),
    [
        ([], None, "at least one"),
        ([4, 0], None, "above 0, not 0"),
        ([4.5], None, "whole numbers"),
        ([4, 2, 4], None, "4 is given twice"),
        ([4, 2], [1.0], "2 dimensions but 1 weights"),
        ([4, 2], [1.0, 0.0], "weight must be a number above 0"),
    ],
)
def test_bad_dimensions(dims, weights, says):
    with pytest.raises(SpecError, match=says):
        Matryoshka(InfoNCE(), dims, weights)


def test_a_loss_with_a_vector_for_each_class_cannot_be_cut():
    arcface = MetricLearning("ArcFace", num_classes=3, embedding_dim=8)
    with pytest.raises(SpecError, match="cannot wrap the loss ArcFaceLoss"):
        Matryoshka(arcface, [4])


def test_a_metric_learning_loss_without_one_can():
    loss, labels = MetricLearning("SupCon"), torch.tensor([0, 0, 1, 1, 2])
    given = EmbeddedBatch(batch().query, labels=labels)
    expected = (loss(given).item() + loss(given.truncated(4)).item()) / 2
    assert Matryoshka(loss, [8, 4])(given).item() == pytest.approx(expected)
