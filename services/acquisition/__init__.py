"""What happens at an acquisition site: studies, and what a trial still misses of them."""
