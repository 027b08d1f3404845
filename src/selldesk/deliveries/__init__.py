"""Deliveries: what buyers own, on its way from a bot to them. Stands on the words of sales (trades/) and the life of offers. Pure."""
