"""What a human should look at: every kind of alert once, with its meaning and what to do about it. Pure."""
