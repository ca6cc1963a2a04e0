"""Names of the planes, of the classes of views, and which planes a view is drawn from."""

VIEWS: tuple[str, ...] = ("A2C", "A4C", "PLAX", "PSAX")
"""The four target views."""

VIEW_CLASSES: tuple[str, ...] = (*VIEWS, "OTHER")
"""With what is none of them, in the order of every vector of shares."""

ZOOMED_SHARE = 0.15
"""Of the cines of every view, zoomed on a valve or chamber, so that a zoom tells no view; a PLAX that is zoomed on its
valves is a plane with a name of its own."""

PLANE_SHARES: dict[str, dict[str, float]] = {
    "A2C": {"a2c": 1.0},
    "A4C": {"a4c": 1.0},
    "PLAX": {"plax": 1 - ZOOMED_SHARE, "plax_valves": ZOOMED_SHARE},
    "PSAX": {"psax_aortic": 0.42, "psax_mitral": 0.2, "psax_papillary": 0.25, "psax_apical": 0.13},
    "OTHER": {
        "a3c": 0.14,
        "a5c": 0.14,
        "rv_inflow": 0.1,
        "rv_outflow": 0.1,
        "subcostal": 0.14,
        "suprasternal": 0.1,
        "sweep_a4c_a2c": 0.08,
        "sweep_a2c_a3c": 0.06,
        "sweep_plax_psax": 0.08,
        "sweep_plax_rv_inflow": 0.06,
    },
}
"""Several public sets mean the aortic-valve level by PSAX: it is at least two in five."""

PLANES: tuple[str, ...] = tuple(plane for shares in PLANE_SHARES.values() for plane in shares)


def view_of(plane: str) -> str:
    """Name the view that a plane is drawn for; what it is told as depends on what it cuts."""
    return next(view for view, shares in PLANE_SHARES.items() if plane in shares)
