"""What is known of a cine because it was made, one function each."""
