"""Shows a docstring's `Example:` as code on the API pages; griffe knows only `Examples:`."""

import re
from typing import Any

from griffe import Extension, Object


class ExampleSections(Extension):
    """Rewrite the heading as the docstrings are read."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring:
            heading = re.compile(r"^Example:$", re.MULTILINE)
            obj.docstring.value = heading.sub("Examples:", obj.docstring.value)
