"""Background work: thin loops that run agendas against Steam and bring the news to the desk."""
