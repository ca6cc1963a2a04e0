"""Names of planes and of the classes of views."""

PLANES: tuple[str, ...] = (
    "a2c", "a3c", "a4c", "a5c", "plax", "plax_valves", "psax_aortic", "psax_mitral", "psax_papillary", "psax_apical",
    "rv_inflow", "rv_outflow", "subcostal", "suprasternal",
    "sweep_a4c_a2c", "sweep_a2c_a3c", "sweep_plax_psax", "sweep_plax_rv_inflow",
)
VIEWS: tuple[str, ...] = ("A2C", "A4C", "PLAX", "PSAX")
VIEW_CLASSES: tuple[str, ...] = (*VIEWS, "OTHER")
