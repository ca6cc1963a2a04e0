"""What a simulated cine may be: names only, so that the command line can list them without loading anything."""

KINDS: dict[str, tuple[str, ...]] = {
    "b_mode": ("plain",),
    "colour_doppler": ("box", "variance", "mosaic", "whole", "jet", "pale", "sepia", "tissue", "power"),
    "still": ("plain",),
    "tinted": ("sepia", "blue", "green", "amber", "violet", "ember", "rainbow"),
    "frozen": ("plain", "ecg", "clock", "codec"),
    "black": ("gain", "off_chest"),
    "saturated": ("gain", "noise"),
    "short": ("frames", "part_beat"),
    "split": ("same_view", "two_views", "quad"),
    "dual": ("box", "variance", "tissue"),
    "spectral": ("pw", "cw", "tissue", "pw_full", "cw_full"),
    "m_mode": ("sweep", "scroll", "sweep_full", "scroll_full"),
    "text": ("report", "worksheet", "menu", "patient", "chart", "start"),
    "foreign": ("photo", "gradient", "test_card", "xray", "ct", "shapes", "noise", "linear", "convex"),
    "screens": ("console", "worksheet", "white", "guides", "crossing"),
}
"""The kinds of each variant; one is drawn for a cine where none is asked for."""

VARIANTS: tuple[str, ...] = tuple(KINDS)

USABLE_VARIANTS: tuple[str, ...] = ("b_mode", "tinted", "screens")
"""Those that show one plain live view, so that nothing may reject them; a tint deserves a warning."""
