"""How often an alert flapped."""

from tailrace.alerts.backtest.replay import FLAP_NS
from tailrace.alerts.model import Told
from tailrace.web.explorer.alerts.past import flaps


def test_to_fire_again_soon_is_a_flap() -> None:
    told = [
        Told("a", "firing", 0),
        Told("a", "resolved", 10),
        Told("b", "firing", 11),  # another one
        Told("a", "firing", 10 + FLAP_NS),
        Told("a", "correction", 20 + FLAP_NS),
        Told("a", "firing", 21 + 2 * FLAP_NS),  # too late for a flap
    ]
    assert flaps(told) == 1
    assert flaps([]) == 0
