"""Which addresses a request gets: fixed ones, or automatic ones."""

from moorage_server.domain import automatic, fixed, model
from moorage_server.domain.setting import Conversation, Placed, Setting


def place(wants: tuple[model.AddressRequest, ...], setting: Setting) -> Conversation[list[Placed]]:
    """Takes every address wanted from the shelf, or raises and leaves it to be undone.

    Raises the IpamError that says why not, Awaited, or Contended.
    """
    placed: dict[int, Placed] = {}
    # One order for everybody, whatever order was asked in: two requests for the
    # same two addresses then lock their blocks in the same order. The choosiest
    # goes first, so that a request does not take from itself what it names.
    for at in sorted(range(len(wants)), key=lambda at: _rank(wants[at])):
        want = wants[at]
        if want.candidates:
            placed[at] = yield from fixed.draw(want, setting)
        else:
            taken = {each.address for each in placed.values()}
            placed[at] = yield from automatic.draw(want, taken, setting)
    return [placed[at] for at in range(len(wants))]


def _rank(want: model.AddressRequest) -> tuple[int, int, int, int]:
    if want.candidates:
        return want.family, 0, len(want.candidates), int(want.candidates[0])
    return want.family, 1 if want.pools else 2, len(want.pools), 0
