"""What a trial asserts is told in full."""

import pytest

pytest.register_assert_rewrite("restore.trial")
