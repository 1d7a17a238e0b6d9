"""How the bytes of an input become the texts that a parser gets."""


def text_of(data: bytes) -> str:
    """Any bytes as text; what is no UTF-8 becomes lone surrogates, which JSON can spell too."""
    return data.decode("utf-8", "surrogateescape")
