"""What every loss keeps to: ours, found by themselves, and some of pytorch-metric-learning."""

import copy

import pytest
import torch

from nearer.losses.choose import LOSSES
from nearer.losses.matryoshka import Matryoshka
from nearer.losses.metric_learning import MetricLearning
from nearer.losses.protocol import EmbeddedBatch

METRIC = ("SupConLoss", "ContrastiveLoss", "ArcFaceLoss", "ProxyAnchorLoss")
DIM = 6


def build(name):
    torch.manual_seed(0)
    if name == "Matryoshka":
        return Matryoshka(LOSSES["InfoNCE"](), [DIM, 3])
    if name in LOSSES:
        return LOSSES[name]()
    return MetricLearning(name, num_classes=3, embedding_dim=DIM)


def make(loss, rows=8, dtype=torch.float32, seed=0):
    """A batch with all that the loss needs, and negatives only if it needs them."""
    generator = torch.Generator().manual_seed(seed)

    def column():
        return torch.randn(rows, DIM, generator=generator, dtype=dtype).requires_grad_()

    needs = loss.needs
    return EmbeddedBatch(
        query=column(),
        document=column() if "document" in needs else None,
        negatives=(column(),) if "negatives" in needs else (),
        scores=torch.linspace(0, 1, rows) if "scores" in needs else None,
        labels=torch.arange(rows) // 2 % 3 if "labels" in needs else None,
    )


def inputs(batch):
    return [t for t in (batch.query, batch.document, *batch.negatives) if t is not None]


pytestmark = pytest.mark.parametrize("name", [*LOSSES, "Matryoshka", *METRIC])


def test_a_finite_scalar_with_a_gradient_for_every_embedding(name):
    loss = build(name)
    batch = make(loss)
    value = loss(batch)
    assert value.shape == ()
    assert value.isfinite()
    for gradient in torch.autograd.grad(value, inputs(batch)):
        assert gradient.isfinite().all()
        assert gradient.any()


def test_its_parameters_are_trained_too(name):
    loss = build(name)
    loss(make(loss)).backward()
    assert all(p.grad is not None and p.grad.any() for p in loss.parameters())


@pytest.mark.parametrize("rows", [1, 2])
def test_small_batches(name, rows):
    loss = build(name)
    batch = make(loss, rows)
    value = loss(batch)
    value.backward()
    assert value.isfinite()
    assert all(t.grad.isfinite().all() for t in inputs(batch))


def test_double_precision_stays_double(name):
    loss = build(name).double()
    assert loss(make(loss, dtype=torch.float64)).dtype == torch.float64


def test_half_precision_is_worked_on_in_single(name):
    loss = build(name)
    value = loss(make(loss, dtype=torch.bfloat16))
    assert value.dtype == torch.float32
    assert value.isfinite()


def test_the_gradient_is_that_of_the_value(name):
    loss = build(name).double()
    batch = make(loss, rows=4, dtype=torch.float64)

    def of_query(query):
        return loss(
            EmbeddedBatch(query, batch.document, batch.negatives, batch.scores, batch.labels)
        )

    assert torch.autograd.gradcheck(of_query, batch.query)


def test_the_same_twice(name):
    loss = build(name)
    assert loss(make(loss)).item() == loss(make(loss)).item()
    assert loss(make(loss)).item() == build(name)(make(loss)).item()


def test_the_order_of_rows_does_not_matter(name):
    loss = build(name).double()
    batch = make(loss, dtype=torch.float64)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))

    def pick(tensor):
        return None if tensor is None else tensor[order]

    shuffled = EmbeddedBatch(
        batch.query[order],
        pick(batch.document),
        tuple(n[order] for n in batch.negatives),
        pick(batch.scores),
        pick(batch.labels),
    )
    assert loss(shuffled).item() == pytest.approx(loss(batch).item(), rel=1e-9)


def test_the_state_goes_round(name):
    loss = build(name)
    torch.manual_seed(1)
    other = copy.deepcopy(loss)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    loss.load_state_dict(other.state_dict())
    assert loss(make(loss)).item() == other(make(loss)).item()
