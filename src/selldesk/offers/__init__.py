"""The life of one Steam offer, whatever it is for: its stages, what Steam's word makes of it, what its bot does next. Pure."""
