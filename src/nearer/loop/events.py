"""The events of a fit, in the order in which they happen. Who hears them is dispatch's business."""

from enum import StrEnum


class Event(StrEnum):
    """Every event; the value of each member is the name of the callback's method.

    The loop, with each event where it is fired::

        on_fit_begin
        on_evaluate -> on_metrics            epoch 0: the model as it came ("before")
        for each epoch:
            on_epoch_begin
            for each batch:
                on_train_batch_begin
                (forward, backward, optimizer step)
                on_train_batch_end
            at each evaluation point:
                on_val_begin                 only with held-out rows: the loss on them
                    on_val_batch_end         after each of their batches
                on_val_end
                on_evaluate                  producers: return {name: value}
                on_metrics                   consumers: the point's metrics, complete and frozen
            on_epoch_end
        on_fit_end                           normal end or early stop: the best may be put back
        on_weights_chosen                    what is handed back may be made into something else
        on_exception                         anything, Ctrl-C and SIGTERM included; re-raised after
        on_close                             always, last, every callback once

    With held-out rows the validation pass runs at epoch 0 too. `evaluate_every` puts the evaluation
    points at the end of each epoch (before `on_epoch_end`) or after every so many steps.
    """

    FIT_BEGIN = "on_fit_begin"
    EPOCH_BEGIN = "on_epoch_begin"
    TRAIN_BATCH_BEGIN = "on_train_batch_begin"
    TRAIN_BATCH_END = "on_train_batch_end"
    VAL_BEGIN = "on_val_begin"
    VAL_BATCH_END = "on_val_batch_end"
    VAL_END = "on_val_end"
    EVALUATE = "on_evaluate"
    METRICS = "on_metrics"
    EPOCH_END = "on_epoch_end"
    FIT_END = "on_fit_end"
    WEIGHTS_CHOSEN = "on_weights_chosen"
    EXCEPTION = "on_exception"
    CLOSE = "on_close"
