"""The contract of a callback: one method for each event, all empty. No callback lives here."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nearer.loop.metrics import MetricInfo

if TYPE_CHECKING:
    from nearer.loop.context import Context


class Callback:
    """Something that happens around the loop; subclass it and override the events you need.

    A callback reads everything through the context and may: change its own attributes, return
    metrics from `on_evaluate`, and call `ctx.request_stop(reason)`. Weights may be loaded only in
    `on_fit_begin`, `on_fit_end` and `on_weights_chosen` (and in `on_exception` when a signal ended
    the fit, to hand back the best). One instance serves many fits: set state in `on_fit_begin`, not
    in `__init__`.

    The order of a list of callbacks never matters: what one returns from `on_evaluate`, all see,
    complete and frozen, in `on_metrics`.

    Example:
        >>> from nearer import Callback
        >>> class Patient(Callback):
        ...     def on_epoch_end(self, ctx):
        ...         if ctx.metrics["train_loss"] < 0.01:
        ...             ctx.request_stop("the loss is small enough")
    """

    every_process: ClassVar[bool] = False
    """In a run of several processes: whether it is called in all of them, or in the first one
    alone. What writes, draws or sends belongs to the first; what decides anything from the weights
    themselves, or works on all processes together, says True."""

    def check(self) -> None:
        """Check arguments and files before any model is loaded; raise a `NearerError`."""

    def produces(self, model_name: str) -> Sequence[MetricInfo]:
        """Declare the metrics that `on_evaluate` returns; only these can be monitored."""
        return ()

    def monitors(self, declared: Sequence[MetricInfo]) -> Sequence[str]:
        """Name the metrics that must be among those declared; checked before the first step."""
        return ()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed fit needs: nested JSON-able values and tensors.

        Asked for at any event but `on_fit_begin`, often before an evaluation: to be cheap, it may
        give out the tensors that it holds, but none that it will change in place.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; called after `on_fit_begin` of a resumed fit."""

    def on_fit_begin(self, ctx: "Context") -> None:
        """Set state here; the model is ready and nothing has been trained."""

    def on_epoch_begin(self, ctx: "Context") -> None:
        """An epoch begins; `ctx.epoch` is its number, from 1."""

    def on_train_batch_begin(self, ctx: "Context") -> None:
        """A batch has been drawn and is about to be trained on."""

    def on_train_batch_end(self, ctx: "Context") -> None:
        """The optimizer has stepped; `ctx.batch_loss` and `ctx.step` are up to date."""

    def on_val_begin(self, ctx: "Context") -> None:
        """The pass over the held-out rows begins."""

    def on_val_batch_end(self, ctx: "Context") -> None:
        """The loss of a held-out batch is known: `ctx.batch_loss`."""

    def on_val_end(self, ctx: "Context") -> None:
        """The loss on the held-out rows is known: `ctx.val_loss`."""

    def on_evaluate(self, ctx: "Context") -> Mapping[str, float] | None:
        """Producers: evaluate `ctx.encoder` and return metrics; None: not at this point."""
        return None

    def on_metrics(self, ctx: "Context") -> None:
        """Consumers: `ctx.metrics` holds all metrics of this evaluation point."""

    def on_epoch_end(self, ctx: "Context") -> None:
        """An epoch has ended."""

    def on_fit_end(self, ctx: "Context") -> None:
        """The fit has ended by itself or by an early stop; weights may be loaded."""

    def on_weights_chosen(self, ctx: "Context") -> None:
        """Every `on_fit_end` is done; other weights may be made of those that are handed back."""

    def on_exception(self, ctx: "Context", error: BaseException) -> None:
        """Something ended the fit, Ctrl-C included; the error is raised again afterwards."""

    def on_close(self, ctx: "Context") -> None:
        """Release what is held; called once, always, last."""
