"""How two texts are compared when case and typographic variants must not matter.

Owns one fold, for e-mail keys and for word lists alike. It is never applied to what is hashed or sent: passwords are
exact bytes, and mail goes to the address as its owner typed it.
"""

import unicodedata


def fold(text: str) -> str:
    """Case fold and NFKC until nothing changes, so that folding twice gives the same text.

    One round is not enough: folding can make what NFKC composes, and the other way about (Unicode section 3.13).
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text)
    while True:
        again = unicodedata.normalize("NFKC", folded.casefold())
        if again == folded:
            return folded
        folded = again
