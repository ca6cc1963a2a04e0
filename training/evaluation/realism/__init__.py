"""How simulated echocardiograms measure beside real ones: the statistics, the comparison, the sheets, the report."""
