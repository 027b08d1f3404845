"""The handlers of the HTTP API: one noun a file. What they share with other HTTP faces is web/."""
