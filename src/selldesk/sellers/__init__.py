"""Sellers and projects in bounds: limits on what is open, strikes and cool-downs, blocks after reversals (people P6). Pure."""
