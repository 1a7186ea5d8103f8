"""The texts of a run's data, tokenised before the first step; what of them is the encoder's."""

from collections.abc import Callable

from nearer.encoder.kept import KeptFolders
from nearer.encoder.protocol import Encoder, Track
from nearer.encoder.tokenising import tokenise
from nearer.errors import Interrupted
from nearer.run.door import Plan


def tokenise_data(
    plan: Plan,
    encoder: Encoder,
    keep: KeptFolders,
    track: Track,
    signal: Callable[[], str | None],
) -> None:
    """Tokenise every different text of the training and held-out rows once, or find it tokenised.

    Raises:
        Interrupted: A signal came meanwhile; nothing was trained yet, and nothing is kept of
            the side that was at work.
    """
    parts = [part for part in (plan.train, plan.val) if part is not None]
    # Held-out rows that were split off are numbered with the others.
    for contents, source in {part.contents: part.source for part in parts}.items():
        if "image" in {m for part in parts for m in part.modalities if part.contents is contents}:
            continue
        for side, texts in contents.distinct.items():
            with track("Tokenising", texts.count) as advance:

                def obedient(done: int, advance: Callable[[int], None] = advance) -> None:
                    advance(done)
                    name = signal()
                    if name:
                        raise Interrupted(name)

                tokenise(encoder, texts, side, keep, f"{source}, {side}", obedient)
