"""What is wrong with a cine: what is measured, the rules, and their words."""
