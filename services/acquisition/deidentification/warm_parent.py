"""The warm parent of children that de-identify, run by `services.runtime.sandbox` only."""

from __future__ import annotations

from services.acquisition.deidentification.job import WORKS, warm_up
from services.runtime import warm_parent

if __name__ == "__main__":
    warm_parent.main(WORKS, warm_up)
