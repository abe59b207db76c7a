"""What the program promises, one sentence a test."""
