"""What a person asks for, checked and turned into a command: routes, command line and pages bring it here."""
