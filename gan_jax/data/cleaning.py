"""What preparing a data set drops and counts."""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from gan_jax.data.recipe import Example, Unreadable
from gan_jax.errors import InputError

# More unreadable examples than this share are a sign that the data set itself is broken.
MAX_UNREADABLE = 0.05


@dataclasses.dataclass
class Cleaning:
    """Passes on the examples worth keeping, and keeps count.

    Duplicates are exact: the same pixels after resizing and converting. The first of them stays,
    also where the others lie in another class or in a later split (a test image that was trained
    on would flatter every figure).

    Attributes:
      title: What the user called the data set, for messages.
      drop_duplicates: Whether duplicates are dropped; otherwise they are only counted.
    """

    title: str
    drop_duplicates: bool
    _seen: set[bytes] = dataclasses.field(default_factory=set)
    _reports: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def clean(self, split: str, examples: Iterable[Example | Unreadable]) -> Iterator[Example]:
        """Drops what is unreadable, and duplicates where that is asked for.

        Args:
          split: The split's name, under which the report goes.
          examples: The examples in their order.

        Yields:
          The examples that stay, in their order.

        Raises:
          InputError: More than 5 % are unreadable, or nothing is left. Raised at the end, when
            the counts are known.
        """
        digest = hashlib.blake2b(digest_size=8)
        unreadable: list[Unreadable] = []
        read = kept = duplicates = 0
        for example in examples:
            read += 1
            if isinstance(example, Unreadable):
                unreadable.append(example)
                continue
            pixels = hashlib.blake2b(example.image.tobytes(), digest_size=16).digest()
            is_duplicate = pixels in self._seen
            self._seen.add(pixels)
            duplicates += is_duplicate
            if is_duplicate and self.drop_duplicates:
                continue
            kept += 1
            digest.update(pixels + repr(example.label).encode())
            yield example
        self._check(split, read, kept, unreadable)
        self._reports[split] = {
            "read": read,
            "kept": kept,
            "unreadable": dict(collections.Counter(example.reason for example in unreadable)),
            "unreadable_examples": [example.name for example in unreadable[:10]],
            "duplicates": duplicates,
            "duplicates_dropped": self.drop_duplicates,
            "fingerprint": digest.hexdigest(),
        }

    def report(self) -> dict[str, dict[str, Any]]:
        """Returns, by split, the counts and a fingerprint of what was kept; JSON-able."""
        return self._reports

    def _check(self, split: str, read: int, kept: int, unreadable: list[Unreadable]) -> None:
        if len(unreadable) > MAX_UNREADABLE * read:
            first = unreadable[0]
            raise InputError(
                f"{self.title}: {len(unreadable)} of {read} images of the {split} split cannot be "
                f"read (at most {MAX_UNREADABLE:.0%} may be); the first is {first.name} "
                f"({first.reason}). Remove or replace them"
            )
        if not kept:
            raise InputError(f"{self.title}: no image is left for the {split} split")
