"""Who held an address at some moment is answered rightly, while holders come and go.

`make history-campaign` asks many questions; MOORAGE_HISTORY_QUESTIONS says how many.
"""

import os
import time

import pytest

import moorage
from harness import calls
from history import campaign

QUESTIONS = int(os.environ.get("MOORAGE_HISTORY_QUESTIONS", "500"))


@pytest.mark.timeout(60 + QUESTIONS // 10)
def test_every_question_about_the_past_has_its_one_right_answer(
    client: moorage.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.create_pool(client, "v4", "10.0.0.0/24")
    calls.create_pool(client, "v6", "fd00::/64")
    began = time.monotonic()
    tally, assigned = campaign.run(client, questions=QUESTIONS)
    with capsys.disabled():
        print(
            f"\n{tally.asked} questions, {tally.right} right, {len(tally.wrong)} wrong,"
            f" {tally.held} of a holder, {tally.skipped} inside of a call and not asked;"
            f" {assigned} assigns meanwhile, in {time.monotonic() - began:.1f} s"
        )
    assert not tally.wrong, tally.wrong[:5]
    assert tally.right == tally.asked >= QUESTIONS
    # It would prove nothing if there had been nobody to tell of.
    assert tally.asked / 10 < tally.held < tally.asked
    assert assigned > QUESTIONS / 20
