"""MetricLearning: the package's own values, every loss and miner of its lists, and refusals."""

import inspect

import pytest
import torch
from pytorch_metric_learning import distances, losses, miners, reducers

from nearer.errors import SpecError, UnknownName
from nearer.losses.metric_learning import BY_NAME, MetricLearning
from nearer.losses.names import METRIC_LEARNING, MINERS, UNUSABLE, WITHOUT_MINER
from nearer.losses.protocol import EmbeddedBatch

REQUIRED = {"RankedListLoss": {"margin": 0.4, "Tn": 4}}
NOT_LOSSES = {
    "BaseLossWrapper",
    "BaseMetricLossFunction",
    "EmbeddingRegularizerMixin",
    "WeightRegularizerMixin",
}
NOT_MINERS = {"BaseMiner", "EmbeddingsAlreadyPackagedAsTriplets"}  # the latter goes by row order


def classes(module):
    return {name for name, value in vars(module).items() if inspect.isclass(value)}


def build(name, **options):
    torch.manual_seed(0)
    options = REQUIRED.get(name, {}) | options
    return MetricLearning(name, num_classes=4, embedding_dim=8, **options)


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    items = torch.randn(14, 8, generator=generator).requires_grad_()
    return EmbeddedBatch(items, labels=torch.randint(0, 4, (14,), generator=generator))


def test_the_lists_are_those_of_the_package():
    assert classes(losses) == {*METRIC_LEARNING, *UNUSABLE} | NOT_LOSSES
    assert classes(miners) == {*MINERS} | NOT_MINERS
    assert set(WITHOUT_MINER) <= set(METRIC_LEARNING)
    for option, module in (("distance", distances), ("reducer", reducers)):
        assert set(BY_NAME[option][1]) <= classes(module)


@pytest.mark.parametrize("name", METRIC_LEARNING)
def test_every_loss_trains_for_more_than_one_step(name):
    loss = build(name)
    weight = torch.eye(8, requires_grad=True)
    for step in range(3):
        given = batch(step)
        value = loss(EmbeddedBatch(given.query.detach() @ weight, labels=given.labels))
        value.backward()
        assert value.ndim == 0
        assert value.isfinite()
    assert weight.grad.isfinite().all()
    assert weight.grad.any()


@pytest.mark.parametrize("name", METRIC_LEARNING)
def test_every_loss_takes_a_miner_or_says_that_it_does_not(name):
    if name in WITHOUT_MINER:
        with pytest.raises(SpecError, match="takes no miner"):
            build(name, miner="MultiSimilarity")
    else:
        loss, given = build(name, miner="MultiSimilarity"), batch()
        assert loss(given).isfinite()


@pytest.mark.parametrize("name", MINERS)
def test_every_miner_chooses(name):
    value = build("TripletMargin", miner=name.lower())(batch())
    assert value.isfinite()


def test_the_value_is_that_of_a_direct_call():
    given = batch()
    direct = losses.TripletMarginLoss(
        margin=0.3, distance=distances.CosineSimilarity(), reducer=reducers.MeanReducer()
    )
    mined = miners.TripletMarginMiner(margin=0.1, type_of_triplets="semihard")
    expected = direct(given.query, given.labels, mined(given.query, given.labels))
    ours = MetricLearning(
        "tripletmargin",
        miner="TripletMarginMiner",
        miner_options={"margin": 0.1, "type_of_triplets": "semihard"},
        margin=0.3,
        distance="CosineSimilarity",
        reducer="MeanReducer",
    )
    assert ours(given).item() == expected.item()
    assert MetricLearning("supcon")(given).item() == (
        losses.SupConLoss()(given.query, given.labels).item()
    )


def test_class_vectors_get_their_size_from_data_and_model_and_stay_float32():
    loss = build("ArcFaceLoss", margin=20)
    assert loss.loss.W.shape == (8, 4)
    assert loss.fixed_dim
    assert not build("SupConLoss").fixed_dim
    given = batch()
    half = EmbeddedBatch(given.query.bfloat16(), labels=given.labels)
    assert loss(half).dtype == loss.loss.W.dtype == torch.float32


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_losses_say_why(name):
    with pytest.raises(SpecError, match=f"{name} of pytorch-metric-learning cannot be used: it "):
        MetricLearning(name)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("ArcFaceLoss", {}, r"(?s)needs num_classes.*needs embedding_dim"),
        ("RankedList", {}, r"(?s)needs the option margin.*needs the option Tn"),
        ("TripletMargin", {"margn": 1}, 'no option "margn"; it takes margin, .*mean "margin"'),
        ("TripletMargin", {"margin": "wide"}, "margin must be a number"),
        ("TripletMargin", {"swap": 1}, "swap must be true or false"),
        ("TripletMargin", {"distance": "Cosine"}, "distance must be CosineSimilarity or"),
        ("PNP", {"variant": "Q"}, "refuses its options: variant=Q"),
        ("SupCon", {"mat_based_loss": 1}, "no option"),
        ("SupCon", {"miner_options": {"margin": 1}}, "miner_options need a miner"),
        ("SupCon", {"miner": "HDC", "miner_options": {"share": 1}}, "miner HDCMiner has no option"),
        ("InfoNCE", {}, "InfoNCE is not one of pytorch-metric-learning"),
    ],
)
def test_bad_options(name, options, says):
    with pytest.raises(SpecError, match=says):
        MetricLearning(name, **options)


def test_unknown_names():
    with pytest.raises(UnknownName, match=r'no loss "ArcFase".*Did you mean "ArcFaceLoss"'):
        MetricLearning("ArcFase")
    with pytest.raises(UnknownName, match=r'no miner "BatchHart".*Did you mean "BatchHardMiner"'):
        MetricLearning("SupCon", miner="BatchHart")


def test_nothing_to_compare_is_zero_with_a_gradient():
    items = torch.eye(2, requires_grad=True)
    value = MetricLearning("SupCon")(EmbeddedBatch(items, labels=torch.tensor([0, 1])))
    value.backward()
    assert value.item() == 0
