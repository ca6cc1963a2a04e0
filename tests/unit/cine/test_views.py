"""The order of the views is the order of a model's outputs: it never changes."""

from services.cine.views import ANSWERED_VIEWS, TARGET_VIEWS, View


def test_the_target_views_keep_their_order() -> None:
    assert [view.value for view in TARGET_VIEWS] == ["A2C", "A4C", "PLAX", "PSAX"]
    assert set(View) - set(TARGET_VIEWS) == {View.OTHER}


def test_what_is_none_of_the_four_is_answered_last() -> None:
    assert (*TARGET_VIEWS, View.OTHER) == ANSWERED_VIEWS
