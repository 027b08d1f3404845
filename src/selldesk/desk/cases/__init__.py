"""What the desk does with each command: one module per subject, each command a function of the batch."""
