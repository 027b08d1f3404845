"""Double entry: accounts, transfers that sum to zero, holds (freeze → capture | release). Pure."""
