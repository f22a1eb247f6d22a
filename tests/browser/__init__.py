"""The pages in a real Chromium: what people see, with real checks in the database and without."""

import pytest

pytest.register_assert_rewrite("tests.browser.visiting")
