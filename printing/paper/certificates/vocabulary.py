"""The words of relationship (続柄) by document: rows, never branches. A word of another document is refused.

A residence certificate says what somebody is to the head of the household, and never which child in number or by
adoption; a family register says what somebody is to the parents, and never 子 or 世帯主.
Sources: 住民基本台帳事務処理要領 第1-2-(1)-オ; 戸籍法 13条, 戸籍法施行規則 付録.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from printing.paper.errors import WrongVocabulary
from printing.paper.records import CertificateKind

_FULL_WIDTH_BRACKETS = str.maketrans("（）", "()")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one item: whole words, words that are joined with の, and a pattern of counted ones."""

    words: frozenset[str] = frozenset()
    chained: frozenset[str] = frozenset()
    counted: re.Pattern[str] | None = None

    def has(self, word: str) -> bool:
        """Whether a word is one of these."""
        word = word.translate(_FULL_WIDTH_BRACKETS)
        if word in self.words or (self.counted is not None and self.counted.fullmatch(word) is not None):
            return True
        return all(part in self.chained for part in word.split("の"))


# Relations of relations are joined: 子の妻, 妻の子, 子の子.
_HOUSEHOLD = Vocabulary(
    words=frozenset(("世帯主", "縁故者", "同居人")),
    chained=frozenset(("妻", "夫", "妻(未届)", "夫(未届)", "子", "父", "母", "兄", "弟", "姉", "妹")),
)
# The eldest is 長, the others are counted; 男 and 女 alone were entered of children born out of wedlock until 2004.
_PARENTS = Vocabulary(counted=re.compile(r"(?:長|二|三|四|五|六|七|八|九|十[一二三四五六七八九]?)?[男女]"))
_ADOPTIVE_PARENTS = Vocabulary(words=frozenset(("養子", "養女")))
_SPOUSE = Vocabulary(words=frozenset(("夫", "妻")))

_FAMILY_REGISTER = {"relationship": _PARENTS, "adoptive.relationship": _ADOPTIVE_PARENTS, "spouse": _SPOUSE}
#: By document and item. A document that is not here has no such item at all.
VOCABULARIES: Mapping[CertificateKind, Mapping[str, Vocabulary]] = {
    CertificateKind.RESIDENCE: {"relationship": _HOUSEHOLD},
    CertificateKind.RESIDENCE_ITEMS: {"relationship": _HOUSEHOLD},
    CertificateKind.FAMILY_REGISTER: _FAMILY_REGISTER,
    CertificateKind.FAMILY_REGISTER_INDIVIDUAL: _FAMILY_REGISTER,
}


def check_word(kind: CertificateKind, item: str, word: str | None) -> None:
    """Refuse a word that this document must not carry; None is no word.

    Errors: WrongVocabulary(item).
    """
    if word is not None and not VOCABULARIES[kind][item].has(word):
        raise WrongVocabulary(item)
