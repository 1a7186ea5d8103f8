"""Losses by name: spelling, defaults by data, and faults reported before anything heavy loads."""

import subprocess
import sys

import pytest

from nearer.errors import SpecError, UnknownName
from nearer.losses import choose
from nearer.losses.choose import auto_loss, build_loss, check_name, kind_faults, loss_names
from nearer.losses.contrastive import InfoNCE
from nearer.losses.matryoshka import Matryoshka
from nearer.losses.metric_learning import MetricLearning
from nearer.losses.names import METRIC_LEARNING, OURS, UNUSABLE


def test_names_are_found_without_torch():
    code = """
import sys
from nearer.errors import UnknownName
from nearer.losses.choose import auto_loss, check_name, loss_names
assert check_name("arcface") == "ArcFaceLoss" and loss_names() and auto_loss("pairs")
try:
    check_name("nope")
except UnknownName:
    pass
assert not {"torch", "pytorch_metric_learning"} & set(sys.modules)
from nearer.losses.choose import LOSSES
assert "pytorch_metric_learning" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_losses_are_ours_by_name():
    assert tuple(choose.LOSSES) == tuple(OURS)
    assert choose.LOSSES["InfoNCE"] is InfoNCE
    assert all(cls.__name__ == name for name, cls in choose.LOSSES.items())
    with pytest.raises(AttributeError, match="no attribute LOSES"):
        _ = choose.LOSES


def test_every_name_is_its_own_whatever_its_spelling():
    assert loss_names() == (*OURS, *METRIC_LEARNING)
    for name in loss_names():
        short = name.removesuffix("Loss")
        assert {check_name(n) for n in (name, name.upper(), short, f"{short}Loss")} == {name}
    assert check_name("info_nce") == check_name("info-nce") == "InfoNCE"


def test_unknown_and_unusable_names():
    with pytest.raises(UnknownName, match=r'no loss "InfoNC".*SupConLoss.*Did you mean "InfoNCE"'):
        check_name("InfoNC")
    for name in UNUSABLE:
        with pytest.raises(SpecError, match="cannot be used"):
            check_name(name)


@pytest.mark.parametrize("kind", choose.KINDS)
def test_the_default_loss_fits_its_data(kind):
    assert build_loss(auto_loss(kind), kind=kind).needs <= choose.KINDS[kind][1]


def test_an_unknown_kind():
    with pytest.raises(SpecError, match=r'no kind of data "pair"; .*Did you mean "pairs"'):
        auto_loss("pair")


@pytest.mark.parametrize(
    ("name", "kind", "says", "fitting", "unfit"),
    [
        ("CoSENT", "pairs", "needs scores, which pairs data", "InfoNCE, Triplet", "MarginMSE"),
        ("supcon", "pairs", "loss SupConLoss needs labels", "InfoNCE, Triplet", "ArcFaceLoss"),
        ("InfoNCE", "labelled", "needs document", "SupConLoss", "InfoNCE, Triplet"),
        ("InfoNCE", "scored", "whatever its score", "CoSENT, CosineSimilarity", "Triplet"),
        ("CoSENT", "distillation", "are margins", "InfoNCE, Triplet, MarginMSE", "SupCon"),
        ("MarginMSE", "negatives", "needs scores", "InfoNCE, Triplet", "CoSENT"),
    ],
)
def test_a_loss_that_does_not_fit_the_data(name, kind, says, fitting, unfit):
    with pytest.raises(SpecError, match=says) as caught:
        build_loss(name, kind=kind)
    _, take = str(caught.value).split("for this data take ")
    assert fitting in take
    assert unfit not in take


def test_a_loss_of_the_users_own_is_held_to_the_same():
    assert kind_faults("Mine", frozenset({"labels"}), "labelled") == []
    assert kind_faults("Mine", frozenset(), "scored") == []
    assert (
        "loss Mine needs labels and scores"
        in kind_faults("Mine", frozenset({"labels", "scores"}), "pairs")[0]
    )


def test_options_reach_the_loss():
    loss = build_loss("infonce", kind="pairs", options={"temperature": 0.1, "symmetric": True})
    assert isinstance(loss, InfoNCE)
    assert (loss.temperature, loss.symmetric) == (pytest.approx(0.1), True)
    mined = build_loss("triplet-margin", kind="labelled", options={"miner": "HDC", "margin": 1})
    assert isinstance(mined, MetricLearning)
    assert mined.loss.margin == 1
    sized = build_loss("arcface", kind="labelled", num_classes=3, embedding_dim=4)
    assert sized.loss.W.shape == (4, 3)


def test_matryoshka_wraps_and_its_dimensions_are_checked_early():
    loss = build_loss("InfoNCE", kind="pairs", embedding_dim=8, matryoshka_dims=[4, 8])
    assert isinstance(loss, Matryoshka)
    assert loss.dims == (8, 4)
    with pytest.raises(SpecError, match="dimension 16 is larger than the embedding, which has 8"):
        build_loss("InfoNCE", kind="pairs", embedding_dim=8, matryoshka_dims=[16])
    with pytest.raises(SpecError, match="cannot wrap the loss ArcFaceLoss"):
        build_loss("ArcFace", kind="labelled", num_classes=3, embedding_dim=8, matryoshka_dims=[4])


def test_all_faults_at_once():
    with pytest.raises(SpecError) as caught:
        build_loss(
            "CoSENT",
            kind="pairs",
            embedding_dim=8,
            options={"scael": 3, "margin": 1},
            matryoshka_dims=[16],
        )
    assert len(caught.value.faults) == 4
    assert 'no option "scael"; it takes scale. Did you mean "scale"?' in str(caught.value)


def test_what_the_data_says_is_no_option():
    with pytest.raises(SpecError, match="num_classes is known from the data"):
        build_loss("arcface", kind="labelled", options={"num_classes": 3})


def test_bad_values_are_faults():
    with pytest.raises(SpecError, match="temperature must be a number"):
        build_loss("InfoNCE", kind="pairs", options={"temperature": "low"})
    with pytest.raises(SpecError, match="symmetric must be true or false"):
        build_loss("InfoNCE", kind="pairs", options={"symmetric": "yes"})
