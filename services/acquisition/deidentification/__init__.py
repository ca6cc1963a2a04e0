"""Takes out of an ultrasound object whatever names a person (PS3.15 annex E); `deidentify` is the one door."""
