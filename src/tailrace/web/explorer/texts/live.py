"""What live lines say."""

from __future__ import annotations

from typing import Final

REFRESHED: Final = "loads again every {seconds} s"
REFRESH: Final = "Load again every {seconds} s"
REFRESH_STOP: Final = "stop"

SCRIPT: Final = {
    "liveSwitch": "live lines on and off",
    "livePauseKey": "pause live lines, and go on (not on a line: there it opens it)",
    "liveStart": "live",
    "liveCount": "{count} lines came",
    "liveRate": "{rate} a second",
    "liveSample": "a sample: {left} left out",
    "liveSampleLeast": "a sample: at least {left} left out",
    "liveLate": "{count} late",
    "livePause": "Pause",
    "liveResume": "Resume",
    "livePaused": "Paused, {count} new lines. Resume",
    "livePausedOne": "Paused, 1 new line. Resume",
    "livePausedNone": "Paused, nothing new yet. Resume",
    "liveAway": "The connection is lost, trying again…",
    "liveBack": "Connected again; nothing was missed.",
    "liveGap": "From {from} to {to} nothing was followed: the connection was away for too long.",
    "liveGapLink": "Show these lines",
    "liveStopped": "Stopped: {count} lines came from {from} to {to}.",
    "liveStoppedLink": "Show all of them",
    "liveEnded": "Live lines ended: {why}",
}
