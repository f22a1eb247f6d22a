"""The simulated user: three kinds behind one protocol (`contract.py`)."""
