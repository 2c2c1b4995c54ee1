"""Summing up by extraction: the sentences that say most of what was said, unchanged."""

import math
import re
from collections import Counter
from collections.abc import Sequence

SENTENCES_MAX = 5
WORDS_MIN = 3
SENTENCE_CHARACTERS = 240

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_WORD = re.compile(r"\w{2,}")
# Words that say nothing of what a text is about.
_EMPTY = frozenset(
    re.split(
        r"\s+",
        """a about all also am an and any are as at be been but by can could did do does for from
        get go had has have he her him his how i if in into is it its just like me my no not now
        of off ok okay on one or our out she so some than that the their them then there they
        this to up us was we were what when where which who will with would yes you your""",
    )
)


def summarise(messages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The (name, sentence) pairs that matter most, in the order they were said."""
    sentences = [
        (name, sentence.strip()[:SENTENCE_CHARACTERS])
        for name, text in messages
        for sentence in _SENTENCE_END.split(text)
        if len(_WORD.findall(sentence)) >= WORDS_MIN
    ]
    counts = Counter(word for _, sentence in sentences for word in set(_words(sentence)))
    ranked = sorted(
        range(len(sentences)),
        key=lambda place: (-_weight(sentences[place][1], counts), -place),
    )
    return [sentences[place] for place in sorted(ranked[:SENTENCES_MAX])]


def _words(sentence: str) -> list[str]:
    return [word for word in map(str.casefold, _WORD.findall(sentence)) if word not in _EMPTY]


def _weight(sentence: str, counts: Counter[str]) -> float:
    """How much of the whole a sentence is about; long ones do not win by length alone."""
    words = set(_words(sentence))
    if not words:
        return 0.0
    return sum(counts[word] for word in words) / math.sqrt(len(words))
