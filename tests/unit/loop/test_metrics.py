"""What metrics declare, and how a name finds one."""

import pytest

from nearer.errors import MetricNotReported, SpecError
from nearer.loop.metrics import TRAIN_LOSS, VAL_LOSS, MetricInfo, declare, resolve

A = [MetricInfo(f"a_{n}", "max", n) for n in ("ndcg_at_k", "recall_at_k")]
B = [MetricInfo(f"b_{n}", "max", n) for n in ("ndcg_at_k", "hit_at_k")]
BOTH = [*A, *B, TRAIN_LOSS]


def message(name, declared):
    with pytest.raises(MetricNotReported) as caught:
        resolve(name, declared, "EarlyStopping")
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a_ndcg_at_k", "a_ndcg_at_k"),
        ("b_ndcg_at_k", "b_ndcg_at_k"),
        ("recall_at_k", "a_recall_at_k"),
        ("hit_at_k", "b_hit_at_k"),
        ("train_loss", "train_loss"),
    ],
)
def test_a_key_or_a_bare_name_that_only_one_has(name, key):
    assert resolve(name, BOTH, "EarlyStopping").key == key


def test_a_key_goes_before_a_bare_name():
    odd = MetricInfo("ndcg_at_k", "min", "ndcg_at_k")
    assert resolve("ndcg_at_k", [*A, odd], "EarlyStopping") is odd


def test_an_ambiguous_name_lists_the_keys():
    assert message("ndcg_at_k", BOTH) == (
        'EarlyStopping watches "ndcg_at_k", which several evaluations report; '
        "choose one: a_ndcg_at_k, b_ndcg_at_k"
    )


def test_an_unknown_name_lists_what_there_is():
    assert message("bleu", BOTH) == (
        'EarlyStopping watches "bleu"; this run reports ndcg_at_k, recall_at_k, hit_at_k, '
        "train_loss."
    )


def test_T28_a_typo_is_an_error_with_a_hint_not_a_warning():
    assert message("ndgc_at_k", A).endswith('Did you mean "ndcg_at_k"?')
    assert message("a_recal_at_k", A).endswith('Did you mean "a_recall_at_k"?')


def test_T22_val_loss_says_what_it_needs():
    assert message("val_loss", BOTH).endswith(
        " val_loss needs held-out rows: give eval_data or val_split."
    )


def test_T28_the_direction_is_the_metrics_own_whatever_its_name():
    assert (TRAIN_LOSS.direction, VAL_LOSS.direction) == ("min", "min")
    declared = declare([MetricInfo("loss_of_weight", "max", "loss_of_weight")])
    assert resolve("loss_of_weight", declared, "EarlyStopping").direction == "max"


def test_T27_two_of_one_name_are_refused():
    with pytest.raises(SpecError) as caught:
        declare([*A, A[0], A[0], *B, B[1]])
    assert [f.split(";")[0] for f in caught.value.faults] == [
        'metric "a_ndcg_at_k" and 1 more: reported by two callbacks'
    ]


def test_a_direction_that_is_none_is_refused():
    with pytest.raises(SpecError, match=r"\"x\": 'maximize'; must be \"max\" or \"min\""):
        declare([MetricInfo("x", "maximize", "x")])
