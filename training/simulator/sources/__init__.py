"""Where a cine may come from: one small file each, and the draw of one cine's settings from it."""
